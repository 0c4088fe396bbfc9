//! Public crates: `cargo wasmtest`, `cargo test` and `cargo nextest run` tell the same of every test.

use crate::support::{Events, Ran, Target, finish};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use xtask::suites::SUITES;

/// Those of `xtask::suites` that are compared here.
const CRATES: [&str; 4] = ["semver", "itoa", "either", "httparse"];

/// Tests by their path and how they ended, in order.
type Told = Vec<(String, &'static str)>;

struct Suite {
    manifest: PathBuf,
    target_dir: PathBuf,
    profile: &'static str,
    target: Target,
}

impl Suite {
    /// What all three are told alike.
    fn flags(&self, profile: &str) -> Vec<String> {
        let path = |p: &Path| p.display().to_string();
        let all = [
            "--manifest-path",
            &path(&self.manifest),
            "--target-dir",
            &path(&self.target_dir),
            "--target",
            self.target.triple(),
            profile,
            self.profile,
            "--lib",
            "--tests",
        ];
        all.map(str::to_owned).into()
    }

    fn run(&self, mut command: Command, profile: &str, args: [&[&str]; 3]) -> Ran {
        let runner = format!(
            "{} cargo-runner --process-timeout 300",
            env!("CARGO_BIN_EXE_wasmtest")
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["NEXTEST", "RUST_TEST_", "CARGO_PKG_"]
                .iter()
                .any(|p| name.starts_with(p))
            {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.manifest.parent().expect("it lies in a folder"))
            .args(args[0])
            .args(self.flags(profile))
            .args(args[1])
            .args(args[2])
            .stdin(Stdio::null())
            .env("CARGO_TERM_COLOR", "never")
            .env("WASMTEST_CACHE_DIR", folder.join("cache"))
            .env("CARGO_TARGET_WASM32_WASIP1_RUNNER", &runner)
            .env("CARGO_TARGET_WASM32_WASIP2_RUNNER", &runner);
        finish(&mut command)
    }

    fn cargo_wasmtest(&self) -> Told {
        let command = Command::new(env!("CARGO_BIN_EXE_cargo-wasmtest"));
        let ours = ["--", "--message-format", "json", "--process-timeout", "300"];
        let events = Events::of(self.run(command, "--profile", [&["wasmtest"], &ours, &[]]));
        let end = |e: &serde_json::Value| {
            let path = e["wasmtest"]["test"].as_str().expect("a test").to_owned();
            let outcome = match e["wasmtest"]["outcome"].as_str() {
                Some("passed") => "ok",
                Some("skipped") => "ignored",
                _ => "FAILED",
            };
            (path, outcome)
        };
        sorted(events.ends().map(end).collect())
    }

    fn cargo_test(&self) -> Told {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let ran = self.run(
            Command::new(cargo),
            "--profile",
            [&["test"], &["--no-fail-fast"], &[]],
        );
        let line = |line: &str| {
            let (name, word) = line.strip_prefix("test ")?.split_once(" ... ")?;
            let name = name.trim_end().trim_end_matches(" - should panic");
            let word = ["ok", "FAILED", "ignored"]
                .into_iter()
                .find(|w| word.starts_with(w))?;
            Some((name.to_owned(), word))
        };
        sorted(ran.stdout.lines().filter_map(line).collect())
    }

    /// Tests that it runs; those that are ignored it does not name.
    fn nextest(&self) -> Told {
        let mut command = Command::new("cargo-nextest");
        command.env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1");
        let format = [
            "--message-format",
            "libtest-json",
            "--no-fail-fast",
            "--no-tests",
            "pass",
        ];
        let ran = self.run(
            command,
            "--cargo-profile",
            [&["nextest", "run"], &format, &[]],
        );
        let end = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            let outcome = match event["event"].as_str()? {
                "ok" => "ok",
                "failed" => "FAILED",
                _ => return None,
            };
            let (_, path) = event["name"].as_str()?.split_once('$')?;
            (event["type"] == "test").then(|| (path.to_owned(), outcome))
        };
        sorted(ran.stdout.lines().filter_map(end).collect())
    }
}

fn sorted(mut told: Told) -> Told {
    told.sort();
    told
}

/// Whether cargo-nextest is there.
pub fn has_nextest() -> bool {
    let mut command = Command::new("cargo-nextest");
    command
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

#[test]
fn cargo_wasmtest_cargo_test_and_nextest_agree_on_public_crates() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suites");
    xtask::suites::fetch(&folder, SUITES.iter()).expect("they can be fetched");
    let nextest = has_nextest();
    if !nextest {
        println!(
            "cargo-nextest is not installed: not compared with it (`cargo xtask compat` installs it)"
        );
    }
    let mut compared = 0;
    for xtask::suites::Suite { name, profile, .. } in SUITES {
        if !CRATES.contains(&name) {
            continue;
        }
        for target in Target::BOTH {
            let suite = Suite {
                manifest: folder.join(name).join("Cargo.toml"),
                target_dir: folder.join("target"),
                profile,
                target,
            };
            let ours = suite.cargo_wasmtest();
            assert!(!ours.is_empty(), "{name} {target:?}: no test");
            assert_eq!(ours, suite.cargo_test(), "{name} {target:?}: cargo test");
            if nextest {
                let run: Told = ours
                    .iter()
                    .filter(|(_, o)| *o != "ignored")
                    .cloned()
                    .collect();
                assert_eq!(run, suite.nextest(), "{name} {target:?}: cargo nextest");
            }
            compared += ours.len();
        }
    }
    assert!(compared > 150, "only {compared} tests");
    println!("{compared} tests agree");
}
