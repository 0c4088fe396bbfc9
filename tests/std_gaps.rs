//! What std lacks on WASI, filled in: on whatever Rust is there, however a test was built.

use crate::support::rusts::{DEBUG, FAT, How, RELEASE, SMALL, STRIPPED, THIN, build, toolchains};
use crate::support::{Events, Target, arg, events, finish, guest, run, wasmtest, wat};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use xtask::toolchains::Toolchain;

const FILLED: [&str; 3] = [
    "tests::the_temporary_folder_is_this_tests_own",
    "tests::the_temporary_folder_is_what_the_variable_says",
    "tests::the_process_has_a_number",
];
const FAILING: [&str; 4] = [
    "tests::fails_in_its_own_code",
    "tests::fails_below_std",
    "tests::fails_in_std",
    "tests::fails_deep",
];

fn std_gaps(toolchain: Option<&Toolchain>, target: Target, how: How) -> PathBuf {
    build("std_gaps", toolchain, target, how)
}

fn hint(events: &Events, path: &str) -> String {
    let hint = &events.end(path)["wasmtest"]["hint"];
    hint.as_str().unwrap_or_default().to_owned()
}

/// What is said of the module with `-v`.
fn note(module: &Path, flags: &[&str]) -> String {
    let ran = finish(
        wasmtest()
            .args(["run", "-v", arg(module)])
            .args(flags)
            .args(["--", "the_"]),
    );
    let note = ran.stderr.lines().find(|line| line.contains("temp_dir()"));
    note.unwrap_or_else(|| panic!("{}", ran.stderr)).to_owned()
}

/// Everything works that natively does, and all frames are where they are without.
fn assert_filled(module: &Path) {
    let filled = events([arg(module)]);
    let left = events([arg(module), "--no-std-gaps"]);
    for path in FILLED {
        assert_eq!(filled.outcome(path), "passed", "{:#}", filled.end(path));
        assert_eq!(left.outcome(path), "failed", "{:#}", left.end(path));
        let hint = hint(&left, path);
        assert!(hint.contains("--no-std-gaps"), "{hint}");
    }
    for path in FAILING {
        assert_eq!(filled.outcome(path), "failed");
        let message = filled.message(path);
        assert!(!message.contains("no std gaps"));
        assert_eq!(filled.message(path), left.message(path));
        let frames = &filled.end(path)["wasmtest"]["backtrace"];
        assert_eq!(frames, &left.end(path)["wasmtest"]["backtrace"], "{path}");
    }
    // std's own words, from the copy of its function, with the test's own line
    let without = "tests::fails_without_the_variable";
    assert_eq!(filled.outcome(without), "failed");
    assert_eq!(filled.message(without), left.message(without));
    let hint = hint(&filled, without);
    assert!(hint.contains("--env TMPDIR=/tmp"), "{hint}");
    assert_eq!(
        own_frames(&filled, without),
        own_frames(&left, without),
        "{:#}",
        filled.end(without)
    );
}

/// The frames outside of std.
fn own_frames(events: &Events, path: &str) -> Vec<Value> {
    let frames = events.end(path)["wasmtest"]["backtrace"].as_array();
    let frames = frames.cloned().unwrap_or_default().into_iter();
    frames.filter(|f| f.get("function").is_some()).collect()
}

/// The temporary folder is asked for in vain, and the hint says why.
fn assert_left(module: &Path, why: &str) {
    let events = events([arg(module)]);
    for path in [FILLED[0], "tests::fails_without_the_variable"] {
        assert_eq!(events.outcome(path), "failed");
        assert!(!events.message(path).is_empty(), "it panics, as ever");
        let hint = hint(&events, path);
        assert!(hint.contains(why) && hint.contains("TMPDIR"), "{hint}");
    }
}

#[test]
fn temp_dir_and_id_work_on_every_rust_that_is_there() {
    for toolchain in toolchains() {
        for how in [DEBUG, RELEASE, SMALL] {
            let module = std_gaps(toolchain, Target::P1, how);
            assert_filled(&module);
            let note = note(&module, &[]);
            assert!(
                note.ends_with(
                    "std::env::temp_dir() is filled in; std::process::id() is filled in"
                ),
                "{note}"
            );
        }
    }
}

#[test]
fn temp_dir_and_id_work_in_components() {
    for toolchain in toolchains() {
        for how in [DEBUG, RELEASE] {
            assert_filled(&std_gaps(toolchain, Target::P2, how));
        }
    }
}

#[test]
fn what_cannot_be_filled_in_for_certain_is_left_and_the_hint_says_why() {
    for toolchain in toolchains() {
        for target in Target::BOTH {
            let stripped = std_gaps(toolchain, target, STRIPPED);
            assert_left(&stripped, "names no functions");
            assert!(
                note(&stripped, &[]).contains("panic as ever, since the file names no functions")
            );
        }
        let thin = std_gaps(toolchain, Target::P1, THIN);
        assert_left(&thin, "link-time optimisation");
        let fat = std_gaps(toolchain, Target::P1, FAT);
        assert_left(&fat, "link-time optimisation");
    }
}

#[test]
fn v_says_that_nothing_is_filled_in_where_nobody_wants_it() {
    let module = std_gaps(None, Target::P1, DEBUG);
    let note = note(&module, &["--no-std-gaps"]);
    assert!(
        note.ends_with("panic as ever, since --no-std-gaps was given"),
        "{note}"
    );
    // the compiled forms are not mixed up, whichever came first
    for (flags, outcome) in [(&[][..], "passed"), (&["--no-std-gaps"][..], "failed")] {
        for _ in 0..2 {
            let events = events([&[arg(&module)], flags].concat());
            assert_eq!(events.outcome(FILLED[2]), outcome);
        }
    }
}

#[test]
fn no_two_tests_that_run_at_once_have_one_number() {
    let sdk = guest("gaps", Target::P1, "dev");
    for processes in ["0", "4"] {
        // a suite that stays whole with 0 processes is one instance
        let flags = ["--processes", processes, "--show-output", "--", "tests::"];
        let ran = run([&[arg(&sdk)][..], &flags].concat());
        assert_eq!(ran.code, 0, "{}", ran.stdout);
        let mut seen = HashSet::new();
        for line in ran.stdout.lines().filter(|line| line.contains("│ id ")) {
            assert!(seen.insert(line), "{line} twice");
        }
        assert_eq!(seen.len(), 32);
    }
}

#[test]
fn a_replayed_state_holds_no_number() {
    let module = guest("gaps", Target::P1, "dev");
    for flags in [&[][..], &["--no-snapshot"]] {
        let events = events([&[arg(&module)], flags, &["--", "replayed::"]].concat());
        assert_eq!(events.code, 0, "{:#?}", events.all);
        assert_eq!(events.summary()["passed"], 8);
    }
    let left = events([arg(&module), "--no-std-gaps"]);
    assert_eq!(left.summary()["passed"], 0);
}

#[test]
fn a_program_has_the_folder_that_it_is_told_and_the_number_of_its_process() {
    let program = guest("asks_std", Target::P1, "dev");
    let component = guest("asks_std", Target::P2, "dev");
    for file in [&program, &component] {
        let mut running = wasmtest()
            .args(["exec", "--env", "TMPDIR=/over/there", arg(file)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let process = running.id();
        drop(running.stdin.take());
        let output = running.wait_with_output().expect("it ends");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(said, format!("/over/there {process}\n"));
        let ran = finish(wasmtest().args(["exec", "--no-std-gaps", arg(file)]));
        assert_eq!(ran.code, 134, "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
        assert!(
            ran.stderr.contains("was not made to work here: "),
            "{}",
            ran.stderr
        );
        let ran = finish(wasmtest().args(["exec", arg(file)]));
        assert_eq!(ran.code, 134, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("--tmp gives the program"),
            "{}",
            ran.stderr
        );
    }
}

/// A component that exports a function of the name by which the host sets a number in those
/// that it has changed; to call it is to fail.
const NAMESAKE: &str = r#"(component
    (core module $m
        (func (export "run") (result i32) (i32.const 0))
        (func (export "set") (param i32) unreachable))
    (core instance $i (instantiate $m))
    (func $run (result (result)) (canon lift (core func $i "run")))
    (instance $cli (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $cli))
    (func $set (param "id" u32) (canon lift (core func $i "set")))
    (export "wasmtest-set-process-id" (func $set)))"#;

#[test]
fn a_guests_own_function_of_that_name_is_not_called() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = wat(folder.path(), "namesake.wasm", NAMESAKE);
    for flags in [&[][..], &["--no-std-gaps"]] {
        let ran = run([&[arg(&module)], flags].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let mut exec = wasmtest();
        let ran = finish(exec.arg("exec").args(flags).arg(&module));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}
