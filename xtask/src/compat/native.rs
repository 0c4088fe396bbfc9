//! The verdicts of `cargo test` on a suite, natively, test by test.
//!
//! What a test prints is no verdict: so its binaries are run by cargo with a runner, which is
//! this program, that asks libtest for its events and keeps them in a file for each.

use super::verdict::{Verdict, Verdicts};
use crate::suites::Suite;
use crate::toolchains::Toolchain;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A suite, and where it is built with what.
pub struct Place<'a> {
    pub suite: &'a Suite,
    /// Its package's folder.
    pub source: PathBuf,
    /// Where it is built.
    pub target: PathBuf,
    pub toolchain: &'a Toolchain,
}

impl Place<'_> {
    fn cargo(&self, args: &[&str]) -> Command {
        let mut command = self.toolchain.cargo();
        command
            .args(args)
            .args(["--profile", self.suite.profile])
            .arg("--target-dir")
            .arg(&self.target)
            .current_dir(&self.source)
            .stdin(Stdio::null());
        of_suite(&mut command);
        command
    }
}

/// Nothing of the cargo that runs this reaches what a suite is built and run with.
pub fn of_suite(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let is_ours = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_EXE_",
            "RUST_TEST_",
        ];
        let names = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_DIR",
            "OUT_DIR",
            "RUST_BACKTRACE",
        ];
        if is_ours.iter().any(|p| name.starts_with(p)) || names.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command.env("CARGO_TERM_COLOR", "never")
}

/// Builds the suite natively and runs its tests and doctests; `None` if it does not build with
/// this Rust, which is told.
///
/// # Errors
/// If a binary of its says nothing in libtest's format.
pub fn verdicts(place: &Place<'_>) -> Result<Option<Verdicts>> {
    let build = place
        .cargo(&[
            "test",
            "--tests",
            "--no-run",
            "--message-format",
            "json-render-diagnostics",
        ])
        .stderr(Stdio::piped())
        .output()
        .context("cargo cannot be started")?;
    if !build.status.success() {
        let said = String::from_utf8_lossy(&build.stderr);
        let error = said.lines().find(|line| line.starts_with("error"));
        println!(
            "{} {}: nothing to compare, it does not build natively: {}",
            place.suite.name,
            place.suite.version,
            error.unwrap_or(&said)
        );
        return Ok(None);
    }
    let modules: HashMap<PathBuf, String> = build
        .stdout
        .split(|b| *b == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .filter_map(|message| module(place.suite.name, &message))
        .collect();
    let said = place.target.join("said").join(place.suite.name);
    if said.exists() {
        std::fs::remove_dir_all(&said)?;
    }
    std::fs::create_dir_all(&said)?;
    let this = std::env::current_exe()?;
    let runner = [
        this.to_str().context("it lies at a Unicode path")?,
        "native-runner",
        said.to_str().context("it lies at a Unicode path")?,
    ];
    // tests that fail natively are told, and no error
    let runner = serde_json::to_string(&runner)?;
    let ran = place
        .cargo(&["test", "--tests", "--no-fail-fast"])
        .arg("--config")
        .arg(format!("target.'cfg(all())'.runner={runner}"))
        .output()
        .context("cargo cannot be started")?;
    let mut all = Verdicts::new();
    for (file, module) in &modules {
        let said = said.join(file.file_name().context("it is a file")?);
        let said = std::fs::read(&said).with_context(|| {
            let why = String::from_utf8_lossy(&ran.stderr);
            format!("{} has said nothing natively\n{why}", file.display())
        })?;
        let events = said.split(|b| *b == b'\n');
        let events = events.filter_map(|line| serde_json::from_slice(line).ok());
        all.extend(events.filter_map(|event| read(module, &event)));
    }
    all.extend(doctests(place)?);
    if all.is_empty() {
        bail!("{} has no tests natively", place.suite.name);
    }
    Ok(Some(all))
}

/// A test binary that cargo tells of: its file, and the module that it is to `cargo wasmtest`.
fn module(package: &str, message: &Value) -> Option<(PathBuf, String)> {
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let file = PathBuf::from(message["executable"].as_str()?);
    let target = &message["target"];
    let name = target["name"].as_str()?;
    let module = match target["kind"][0].as_str()? {
        "test" => format!("{package}::{name}"),
        "bin" => format!("{package}::bin/{name}"),
        "example" => format!("{package}::example/{name}"),
        "bench" => format!("{package}::bench/{name}"),
        _ => package.to_owned(),
    };
    Some((file, module))
}

fn read(module: &str, event: &Value) -> Option<((String, String), Verdict)> {
    if event["type"] != "test" {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verdict = match event["event"].as_str()? {
        "ok" => Verdict::Passed,
        "failed" => Verdict::Failed(text(&event["stdout"])),
        "ignored" => Verdict::Skipped(text(&event["message"])),
        _ => return None,
    };
    // libtest prints what a test is beside its name
    let name = text(&event["name"]);
    let name = name.strip_suffix(" - should panic").unwrap_or(&name);
    Some(((module.to_owned(), name.to_owned()), verdict))
}

/// rustdoc captures what its doctests print, so that its text can be read.
fn doctests(place: &Place<'_>) -> Result<Verdicts> {
    let output = place
        .cargo(&["test", "--doc", "--no-fail-fast"])
        .output()
        .context("cargo cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let module = format!(
        "{}::doc/{}",
        place.suite.name,
        place.suite.name.replace('-', "_")
    );
    let read = |line: &str| {
        let (name, word) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        let verdict = match word.split_once(", ").unwrap_or((word, "")) {
            ("ok", _) => Verdict::Passed,
            ("FAILED", _) => Verdict::Failed(String::new()),
            ("ignored", why) => Verdict::Skipped(why.to_owned()),
            _ => return None,
        };
        let kinds = [" - should panic", " - compile fail", " - compile"];
        let plain = kinds.iter().find_map(|k| name.strip_suffix(k));
        Some(((module.clone(), plain.unwrap_or(name).to_owned()), verdict))
    };
    Ok(text.lines().filter_map(read).collect())
}

/// What cargo calls in place of a test binary: `FOLDER FILE ARGS`. Gives its exit code.
///
/// # Errors
/// If it cannot be run.
pub fn runner(args: &[OsString]) -> Result<u8> {
    let [folder, file, rest @ ..] = args else {
        bail!("it is called by `cargo xtask compat`");
    };
    let name = Path::new(file).file_name().context("a file is named")?;
    let said = std::fs::File::create(Path::new(folder).join(name))?;
    let status = Command::new(file)
        .args(rest)
        // its events are unstable, and said by a stable one that is asked this way
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["-Z", "unstable-options", "--format", "json"])
        .stdin(Stdio::null())
        .stdout(said)
        .status()
        .with_context(|| format!("{} cannot be started", Path::new(file).display()))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}
