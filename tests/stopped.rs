//! Guests that do not come back by themselves: stopped in their own code, which checks nothing.

use crate::support::{Events, arg, events, finish, wasmtest, wat};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

const COMPILERS: [&str; 2] = ["cranelift", "winch"];

/// A module in its folder.
fn module(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let file = wat(dir.path(), "attack.wasm", text);
    (dir, file)
}

/// What is said of its program beside one that runs after it in the same worker.
fn said(file: &Path, flags: &[&str]) -> Value {
    let dir = tempfile::tempdir().expect("a folder");
    let text = "(module (func (export \"_start\")))";
    let after = wat(dir.path(), "beside.wasm", text);
    let always = ["--no-config", "--processes", "1", "--process-timeout"];
    let given = [arg(file), arg(&after)];
    let events = events([&given[..], &always[..], &["0.2"], flags].concat());
    assert_eq!(events.code, 1, "{events:#?}");
    let own = |module: &str| -> Value {
        let mut ends = events.ends().map(|end| end["wasmtest"].clone());
        ends.find(|own| own["module"] == module).expect("it ended")
    };
    assert_eq!(own("beside.wasm")["outcome"], "passed");
    own("attack.wasm")
}

fn text<'a>(own: &'a Value, key: &str) -> &'a str {
    own[key].as_str().unwrap_or_default()
}

/// Functions on the stack, innermost first.
fn functions(own: &Value) -> Vec<&str> {
    let frames = own["backtrace"].as_array();
    let names = frames.into_iter().flatten();
    names.filter_map(|f| f["function"].as_str()).collect()
}

#[test]
fn a_loop_that_does_nothing_is_stopped_where_it_is() {
    let (_dir, file) = module(
        r#"(module (func $spins (loop (br 0))) (func $calls call $spins)
            (func (export "_start") call $calls))"#,
    );
    for compiler in COMPILERS {
        for processes in ["1", "0"] {
            let flags = ["--compiler", compiler, "--processes", processes];
            // after half a second it is looked at, and goes on
            for limit in ["0.2", "0.8"] {
                let limits = ["--no-config", "--process-timeout", limit];
                let events = events([&[arg(&file)], &limits[..], &flags[..]].concat());
                assert_eq!(events.outcome("main"), "timed-out", "{events:#?}");
                let own = &events.end("main")["wasmtest"];
                assert!(!text(own, "message").contains("given up"), "{own:#}");
                assert_eq!(functions(own)[..2], ["spins", "calls"], "{compiler}");
            }
        }
    }
}

#[test]
fn a_loop_around_calls_of_the_host_is_stopped_and_its_worker_stays() {
    // hardly ever in its own code
    let clock = r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
        (memory (export "memory") 1)
        (func $asks (loop (drop (call $now (i32.const 1) (i64.const 1) (i32.const 0))) (br 0)))
        (func (export "_start") call $asks))"#;
    let random = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $draw (param i32 i32) (result i32)))
        (memory (export "memory") 64)
        (func $asks (loop (drop (call $draw (i32.const 0) (i32.const 4000000))) (br 0)))
        (func (export "_start") call $asks))"#;
    for program in [clock, random] {
        let (_dir, file) = module(program);
        for compiler in COMPILERS {
            let own = said(&file, &["--compiler", compiler]);
            assert_eq!(own["outcome"], "timed-out", "{own:#}");
            assert!(!text(&own, "message").contains("given up"), "{own:#}");
            assert_eq!(functions(&own)[0], "asks", "{own:#}");
        }
    }
}

#[test]
fn what_does_not_begin_is_stopped_too() {
    let (_dir, file) =
        module(r#"(module (func $begins (loop (br 0))) (start $begins) (func (export "_start")))"#);
    for compiler in COMPILERS {
        let own = said(&file, &["--compiler", compiler]);
        assert_eq!(own["outcome"], "timed-out", "{own:#}");
    }
}

#[test]
fn what_is_in_the_middle_of_something_enormous_is_stopped_and_the_next_one_runs() {
    let (_dir, file) = module(
        r#"(module (memory 30000)
            (func $fills (loop
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x70000000)) (br 0)))
            (func (export "_start") call $fills))"#,
    );
    for compiler in COMPILERS {
        let own = said(&file, &["--compiler", compiler, "--max-memory", "3GiB"]);
        assert_eq!(own["outcome"], "timed-out", "{own:#}");
        assert_eq!(functions(&own)[0], "fills", "{own:#}");
    }
}

#[test]
fn what_does_not_come_back_from_the_host_is_told_with_what_it_called_and_from_where() {
    let (dir, file) = module(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open" (func $open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "pipe")
            (func $opens (param $folder i32)
                (drop (call $open (local.get $folder) (i32.const 0) (i32.const 0) (i32.const 4)
                    (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 8))))
            (func $tries (call $opens (i32.const 3)) (call $opens (i32.const 4))
                (call $opens (i32.const 5)) (call $opens (i32.const 6)))
            (func (export "_start") call $tries))"#,
    );
    // nobody ever writes to it
    let granted = dir.path().join("granted");
    std::fs::create_dir(&granted).expect("made");
    let pipe = std::process::Command::new("mkfifo")
        .arg(granted.join("pipe"))
        .status();
    assert!(pipe.expect("it starts").success());
    for compiler in COMPILERS {
        let own = said(&file, &["--compiler", compiler, "--dir", arg(&granted)]);
        assert_eq!(own["outcome"], "timed-out", "{own:#}");
        let call = "a call of wasi_snapshot_preview1.path_open in the host";
        assert!(text(&own, "message").contains(call), "{own:#}");
        assert_eq!(functions(&own)[..2], ["opens", "tries"], "{own:#}");
    }
}

/// Functions that call each other in a loop: a program is most often at a call's begin or end.
fn calling() -> String {
    let calls = |to: usize| format!("(func $f{} (call $f{to}))", to - 1);
    let all: String = (1..8).map(calls).collect();
    format!(
        r#"(module {all} (func $f7)
            (func $spins (loop (call $f0) (br 0)))
            (func (export "_start") call $spins))"#
    )
}

#[test]
fn no_function_is_missing_wherever_a_guest_is_stopped() {
    let dir = tempfile::tempdir().expect("a folder");
    // each is another file, and so another test
    let files: Vec<PathBuf> = (0..40)
        .map(|i| wat(dir.path(), &format!("calls_{i}.wasm"), &calling()))
        .collect();
    for compiler in COMPILERS {
        let limits = ["--no-config", "--process-timeout", "0.01"];
        let flags = ["--compiler", compiler];
        let files: Vec<&str> = files.iter().map(|file| arg(file)).collect();
        let events = events([&files[..], &limits[..], &flags[..]].concat());
        let mut seen = HashSet::new();
        for end in events.ends() {
            let own = &end["wasmtest"];
            assert_eq!(own["outcome"], "timed-out", "{own:#}");
            let stack = functions(own);
            // each calls the one before it, down to the loop
            let depth = stack.iter().position(|name| *name == "spins");
            let depth = depth.unwrap_or_else(|| panic!("{compiler}: {own:#}"));
            let expected: Vec<String> = (0..depth).rev().map(|n| format!("f{n}")).collect();
            assert_eq!(stack[..depth], expected, "{own:#}");
            seen.insert(depth);
        }
        // it was not always in the same
        assert!(seen.len() > 1, "{seen:?}");
    }
}

/// How many of a run's tests each worker ran, and how often one was given up.
fn workers(events: &Events) -> (HashSet<u64>, usize) {
    let own: Vec<&Value> = events.ends().map(|end| &end["wasmtest"]).collect();
    let workers = own.iter().filter_map(|own| own["worker"].as_u64());
    let given_up = own
        .iter()
        .filter(|own| text(own, "message").contains("given up"));
    (workers.collect(), given_up.count())
}

#[test]
fn two_hundred_tests_in_a_row_that_reach_their_limit_cost_no_worker() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = "(module (func $spins (loop (br 0))) (func (export \"_start\") call $spins))";
    let files: Vec<PathBuf> = (0..200)
        .map(|i| wat(dir.path(), &format!("spins_{i}.wasm"), text))
        .collect();
    let files: Vec<&str> = files.iter().map(|file| arg(file)).collect();
    let limits = [
        "--no-config",
        "--process-timeout",
        "0.005",
        "--processes",
        "1",
    ];
    let events = events([&files[..], &limits[..]].concat());
    assert_eq!(events.counts()["timed-out"], 200, "{events:#?}");
    assert_eq!(workers(&events), (HashSet::from([1]), 0));
}

#[test]
fn a_program_that_computes_is_stopped_by_exec_with_its_stack_on_stderr() {
    let (_dir, file) =
        module("(module (func $spins (loop (br 0))) (func (export \"_start\") call $spins))");
    let ran = finish(wasmtest().args(["exec", "--timeout", "0.1", arg(&file)]));
    assert_eq!(ran.code, 124, "{ran:?}");
    assert!(ran.stderr.contains("spins"), "{ran:?}");
}
