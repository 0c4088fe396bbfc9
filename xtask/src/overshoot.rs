//! Guests that do not stop by themselves, and how long past its limit each is stopped.
//!
//! One is stopped in its own code; another sleeps, polls, reads what never comes, or has a host
//! function or a single instruction go on: each in another way out of reach. A part of
//! `cargo xtask bench`; the guests are also the end-to-end tests'.

use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Each guest, by what it does.
const GUESTS: [(&str, &str); 9] = [
    ("spins", "(loop br 0)"),
    (
        "sleeps",
        // an hour
        "(i64.store offset=24 (i32.const 0) (i64.const 3600000000000))
         (i32.store offset=16 (i32.const 0) (i32.const 1))
         (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))",
    ),
    (
        "polls",
        "(loop
           (i64.store offset=24 (i32.const 0) (i64.const 1))
           (i32.store offset=16 (i32.const 0) (i32.const 1))
           (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
           br 0)",
    ),
    (
        // the pipe has no writer: opening or reading it does not come back
        "reads",
        "(i32.store8 (i32.const 0) (i32.const 112))
         (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
           (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
         (drop (call $open (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
           (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
         (i32.store offset=24 (i32.const 0) (i32.const 100))
         (i32.store offset=28 (i32.const 0) (i32.const 100))
         (drop (call $read (i32.load offset=16 (i32.const 0)) (i32.const 24) (i32.const 1) (i32.const 32)))
         (loop br 0)",
    ),
    (
        "fills_memory",
        "(drop (memory.grow (i32.const 16383)))
         (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x3fff0000)) br 0)",
    ),
    (
        "copies_memory",
        "(drop (memory.grow (i32.const 16383)))
         (loop (memory.copy (i32.const 0) (i32.const 8) (i32.const 0x3ffe0000)) br 0)",
    ),
    (
        "fills_a_table",
        "(drop (table.grow $t (ref.null func) (i32.const 4000000)))
         (loop (table.fill $t (i32.const 0) (ref.null func) (table.size $t)) br 0)",
    ),
    (
        "floods",
        "(i32.store (i32.const 0) (i32.const 64))
         (i32.store (i32.const 4) (i32.const 60000))
         (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))) br 0)",
    ),
    (
        "computes_in_the_host",
        "(drop (memory.grow (i32.const 1023)))
         (loop (drop (call $random (i32.const 0) (i32.const 0x3ff0000))) br 0)",
    ),
];

/// Writes the guests into a folder, and a pipe `p` without a writer; gives the modules.
///
/// # Errors
/// If the folder cannot be written to.
pub fn guests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut modules = Vec::new();
    for (name, body) in GUESTS {
        let text = format!(
            r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func (export "_start")
    {body}))"#
        );
        let path = folder.join(format!("{name}.wasm"));
        fs::write(&path, wat::parse_str(&text)?)?;
        modules.push(path);
    }
    let pipe = std::ffi::CString::new(folder.join("p").to_string_lossy().into_owned())?;
    // SAFETY: a plain system call; the name ends where it says.
    let made = unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) };
    ensure!(
        made == 0,
        "no pipe can be made: {}",
        std::io::Error::last_os_error()
    );
    Ok(modules)
}

/// Runs each of them often with a short limit, and prints how far it was exceeded.
pub(crate) fn measure(wasmtest: &Path, folder: &Path, cache: &Path) -> Result<()> {
    const ROUNDS: usize = 24;
    const LIMIT: f64 = 0.3;
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let modules = guests(folder)?;
    let mut over: Vec<(&str, Vec<f64>)> = GUESTS.map(|(name, _)| (name, Vec::new())).into();
    for round in 0..=ROUNDS {
        let output = Command::new(wasmtest)
            .arg("run")
            .args(&modules)
            .args(["--processes", "1", "--message-format", "json"])
            .args(["--process-timeout", &LIMIT.to_string(), "--cache-dir"])
            .arg(cache)
            .arg("--dir")
            .arg(format!("{}::/p", folder.display()))
            .stdin(Stdio::null())
            .output()?;
        // the first one compiles them
        if round == 0 {
            continue;
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for (name, over) in &mut over {
            over.push(overshoot(&text, name)? - LIMIT);
        }
    }
    println!(
        "\nguests that are stopped at their limit of {LIMIT} s, {ROUNDS} times each, one process"
    );
    println!("  {:<24} {:>22}", "", "over it: median, most (ms)");
    let mut all = Vec::new();
    for (name, mut over) in over {
        over.sort_by(f64::total_cmp);
        let (median, most) = (over[over.len() / 2], over[over.len() - 1]);
        println!("  {name:<24} {:>14.1} {:>11.1}", median * 1e3, most * 1e3);
        all.extend(over);
    }
    all.sort_by(f64::total_cmp);
    println!(
        "  99 of 100 are less than {:.1} ms over it (100 is the aim)",
        all[all.len() * 99 / 100] * 1e3
    );
    Ok(())
}

/// How long a guest ran that was stopped at its limit, in seconds.
fn overshoot(events: &str, guest: &str) -> Result<f64> {
    let module = format!("{guest}.wasm");
    let events = events
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    for event in events {
        let own = &event["wasmtest"];
        if own["module"] == module.as_str() && own["outcome"].is_string() {
            if own["outcome"] != "timed-out" {
                bail!("{guest} was not stopped at its limit: {event}");
            }
            let time = |key: &str| own[key].as_f64().context("it ran");
            return Ok(time("end")? - time("start")?);
        }
    }
    bail!("{guest} has no verdict")
}
