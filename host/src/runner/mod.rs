//! What cargo calls: `wasmtest cargo-runner BIN ARGS...`. What BIN is decides what becomes of ARGS.
//!
//! A Rust test binary has libtest's face; what rustdoc has merged is a binary of
//! doctests; anything else is a program, which runs as under a plain runtime. Whatever is
//! wrong with the call of a test binary is said on stderr and ends in 101, as a Rust
//! program ends that cannot go on: cargo knows no code of ours.

mod caller;
mod doctests;
mod libtest;
mod list;

use self::caller::Caller;
use crate::cargo::rustdoc;
use crate::cli::{CargoRunnerArgs, UsageError};
use crate::config::Config;
use crate::event::{Cause, HarnessName};
use crate::exec;
use crate::exit::LIBTEST_FAILED;
use crate::grant::ModuleGrants;
use crate::grant::variables::once_each;
use crate::harness::{command, libtest as libtest_harness, libtest_like};
use crate::module::cache::Cache;
use crate::module::{identify, names};
use crate::protocol::{ListedTest, UnknownImports};
use crate::settings::{self, Exec, Marks, Output, ProcessEnv, Silence, TestFile};
use crate::text::{Escaped, tell};
use anyhow::Context as _;
use std::ffi::OsString;
use std::path::Path;

/// Does what cargo asked for; gives the exit code.
///
/// # Errors
/// If a program, which is no test binary, cannot be run.
pub fn run(args: &CargoRunnerArgs, process: &ProcessEnv) -> anyhow::Result<i32> {
    if let Some(marks) = marks(args) {
        rustdoc::channel::end_with(&marks.stops);
    }
    let (file, rest) = match args.call.split_first() {
        Some((file, rest)) => (Path::new(file), rest),
        None => return Ok(refuse("cargo-runner: no file was given", None)),
    };
    let harness = match harness(file, args) {
        Ok(harness) => harness,
        Err(cause) => {
            let what = format!("{} cannot be run: {}", file.display(), cause.message);
            let hint = match twice(file, rest) {
                true => Some(
                    "the runner seems to be named twice (in .cargo/config.toml and in CARGO_TARGET_WASM32_WASIP1_RUNNER?): `wasmtest cargo-runner` has to stand there once"
                        .to_owned(),
                ),
                false => cause.hint,
            };
            return Ok(refuse(&what, hint.as_deref()));
        }
    };
    let call = match RunnerCall::new(file, args, process) {
        Ok(call) => call,
        Err(e) => return Ok(refuse(&format!("{e:#}"), None)),
    };
    match harness {
        Some(libtest_harness::NAME) if doctests::is_rustdocs(file) => {
            let sources = doctests::beside(file);
            Ok(i32::from(doctests::run(&call, rest, args, &sources)))
        }
        Some(libtest_harness::NAME) => {
            Ok(i32::from(libtest::run(&call, call.test_file(), rest, args)))
        }
        Some(command::NAME) if let Some(test) = asked_by_nextest(rest, process) => {
            let mut file = call.test_file();
            // a name may look like a flag
            let mut rest = vec![OsString::from("--exact"), "--nocapture".into()];
            rest.extend(test.ignored.is_some().then(|| "--ignored".into()));
            rest.extend(["--".into(), test.path.clone().into()]);
            file.listed = Some(vec![test]);
            Ok(i32::from(libtest::run(&call, file, &rest, args)))
        }
        _ => {
            let exec = call.exec(args).context("the program cannot be run")?;
            match exec::run(&exec) {
                Ok(ended) => Ok(ended.code),
                Err(e) => {
                    exec.output.tell_stop();
                    Err(e)
                }
            }
        }
    }
}

/// The test that cargo-nextest wants of a harness of somebody's own: it knows exit codes alone,
/// so that is judged here, as `cargo wasmtest` does.
fn asked_by_nextest(rest: &[OsString], process: &ProcessEnv) -> Option<ListedTest> {
    process.var("NEXTEST").filter(|v| *v == "1")?;
    let rest: Vec<&str> = rest.iter().filter_map(|a| a.to_str()).collect();
    let ["--exact", name, "--nocapture", more @ ..] = rest.as_slice() else {
        return None;
    };
    Some(ListedTest {
        ignored: more.contains(&"--ignored").then(String::new),
        ..ListedTest::named(*name, libtest_like::NAME)
    })
}

/// A file that cargo hands over, and what it may reach.
pub(super) struct RunnerCall<'a> {
    pub(super) file: &'a Path,
    grants: ModuleGrants,
    unknown_imports: UnknownImports,
    /// Where rustdoc's sources lie.
    pub(super) caller: Caller,
    /// What `wasmtest.toml` says.
    config: Config,
    process: &'a ProcessEnv,
}

impl<'a> RunnerCall<'a> {
    fn new(
        file: &'a Path,
        args: &CargoRunnerArgs,
        process: &'a ProcessEnv,
    ) -> anyhow::Result<RunnerCall<'a>> {
        let config = settings::nearest_configuration(process)?;
        let caller = Caller::find(&config, process)?;
        let name = name(file);
        Ok(RunnerCall {
            file,
            grants: caller.grants(file, args, process)?,
            unknown_imports: UnknownImports::stubbed(
                args.guest.stub_imports || ids(&name, process).any(|id| caller.wanted.stubs(&id)),
            ),
            caller,
            config,
            process,
        })
    }

    /// The same as the file of a run.
    pub(super) fn test_file(&self) -> TestFile {
        TestFile {
            file: self.file.to_owned(),
            name: name(self.file),
            grants: self.grants.clone(),
            unknown_imports: self.unknown_imports,
            rerun: String::new(),
            unmarked: command::NAME,
            without_tests: Silence::Told,
            listed: None,
        }
    }

    pub(super) fn exec(&self, args: &CargoRunnerArgs) -> Result<Exec, UsageError> {
        let mut exec = Exec::for_cargo(args, self.process)?;
        // of two of one name, what was asked for on the command line wins
        exec.env.extend(self.grants.env.iter().cloned());
        exec.env = once_each(exec.env);
        let mut dirs = self.grants.dirs.clone();
        dirs.append(&mut exec.dirs);
        exec.dirs = dirs;
        exec.unknown_imports = self.unknown_imports;
        // a doctest is a test, and rustdoc limits neither its time nor its output
        if doctests::is_rustdocs(self.file) {
            exec.timeout.get_or_insert(settings::DEFAULT_TIMEOUT);
            exec.limits = settings::limits_of_tests(&args.guest.limits)?;
            exec.output = Output::Bounded {
                cap: settings::CAPTURE,
                marks: marks(args),
            };
        }
        Ok(exec)
    }
}

/// What `cargo wasmtest` gives the runners of its doctests.
pub(super) fn marks(args: &CargoRunnerArgs) -> Option<Marks> {
    let [word, stops] = args.doctests.as_slice() else {
        return None;
    };
    Some(Marks {
        word: word.clone(),
        stops: stops.into(),
    })
}

/// A file's name without cargo's hash.
fn name(file: &Path) -> String {
    names::assign(&[file.to_owned()], &[false])
        .pop()
        .unwrap_or_default()
}

/// The ids that a file may have in `cargo wasmtest`: the runner is not told of what kind
/// its target is.
fn ids(name: &str, process: &ProcessEnv) -> impl Iterator<Item = String> {
    let package = process.var("CARGO_PKG_NAME").unwrap_or_default().to_owned();
    let target = name.strip_suffix(".wasm").unwrap_or(name);
    let named =
        ["", "bin/", "example/", "bench/", "doc/"].map(|kind| format!("{package}::{kind}{target}"));
    named.into_iter().chain([package, name.to_owned()])
}

/// How the program in this file is run.
///
/// Hot path: a program may be started hundreds of times, so a file that has not
/// changed is not read again for this.
fn harness(file: &Path, args: &CargoRunnerArgs) -> Result<Option<HarnessName>, Cause> {
    let unreadable = |e: std::io::Error| Cause::new(format!("the file cannot be read: {e}"));
    let meta = std::fs::metadata(file).map_err(unreadable)?;
    let root = settings::cache_root(args.cache_dir.as_deref()).ok();
    let cache = root.and_then(|root| Cache::find(&root.dir).ok());
    let known = cache.as_ref().and_then(|cache| {
        let content = cache.known_content(&meta)?;
        cache.kind(content)
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let looked = identify::look(file, command::NAME)?;
    let harness = looked.identity.harness;
    if let Some(cache) = &cache {
        let _ = cache.store_content(&meta, looked.content);
        cache.store_kind(looked.content, harness);
    }
    Ok(harness)
}

/// Whether what should be a file is this runner's own command.
fn twice(file: &Path, rest: &[OsString]) -> bool {
    file.file_stem().is_some_and(|name| name == "wasmtest")
        && rest.first().is_some_and(|word| word == "cargo-runner")
}

/// Says what is wrong and what to do.
fn refuse(what: &str, hint: Option<&str>) -> i32 {
    tell(&format!("error: {}", Escaped(what)));
    if let Some(hint) = hint {
        tell(&format!("hint: {}", Escaped(hint)));
    }
    i32::from(LIBTEST_FAILED)
}
