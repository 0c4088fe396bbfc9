//! Public suites under the wasmtime command line and under cargo-nextest, and every verdict
//! compared with ours: a program runs as under a plain runtime.
//!
//! Installs both. On the toolchain in use, which is what both are run with.

use crate::suites::{self, Suite};
use crate::target::WASIP1;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const WASMTIME: &str = "48.0.8";
const FEATURES: &str =
    "run,cranelift,parallel-compilation,cache,pooling-allocator,component-model,gc,gc-drc,threads";

/// The wasmtime command line: one that is there, or as it is installed for here alone.
///
/// # Errors
/// If it cannot be installed.
pub fn install_wasmtime(root: &Path) -> Result<PathBuf> {
    let package = ["wasmtime-cli", "--version", WASMTIME];
    let features = ["--no-default-features", "--features", FEATURES];
    install(root, "wasmtime", &[&package[..], &features].concat())
}

/// cargo-nextest, likewise.
///
/// # Errors
/// If it cannot be installed.
pub fn install_nextest(root: &Path) -> Result<PathBuf> {
    install(root, "cargo-nextest", &["cargo-nextest"])
}

fn tool(root: &Path, name: &str) -> Option<PathBuf> {
    let own = root.join("target/compat/bin").join(name);
    let answers = |program: &Path| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    [own, PathBuf::from(name)].into_iter().find(|p| answers(p))
}

fn install(root: &Path, name: &str, args: &[&str]) -> Result<PathBuf> {
    if let Some(found) = tool(root, name) {
        return Ok(found);
    }
    eprintln!("xtask: installing {name} (some minutes)");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["install", "--locked", "--root"])
        .arg(root.join("target/compat"))
        .args(args)
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("{name} cannot be installed: {status}");
    }
    tool(root, name).with_context(|| format!("{name} was installed and does not start"))
}

/// Whether a test passed, per test; skipped ones are `None`.
type Verdicts = BTreeMap<String, Option<bool>>;

/// Compares; gives how many verdicts differ, each of which is told.
///
/// # Errors
/// If something cannot be installed, built or run.
pub fn compare(root: &Path, wasmtest: &Path, asked: impl Fn(&Suite) -> bool) -> Result<usize> {
    let wasmtime = install_wasmtime(root)?;
    let nextest = install_nextest(root)?;
    let folder = root.join("target/compat/suites");
    std::fs::create_dir_all(&folder)?;
    suites::fetch(&folder, suites::all())?;
    let plain = super::plain(wasmtest)?;
    let mut differences = 0;
    // the others need stand-ins for what does not build, which are `cargo wasmtest`'s alone
    for suite in suites::SUITES.iter().filter(|s| asked(s)) {
        let Suite {
            name,
            version,
            profile,
        } = *suite;
        let binaries = suites::build(&folder, name, profile, WASIP1)?;
        let mut counts = [0; 3];
        let mut theirs = nextest_verdicts(&nextest, &wasmtime, &folder, name, profile)?;
        for (target, file) in &binaries {
            let ours = our_verdicts(wasmtest, &plain, file)?;
            for (test, ours) in &ours {
                counts[0] += 1;
                let cli = cli_verdict(&wasmtime, file, test)?;
                if cli != *ours {
                    differences += 1;
                    println!(
                        "{name} {target} {test}: wasmtest {}, wasmtime {}",
                        word(*ours),
                        word(cli)
                    );
                }
                counts[1] += 1;
                let binary = format!("{name}::{target}");
                // nextest sees exit codes alone: what libtest ignores at run time it calls passed
                match theirs.remove(&format!("{binary}${test}")) {
                    Some(theirs) if theirs == *ours || (ours.is_none() && theirs == Some(true)) => {
                        counts[2] += 1;
                    }
                    Some(theirs) => {
                        differences += 1;
                        println!(
                            "{name} {target} {test}: wasmtest {}, cargo-nextest {}",
                            word(*ours),
                            word(theirs)
                        );
                    }
                    None if ours.is_none() => {}
                    None => {
                        differences += 1;
                        println!("{name} {target} {test}: unknown to cargo-nextest");
                    }
                }
            }
        }
        println!(
            "{name} {version}: {} tests, {} compared with wasmtime, {} with cargo-nextest",
            counts[0], counts[1], counts[2]
        );
    }
    Ok(differences)
}

fn word(verdict: Option<bool>) -> &'static str {
    match verdict {
        Some(true) => "passed",
        Some(false) => "did not pass",
        None => "skipped",
    }
}

fn our_verdicts(wasmtest: &Path, plain: &[&str], file: &Path) -> Result<Verdicts> {
    let output = Command::new(wasmtest)
        .args([
            "run",
            "--message-format",
            "json",
            "--process-timeout",
            "600",
        ])
        .args(plain)
        .arg(file)
        .output()
        .context("wasmtest cannot be started")?;
    Ok(verdicts(&output.stdout, |event| {
        event["wasmtest"]["test"].as_str()
    }))
}

/// The ends of tests in a stream of libtest's events, by the name that `name` finds.
fn verdicts(stdout: &[u8], name: impl Fn(&serde_json::Value) -> Option<&str>) -> Verdicts {
    let end = |event: serde_json::Value| {
        let verdict = match event["event"].as_str() {
            Some("ok") => Some(true),
            Some("failed") => Some(false),
            Some("ignored") => None,
            _ => return None,
        };
        let test = name(&event).filter(|_| event["type"] == "test")?;
        Some((test.to_owned(), verdict))
    };
    let lines = stdout.split(|b| *b == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .filter_map(end)
        .collect()
}

/// One test under the wasmtime command line.
fn cli_verdict(wasmtime: &Path, file: &Path, test: &str) -> Result<Option<bool>> {
    let output = Command::new(wasmtime)
        .args(["run", "-C", "cache=y"])
        .arg(file)
        .args([test, "--exact", "--nocapture"])
        .output()
        .context("wasmtime cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(match output.status.success() {
        true if text.contains("; 1 ignored;") => None,
        success => Some(success && text.contains("\ntest result: ok. 1 passed;")),
    })
}

fn nextest_verdicts(
    nextest: &Path,
    wasmtime: &Path,
    folder: &Path,
    name: &str,
    profile: &str,
) -> Result<Verdicts> {
    let output = Command::new(nextest)
        .args([
            "nextest",
            "run",
            "--no-fail-fast",
            "--no-tests",
            "pass",
            "--message-format",
            "libtest-json",
            "--target",
            WASIP1,
        ])
        .args(["--lib", "--tests", "--cargo-profile", profile])
        .arg("--manifest-path")
        .arg(folder.join(name).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.join("target"))
        .env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1")
        .env(
            "CARGO_TARGET_WASM32_WASIP1_RUNNER",
            format!("{} run -C cache=y", wasmtime.display()),
        )
        .stderr(Stdio::null())
        .output()
        .context("cargo-nextest cannot be started")?;
    Ok(verdicts(&output.stdout, |event| event["name"].as_str()))
}
