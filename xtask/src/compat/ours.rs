//! The verdicts of `cargo wasmtest` on a suite, doctests included.

use super::native::{Place, of_suite};
use super::verdict::{Verdict, Verdicts};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the suite's tests and doctests for WASI, what builds of them, and takes its events.
/// A target that does not build is a failed test without a name; what was left out so that
/// others build is told.
///
/// # Errors
/// If it cannot be run, or says nothing.
pub fn verdicts(place: &Place<'_>, wasmtest: &Path) -> Result<Verdicts> {
    let folder = wasmtest.parent().context("it lies in a folder")?;
    let mut command = Command::new(folder.join("cargo-wasmtest"));
    place.toolchain.choose(&mut command);
    command
        .args(["wasmtest", "--keep-going", "--allow-not-built"])
        .args(["--target", crate::target::WASIP1])
        .args(["--profile", place.suite.profile])
        .arg("--target-dir")
        .arg(&place.target)
        .args(["--", "--message-format", "json"])
        .args(["--process-timeout", "600"])
        .current_dir(&place.source)
        .stdin(Stdio::null());
    let output = of_suite(&mut command)
        .output()
        .context("cargo wasmtest cannot be started")?;
    let events: Vec<Value> = output
        .stdout
        .split(|b| *b == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    for event in events.iter().filter(|e| e["type"] == "dependency") {
        println!("{} here: {event}", place.suite.name);
    }
    let all: Verdicts = events.iter().filter_map(read).collect();
    if all.is_empty() {
        bail!(
            "{command:?} ran nothing: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(all)
}

fn read(event: &Value) -> Option<((String, String), Verdict)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if event["type"] == "target" && event["event"] == "not-built" {
        let why = format!("not built: {}", text(&event["message"]));
        return Some(((text(&event["name"]), String::new()), Verdict::Failed(why)));
    }
    if event["type"] != "test" {
        return None;
    }
    let own = &event["wasmtest"];
    let verdict = match event["event"].as_str()? {
        "ok" => Verdict::Passed,
        "failed" => Verdict::Failed(format!("{}\n{}", text(&own["message"]), text(&own["hint"]))),
        "ignored" => Verdict::Skipped(text(&event["message"])),
        _ => return None,
    };
    let module = match own["module"].as_str() {
        Some(module) => module.to_owned(),
        // one that cannot be used
        None => text(&event["name"]),
    };
    Some(((module, text(&own["test"])), verdict))
}
