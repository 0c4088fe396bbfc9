//! Two compilers: tests begin with what is ready first, and go on with what is faster.

use crate::support::{Events, Ran, Target, arg, events, guest, run, wat};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What compiled the code of each test, by their paths, in the order in which they ended.
fn compilers(events: &Events) -> Vec<(&str, &str)> {
    let own = events.ends().map(|end| &end["wasmtest"]);
    own.map(|own| {
        let test = own["test"].as_str().expect("it has a name");
        (test, own["compiler"].as_str().expect("it ran"))
    })
    .collect()
}

/// A copy of a guest whose tests compute, with a cache of its own.
fn computing() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("computes.wasm");
    fs::copy(guest("computes", Target::P1, "release"), &file).expect("it is copied");
    (dir, file)
}

/// The same file with another content.
fn edit(file: &Path, word: &str) {
    let mut bytes = fs::read(file).expect("there");
    let length = u8::try_from(word.len() + 1).expect("short");
    bytes.extend([0, length, length - 1]);
    bytes.extend(word.as_bytes());
    fs::write(file, bytes).expect("ours");
}

fn in_turn(dir: &Path, file: &Path, flags: &[&str]) -> Events {
    let cache = dir.join("cache");
    let always = [
        "--processes",
        "1",
        "--no-config",
        "--cache-dir",
        arg(&cache),
    ];
    let events = events([&[arg(file)], &always[..], flags].concat());
    assert_eq!(events.code, 0, "{events:#?}");
    events
}

/// The folder's compiled forms, as the compilers that made them.
fn kept(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir.join("cache/v1")).expect("made");
    let names = files.map(|f| f.expect("readable").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let forms = names.filter(|name| name.ends_with(".cwasm"));
    let mut by: Vec<String> = forms
        .filter_map(|name| Some(name.split('-').nth(1)?.to_owned()))
        .collect();
    by.sort();
    by
}

#[test]
fn tests_begin_with_what_is_ready_first_and_go_on_with_what_is_faster() {
    let (dir, file) = computing();
    let events = in_turn(dir.path(), &file, &["-v"]);
    let by = compilers(&events);
    assert_eq!(by.len(), 61);
    assert_eq!(by[0].1, "winch", "{by:?}");
    assert_eq!(by[60].1, "cranelift", "{by:?}");
    // each goes on where the one before was: nobody goes back
    assert!(by.is_sorted_by_key(|(_, compiler)| *compiler == "cranelift"));
    let said = &events.stderr;
    for words in [
        "compiled by winch",
        "compiled by cranelift, too: what begins",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(kept(dir.path()), ["cranelift", "winch"]);
    // what is kept is used at once, the faster of two
    let again = in_turn(dir.path(), &file, &["--", "t0"]);
    assert!(compilers(&again).iter().all(|(_, by)| *by == "cranelift"));
}

#[test]
fn a_test_that_is_known_to_be_long_waits_for_faster_code_and_short_ones_do_not() {
    let (dir, file) = computing();
    in_turn(dir.path(), &file, &[]);
    edit(&file, "an edit");
    let events = in_turn(dir.path(), &file, &[]);
    let by = compilers(&events);
    assert_eq!(by[0].1, "winch", "{by:?}");
    assert!(by.contains(&("long", "cranelift")), "{by:?}");
}

#[test]
fn short_runs_are_not_worth_faster_code() {
    let (dir, file) = computing();
    let events = in_turn(dir.path(), &file, &["--exact", "--", "t00"]);
    assert_eq!(compilers(&events), [("t00", "winch")]);
    assert_eq!(kept(dir.path()), ["winch"]);
}

#[test]
fn one_compiler_alone_is_used_where_it_is_asked_for() {
    for name in ["winch", "cranelift"] {
        let (dir, file) = computing();
        for _ in 0..2 {
            let events = in_turn(dir.path(), &file, &["--compiler", name, "--", "t0", "long"]);
            let by = compilers(&events);
            assert_eq!(by.len(), 11);
            assert!(by.iter().all(|(_, by)| *by == name), "{by:?}");
        }
        assert_eq!(kept(dir.path()), [name]);
    }
}

#[test]
fn nobody_waits_for_ever_for_faster_code() {
    let dir = tempfile::tempdir().expect("a folder");
    // what is called by nobody takes Cranelift minutes
    let counts = "loop local.get 0 i32.const 1 i32.add local.set 0 ".repeat(10_000);
    let goes_on = "local.get 0 br_if 0 end ".repeat(10_000);
    let text = format!(
        r#"(module (func (local i32) {counts} {goes_on})
            (func (export "_start") (local i32) (loop
                (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get 0) (i32.const 1000000000))))))"#
    );
    let file = wat(dir.path(), "slow.wasm", &text);
    in_turn(dir.path(), &file, &["--compiler", "winch"]);
    let events = in_turn(dir.path(), &file, &[]);
    assert_eq!(compilers(&events), [("main", "winch")]);
}

/// Winch has no tail calls.
const TAIL_CALL: &str = "(module (func $ends) (func (export \"_start\") return_call $ends))";

#[test]
fn what_winch_refuses_cranelift_compiles() {
    for flags in [&[][..], &["--compiler", "winch"]] {
        let dir = tempfile::tempdir().expect("a folder");
        let file = wat(dir.path(), "tail_call.wasm", TAIL_CALL);
        for _ in 0..2 {
            let events = in_turn(dir.path(), &file, &[&["-v"], flags].concat());
            assert_eq!(compilers(&events), [("main", "cranelift")]);
        }
        assert_eq!(kept(dir.path()), ["cranelift"]);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = wat(dir.path(), "tail_call.wasm", TAIL_CALL);
    let said = in_turn(dir.path(), &file, &["-v"]).stderr;
    let words = "not compiled by winch, and so by cranelift: wasmtime refuses it";
    assert!(said.contains(words), "{said}");
}

#[test]
fn what_neither_compiles_is_told_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("none.wasm");
    // a call of a function that is not there
    let bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x0a\x01\x06_start\0\0\x0a\x06\x01\x04\0\x10\x09\x0b";
    fs::write(&file, bytes).expect("written");
    let Ran { code, stdout, .. } = run([arg(&file), "--no-config"]);
    assert_eq!(code, 3);
    assert_eq!(stdout.matches("cannot be loaded").count(), 1, "{stdout}");
    assert!(stdout.contains("unknown function 9"), "{stdout}");
}

/// Events without what differs from run to run.
fn comparable(events: &Events) -> Vec<String> {
    let ends = events.ends().map(|end| {
        let mut end = end.clone();
        for key in ["start", "end", "compiler", "worker", "rerun"] {
            if let Some(own) = end["wasmtest"].as_object_mut() {
                own.remove(key);
            }
        }
        end["exec_time"] = Value::Null;
        end.to_string()
    });
    let mut ends: Vec<String> = ends.collect();
    ends.sort();
    ends
}

#[test]
fn verdicts_and_what_is_told_of_them_are_the_same_under_both() {
    for (name, target) in [
        ("verdicts", Target::P1),
        ("verdicts", Target::P2),
        ("suites", Target::P1),
    ] {
        let file = guest(name, target, "dev");
        let by = |compiler| {
            // one of them never ends
            let limit = ["--process-timeout", "2"];
            let flags = ["--no-config", "--random-seed", "1", "--compiler", compiler];
            events([&[arg(&file)], &limit[..], &flags[..]].concat())
        };
        let (winch, cranelift) = (by("winch"), by("cranelift"));
        let (winch, cranelift) = (comparable(&winch), comparable(&cranelift));
        assert!(!winch.is_empty());
        for (one, other) in winch.iter().zip(&cranelift) {
            assert_eq!(one, other, "{name}");
        }
        assert_eq!(winch.len(), cranelift.len());
    }
}

#[test]
fn a_loop_without_an_end_is_stopped_at_its_limit_under_both() {
    let text = "(module (func $spins (loop (br 0))) (func (export \"_start\") call $spins))";
    let dir = tempfile::tempdir().expect("a folder");
    let file = wat(dir.path(), "spins.wasm", text);
    for name in ["winch", "cranelift"] {
        let limits = [
            "--process-timeout",
            "0.2",
            "--no-config",
            "--compiler",
            name,
        ];
        let events = events([&[arg(&file)], &limits[..]].concat());
        assert_eq!(events.outcome("main"), "timed-out", "{events:?}");
        let frames = events.end("main")["wasmtest"]["backtrace"].to_string();
        assert!(frames.contains("spins"), "{name}: {frames}");
    }
}
