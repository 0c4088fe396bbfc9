//! What WASI lacks is named where a test fails for want of it, whatever std's words for it are.

use crate::support::{Events, Target, arg, events, finish, guest, wasmtest};
use wasmtest_host::inside::HINTS;

fn advice(name: &str) -> &'static str {
    let hint = HINTS.iter().find(|hint| hint.name == name);
    hint.unwrap_or_else(|| panic!("there is no hint {name}"))
        .advice
}

fn hint<'a>(events: &'a Events, test: &str) -> &'a str {
    let end = events.end(test);
    end["wasmtest"]["hint"].as_str().unwrap_or_default()
}

/// In place of a hint's name: it is only told that it was stopped.
const LIMIT: &str = "the limit";

/// Each test has the hint that its module is named after, but for those in `others`.
fn hints_are_given(target: Target, profile: &'static str, others: &[(&str, &str)]) {
    let module = guest("hints", target, profile);
    // what is filled in needs no hint
    let events = events([arg(&module), "--process-timeout", "1", "--no-std-gaps"]);
    let mut seen = Vec::new();
    for end in events.ends() {
        let test = end["wasmtest"]["test"].as_str().expect("it has a path");
        let Some((module, _)) = test.split_once("::") else {
            continue;
        };
        // a newer std has an answer
        if module == "number_of_threads" && events.outcome(test) == "passed" {
            continue;
        }
        let other = others.iter().find(|(of, _)| test.starts_with(of));
        let name = other.map_or(module, |(_, name)| name);
        let given = hint(&events, test);
        match name {
            "" => assert_eq!(given, "", "{test}: {end:#}"),
            LIMIT => assert!(given.starts_with("--process-timeout"), "{test}: {end:#}"),
            name => {
                let (before, after) = advice(name)
                    .split_once("{why}")
                    .unwrap_or((advice(name), ""));
                let is_given = given.starts_with(before) && given.ends_with(after);
                assert!(is_given, "{test}: {end:#}");
            }
        }
        seen.push(module.to_owned());
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() >= 10, "{seen:?}");
}

/// An error that came back has left no stack, and its module calls others that fail alike.
const RETURNED: (&str, &str) = ("current_exe::returned", "unsupported");

#[test]
fn what_wasi_lacks_is_named_in_a_debug_core_module() {
    hints_are_given(Target::P1, "dev", &[RETURNED]);
}

#[test]
fn what_wasi_lacks_is_named_in_a_debug_component() {
    hints_are_given(Target::P2, "dev", &[RETURNED]);
}

/// What is inlined is called by nobody.
#[test]
fn what_wasi_lacks_is_named_in_a_release_core_module() {
    let others = [
        ("waits_for_a_thread::for_a_message", LIMIT),
        ("number_of_threads", "unsupported"),
        ("current_exe", "unsupported"),
        ("socket", "unsupported"),
    ];
    hints_are_given(Target::P1, "release", &others);
}

/// Nothing is left of what was called: only that something is unsupported is known.
#[test]
fn what_wasi_lacks_is_named_where_there_are_no_names() {
    let others = [
        ("waits_for_a_thread::for_a_message", LIMIT),
        ("thread::built", "unsupported"),
        ("number_of_threads", "unsupported"),
        ("current_exe", "unsupported"),
        ("command", "unsupported"),
        ("socket", "unsupported"),
        ("catch_unwind", ""),
    ];
    hints_are_given(Target::P1, "stripped", &others);
}

#[test]
fn a_limit_is_told_with_who_set_it_and_whether_the_code_is_slow() {
    const SLOW: &str = "not optimised";
    let run = |profile| {
        let module = guest("verdicts", Target::P1, profile);
        let limit = ["--process-timeout", "1", "--exact", "--"];
        let tests = ["tests::spins", "tests::sleeps"];
        events([&[arg(&module)][..], &limit, &tests].concat())
    };
    let debug = run("dev");
    for test in ["tests::spins", "tests::sleeps"] {
        assert_eq!(debug.outcome(test), "timed-out");
        let hint = hint(&debug, test);
        assert!(
            hint.contains("--process-timeout has set that limit"),
            "{hint}"
        );
    }
    let spins = hint(&debug, "tests::spins");
    assert!(
        spins.contains(SLOW) && spins.contains("--release"),
        "{spins}"
    );
    // what waits is not slow, and optimised code is not either
    assert!(!hint(&debug, "tests::sleeps").contains(SLOW));
    assert!(!hint(&run("release"), "tests::spins").contains(SLOW));
    let module = guest("verdicts", Target::P1, "dev");
    let mut command = wasmtest();
    command
        .args(["run", "--message-format", "json", arg(&module)])
        .args(["--exact", "--", "tests::sleeps"])
        .env("WASMTEST_PROCESS_TIMEOUT", "1");
    let variable = Events::of(finish(&mut command));
    let hint = hint(&variable, "tests::sleeps");
    assert!(hint.starts_with("WASMTEST_PROCESS_TIMEOUT"), "{hint}");
}

#[test]
fn a_static_that_every_test_makes_again_is_named_once() {
    let module = guest("lazies", Target::P1, "dev");
    // each of them spins, so all at once take as long as one
    let run = |tests: &str| {
        finish(wasmtest().args(["run", arg(&module), "--processes", "5", "--", tests]))
    };
    let made = run("made::");
    assert_eq!(made.code, 0, "{}", made.stdout);
    let notes: Vec<&str> = made
        .stderr
        .lines()
        .filter(|l| l.starts_with("note: "))
        .collect();
    let expected =
        "note: 5 tests of lazies.wasm were each still making the static `lazies::made::TABLE`";
    assert!(
        notes.len() == 1 && notes[0].starts_with(expected) && notes[0].contains("`split`"),
        "{notes:?}"
    );
    // what natively takes as long is no fault of ours
    let worked = run("worked::");
    assert_eq!(worked.code, 0, "{}", worked.stdout);
    assert!(!worked.stderr.contains("note: "), "{}", worked.stderr);
}
