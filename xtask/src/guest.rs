//! The guest toolchain: cargo for WASI targets, with their standard libraries there.
//!
//! Whether a standard library is there is asked of the compiler that cargo
//! itself would use, with the flags that it would pass; only if it is not is
//! rustup asked to add it.

use crate::target::{WASIP1, WASIP2, has_std};
use crate::toolchains::Toolchain;
use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A cargo command for guests: `args` as one would type them after `cargo`.
/// The targets that they name are made sure of; both, if they name none.
///
/// # Errors
/// If a target's standard library is missing and rustup cannot add it.
pub fn cargo(args: &[OsString]) -> Result<Command> {
    let named: Vec<&str> = [WASIP1, WASIP2]
        .into_iter()
        .filter(|target| {
            args.iter()
                .any(|arg| arg.to_string_lossy().contains(target))
        })
        .collect();
    let targets = if named.is_empty() {
        vec![WASIP1, WASIP2]
    } else {
        named
    };
    // side by side: each question is a start of the compiler
    let there: Vec<Result<bool>> = std::thread::scope(|scope| {
        let asked: Vec<_> = targets
            .iter()
            .map(|t| scope.spawn(|| has_std(rustc(), t)))
            .collect();
        asked
            .into_iter()
            .map(|a| a.join().unwrap_or(Ok(false)))
            .collect()
    });
    for (target, there) in targets.into_iter().zip(there) {
        if !there? {
            add(target)?;
        }
    }
    let mut command = Command::new(tool("CARGO", "cargo"));
    command.args(args);
    with_guests_flags(&mut command);
    Ok(command)
}

/// The guests' own flags, not those of the cargo that runs this.
fn with_guests_flags(command: &mut Command) {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
}

/// Adds a target's standard library.
fn add(target: &str) -> Result<()> {
    eprintln!("xtask: adding Rust's standard library for {target} (rustup target add {target})");
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .stdin(Stdio::null())
        .status();
    match added {
        Ok(status) if status.success() && has_std(rustc(), target)? => return Ok(()),
        Ok(status) => eprintln!("xtask: rustup did not add it ({status})"),
        Err(e) => eprintln!("xtask: rustup cannot be started: {e}"),
    }
    bail!(
        "Rust's standard library for {target} is missing. Either\n  \
         rustup target add {target}\n\
         or a distribution's package for the compiler it ships, such as Debian's \
         libstd-rust-dev-wasm32"
    )
}

/// The compiler that cargo itself would use.
fn rustc() -> Command {
    Command::new(tool("RUSTC", "rustc"))
}

fn tool(variable: &str, default: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| default.into())
}

/// Builds the test binaries of a package or workspace; gives `(target's name, file)` each.
///
/// # Errors
/// If it does not build; the compiler's messages are printed.
pub fn build_tests(args: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let all = tests_args(args);
    executables(cargo(&all)?, |profile| profile["test"] == true)
}

/// Builds a debug test binary of `tests/guests` for `wasm32-wasip1`.
///
/// # Errors
/// As [`build_tests`].
pub fn build_guest(root: &Path, package: &str, test: &str) -> Result<PathBuf> {
    let manifest = root.join("tests/guests/Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let mut args = vec!["--quiet", "--manifest-path", &manifest, "--target", WASIP1];
    args.extend(["-p", package, "--test", test]);
    let (_, file) = build_tests(&args)?
        .into_iter()
        .next()
        .context("it has no tests")?;
    Ok(file)
}

/// Builds a guest of this project's with a toolchain, which has the target; gives its test
/// binary.
///
/// # Errors
/// If it does not build; the compiler's messages are printed.
pub fn build_guest_on(
    toolchain: &Toolchain,
    root: &Path,
    guest: &str,
    target: &str,
    profile: &str,
) -> Result<PathBuf> {
    let guests = root.join("tests/guests");
    let mut command = toolchain.cargo();
    command
        .args(tests_args(&["--quiet", "-p", guest, "--target", target]))
        .args(["--profile", profile])
        .arg("--manifest-path")
        .arg(guests.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(guests.join("target/compat").join(toolchain.meant.name));
    with_guests_flags(&mut command);
    let built = executables(command, |profile| profile["test"] == true)?;
    let (_, file) = built.into_iter().next().context("it has no tests")?;
    Ok(file)
}

fn tests_args(args: &[&str]) -> Vec<OsString> {
    let first = [
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ];
    first.iter().chain(args).map(OsString::from).collect()
}

/// Builds plain programs; gives `(target's name, file)` each.
///
/// # Errors
/// If they do not build; the compiler's messages are printed.
pub fn build_programs(args: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut all: Vec<OsString> = vec!["build".into()];
    all.push("--message-format=json-render-diagnostics".into());
    all.extend(args.iter().map(OsString::from));
    executables(cargo(&all)?, |profile| profile["test"] == false)
}

fn executables(
    mut cargo: Command,
    wanted: impl Fn(&serde_json::Value) -> bool,
) -> Result<Vec<(String, PathBuf)>> {
    let output = cargo
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be started")?;
    if !output.status.success() {
        bail!("{cargo:?} failed: {}", output.status);
    }
    let mut found = Vec::new();
    for line in output.stdout.split(|b| *b == b'\n') {
        let Ok(message) = serde_json::from_slice::<serde_json::Value>(line) else {
            continue;
        };
        if message["reason"] != "compiler-artifact" || !wanted(&message["profile"]) {
            continue;
        }
        // a cdylib is no executable to cargo, and a file to be run here
        let files = message["filenames"].as_array().into_iter().flatten();
        let library = files
            .filter_map(|f| f.as_str())
            .find(|f| f.ends_with(".wasm"));
        let file = message["executable"].as_str().or(library);
        if let (Some(file), Some(name)) = (file, message["target"]["name"].as_str()) {
            found.push((name.to_owned(), PathBuf::from(file)));
        }
    }
    Ok(found)
}
