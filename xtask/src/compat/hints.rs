//! Whether each hint that rests on the words or the paths of std and libtest is still given.

use crate::guest;
use crate::target::WASIP1;
use crate::toolchains::Toolchain;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// A failing test, and what is to be said of it.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// The test in `tests/guests/hints`.
    pub test: &'static str,
    /// A part of the hint.
    pub says: &'static str,
    /// What `wasmtest run` is called with.
    pub flags: &'static [&'static str],
}

impl Hint {
    const fn with(self, flags: &'static [&'static str]) -> Hint {
        Hint { flags, ..self }
    }
}

/// With no other flags than all have.
const fn hint(test: &'static str, says: &'static str) -> Hint {
    let flags = SHORT;
    Hint { test, says, flags }
}

/// One of them would wait for ever.
const SHORT: &[&str] = &["--process-timeout", "1"];

/// All of them: a test of that guest's and a line here each.
pub const HINTS: &[Hint] = &[
    hint("asks_for_a_temp_dir", "temp_dir() panics on WASI"),
    hint("starts_a_thread", "WASI has no threads"),
    hint("catches_a_panic", "catch_unwind catches nothing"),
    hint("connects", "the sandbox has no sockets"),
    hint("starts_a_program", "WASI cannot start processes"),
    hint("allocates_what_32_bits_cannot_count", "32 bits"),
    // of the two stacks that an endless recursion uses up, this one first
    hint("calls_itself_for_ever", "--wasm-stack").with(&[
        "--wasm-stack",
        "1",
        "--process-timeout",
        "1",
    ]),
    hint("uses_its_stack_up", "-zstack-size"),
    hint("exits_with_0", "after exit(0) was never run"),
    // called directly it passes: nothing is read from there
    hint("closes_stdout", "close or replace stdout").with(&["--libtest", "plain"]),
    hint("temp_dir::asked_for", "temp_dir() panics on WASI"),
    hint("process_id::asked_for", "WASI has no processes"),
    hint("thread::spawned", "WASI has no threads"),
    hint("thread::scoped", "WASI has no threads"),
    hint("thread::built", "WASI has no threads"),
    hint(
        "waits_for_a_thread::at_a_condition",
        "can ever wake one that waits",
    ),
    hint(
        "waits_for_a_thread::at_a_barrier",
        "can ever wake one that waits",
    ),
    hint(
        "waits_for_a_thread::for_a_message",
        "can ever wake one that waits",
    ),
    // newer Rusts answer
    hint("number_of_threads::asked_for", ""),
    hint("current_exe::asked_for", "current_exe() always fails"),
    hint("current_exe::returned", "no path of the program itself"),
    hint("command::started", "WASI cannot start processes"),
    hint("command::spawned", "WASI cannot start processes"),
    hint("socket::connected", "the sandbox has no sockets"),
    hint("socket::bound", "the sandbox has no sockets"),
    hint("capacity::of_a_vector", "32 bits"),
    hint("unsupported::cloned", "no path of the program itself"),
    hint("catch_unwind::asked_for", "catch_unwind catches nothing"),
];

/// Builds that guest with a toolchain and runs it; gives what is no longer said, and tests
/// that have no line here.
///
/// # Errors
/// If it cannot be built or run.
pub fn check(root: &Path, wasmtest: &Path, toolchain: &Toolchain) -> Result<Vec<String>> {
    let module = guest::build_guest_on(toolchain, root, "hints", WASIP1, "dev")?;
    let mut wrong = Vec::new();
    let mut flags: Vec<&[&str]> = HINTS.iter().map(|h| h.flags).collect();
    flags.sort_unstable();
    flags.dedup();
    for flags in flags {
        // what is filled in for std needs no hint
        let flags_and_plain = [flags, &super::plain(wasmtest)?].concat();
        let ends = ends(wasmtest, &module, &flags_and_plain)?;
        let said = |test: &str| {
            let end = ends.iter().find(|e| e["wasmtest"]["test"] == test)?;
            Some(
                end["wasmtest"]["hint"]
                    .as_str()
                    .unwrap_or("nothing")
                    .to_owned(),
            )
        };
        for hint in HINTS.iter().filter(|h| h.flags == flags) {
            let said = said(hint.test).unwrap_or_else(|| "that there is no such test".to_owned());
            if !said.contains(hint.says) {
                wrong.push(format!(
                    "hint of {} on {}: expected `{}`, it says {said}",
                    hint.test, toolchain.meant.name, hint.says
                ));
            }
        }
        for end in &ends {
            let test = end["wasmtest"]["test"].as_str().unwrap_or_default();
            if !HINTS.iter().any(|h| h.test == test) {
                wrong.push(format!("{test} of that guest is in no line of HINTS"));
            }
        }
    }
    println!("{} hints, {} wrong", HINTS.len(), wrong.len());
    Ok(wrong)
}

/// How its tests ended.
fn ends(wasmtest: &Path, module: &Path, flags: &[&str]) -> Result<Vec<Value>> {
    let output = Command::new(wasmtest)
        .args(["run", "--no-config", "--message-format", "json"])
        .args(flags)
        .arg(module)
        .stdin(Stdio::null())
        .output()
        .context("wasmtest cannot be started")?;
    let events = output.stdout.split(|b| *b == b'\n');
    let events = events.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let ends = |e: &Value| {
        e["type"] == "test" && ["ok", "failed", "ignored"].iter().any(|k| e["event"] == *k)
    };
    Ok(events.filter(ends).collect())
}
