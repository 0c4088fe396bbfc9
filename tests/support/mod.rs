//! What the end-to-end tests share: guests built once, the real binary run, its events read.

pub mod rusts;

use serde_json::Value;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// What a guest is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    P1,
    P2,
}

impl Target {
    pub const BOTH: [Target; 2] = [Target::P1, Target::P2];

    pub fn triple(self) -> &'static str {
        match self {
            Target::P1 => xtask::target::WASIP1,
            Target::P2 => xtask::target::WASIP2,
        }
    }
}

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("host lies in it")
        .to_owned()
}

/// The test binary of a guest's target, by the target's name; all guests of one
/// kind are built together, once.
pub fn guest(name: &str, target: Target, profile: &'static str) -> PathBuf {
    type Built = HashMap<(Target, &'static str), HashMap<String, PathBuf>>;
    static BUILT: OnceLock<Mutex<Built>> = OnceLock::new();
    let mut built = BUILT
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let guests = built.entry((target, profile)).or_insert_with(|| {
        let manifest = workspace().join("tests/guests/Cargo.toml");
        let folder = workspace().join("tests/guests/target");
        let args = [
            "--quiet",
            "--workspace",
            "--manifest-path",
            &manifest.to_string_lossy(),
            "--target",
            target.triple(),
            "--target-dir",
            &folder.to_string_lossy(),
            "--profile",
            profile,
        ]
        .map(str::to_owned);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut guests: HashMap<String, PathBuf> = xtask::guest::build_tests(&args)
            .expect("guests build")
            .into_iter()
            .collect();
        let programs = xtask::guest::build_programs(&[&args[..], &["--bins", "--lib"]].concat())
            .expect("guests build");
        guests.extend(programs);
        guests
    });
    guests
        .get(name)
        .unwrap_or_else(|| panic!("there is no guest {name} in {guests:?}"))
        .clone()
}

/// A module written as text.
pub fn wat(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, wat::parse_str(text).expect("it assembles")).expect("it can be written");
    path
}

/// The binary under test, with a cache of the tests' own and no settings from outside.
pub fn wasmtest() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasmtest"));
    command.current_dir(workspace()).stdin(Stdio::null()).env(
        "WASMTEST_CACHE_DIR",
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
    );
    for name in ["WASMTEST_PROCESSES", "WASMTEST_PROCESS_TIMEOUT", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// `wasmtest run` with these arguments.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    finish(wasmtest().arg("run").args(args))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().expect("it starts");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The events of a run with `--message-format json`.
#[derive(Debug)]
pub struct Events {
    pub code: i32,
    pub all: Vec<Value>,
    pub stderr: String,
}

/// `wasmtest run --message-format json` with these arguments.
pub fn events<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Events {
    let ran = finish(
        wasmtest()
            .args(["run", "--message-format", "json"])
            .args(args),
    );
    Events::of(ran)
}

impl Events {
    pub fn of(ran: Ran) -> Events {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Events {
            code: ran.code,
            all: ran.stdout.lines().map(parse).collect(),
            stderr: ran.stderr,
        }
    }

    /// How a test ended, by its path in its module; each ends exactly once.
    pub fn end(&self, path: &str) -> &Value {
        let ends: Vec<&Value> = self
            .ends()
            .filter(|e| e["wasmtest"]["test"] == path)
            .collect();
        assert_eq!(
            ends.len(),
            1,
            "{path} ended {} times in {:#?}",
            ends.len(),
            self
        );
        ends[0]
    }

    /// The outcome of a test.
    pub fn outcome(&self, path: &str) -> &str {
        self.end(path)["wasmtest"]["outcome"]
            .as_str()
            .expect("every end has one")
    }

    /// What is said of a test that did not pass.
    pub fn message(&self, path: &str) -> &str {
        self.end(path)["wasmtest"]["message"]
            .as_str()
            .unwrap_or_default()
    }

    /// All ends of tests and modules.
    pub fn ends(&self) -> impl Iterator<Item = &Value> {
        self.all.iter().filter(|e| {
            e["type"] == "test" && ["ok", "failed", "ignored"].iter().any(|k| e["event"] == *k)
        })
    }

    /// The paths of tests that were not run, with the reason that is told of each.
    pub fn not_run(&self) -> Vec<(&str, &str)> {
        let own = self.ends().map(|end| &end["wasmtest"]);
        let not_run = own.filter(|own| own["outcome"] == "not-run");
        not_run
            .map(|own| {
                let text = |key: &str| own[key].as_str().expect("told");
                (text("test"), text("message"))
            })
            .collect()
    }

    /// The closing line.
    pub fn summary(&self) -> &Value {
        let last = self.all.last().expect("there is one");
        assert_eq!(last["type"], "suite");
        last
    }

    /// Outcomes of all tests, counted.
    pub fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for end in self.ends() {
            let outcome = end["wasmtest"]["outcome"]
                .as_str()
                .expect("every end has one");
            *counts.entry(outcome.to_owned()).or_default() += 1;
        }
        counts
    }
}

/// A path as an argument: from the workspace's folder, where tests run, if it lies there.
pub fn arg(path: &Path) -> &str {
    let path = path.strip_prefix(workspace()).unwrap_or(path);
    path.to_str().expect("UTF-8")
}
