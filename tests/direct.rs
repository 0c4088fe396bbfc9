//! Tests of libtest binaries called past libtest's start-up: the same verdicts, and
//! `should_panic`, which libtest does not run on wasm.

use crate::support::rusts::{
    DEBUG, FAT, RELEASE, SMALL, STRIPPED, THIN, build, build_text, toolchains,
};
use crate::support::{Events, Target, arg, events, guest, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// How a test ended, without what libtest has used of stack and memory before it.
fn ends(events: &Events) -> BTreeMap<String, Value> {
    let of = |end: &Value| {
        let mut own = end["wasmtest"].clone();
        for frame in own["backtrace"].as_array_mut().into_iter().flatten() {
            frame
                .as_object_mut()
                .and_then(|frame| frame.remove("times"));
        }
        let told = serde_json::json!({
            "event": end["event"],
            "outcome": own["outcome"],
            "message": before_size(&own["message"]),
            "hint": own["hint"],
            "backtrace": own["backtrace"],
            "output": before_size(&end["stdout"]),
        });
        (own["test"].as_str().expect("named").to_owned(), told)
    };
    events.ends().map(of).collect()
}

fn before_size(text: &Value) -> Option<&str> {
    text.as_str()?.split(" in a memory of ").next()
}

/// What is told of how a module's tests are called.
fn calls(events: &Events) -> Value {
    let is_listed = |e: &&Value| e["type"] == "module" && e["event"] == "listed";
    let mut told = events.all.iter().filter(is_listed);
    let first = told.next().expect("it is told").clone();
    assert!(told.next().is_none(), "once a module");
    first
}

#[test]
fn what_is_called_directly_ends_as_what_is_started_through_libtest() {
    for (name, profile) in [
        ("verdicts", "dev"),
        ("verdicts", "release"),
        ("trivial", "dev"),
    ] {
        let module = guest(name, Target::P1, profile);
        let run = |how: &str| events([arg(&module), "--process-timeout", "1", "--libtest", how]);
        let (direct, plain) = (run("direct"), run("plain"));
        assert_eq!(calls(&direct)["libtest"], "direct");
        assert_eq!(calls(&plain)["libtest"], "plain");
        assert_eq!(calls(&plain)["why"], "--libtest plain was given");
        let (direct, plain) = (ends(&direct), ends(&plain));
        assert_eq!(
            direct.keys().collect::<Vec<_>>(),
            plain.keys().collect::<Vec<_>>()
        );
        for (test, end) in &direct {
            // libtest runs none of these
            if !test.contains("should_panic") {
                assert_eq!(*end, plain[test], "{name} {profile} {test}");
            }
        }
    }
}

/// The tests that should panic, and how they are called: `(test, outcome, what its message holds)`.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("called::on_the_main_thread", "passed", ""),
    ("called::with_its_name_as_an_argument", "passed", ""),
    ("called::and_what_it_printed_is_flushed", "passed", ""),
    (
        "called::gives_an_error_the_first_time",
        "failed",
        "returned an error; run once more",
    ),
    ("called::gives_an_error", "failed", "Error: \"as ever\""),
    ("panics::passes_bare", "passed", ""),
    ("panics::passes_with_its_words", "passed", ""),
    ("panics::passes_with_lines", "passed", ""),
    ("panics::passes_with_a_long_message", "passed", ""),
    ("panics::passes_out_of_a_slice", "passed", ""),
    ("panics::passes_after_much_output", "passed", ""),
    ("panics::passes_with_returns", "passed", ""),
    ("panics::passes_with_words_like_stds_behind", "passed", ""),
    ("panics::passes_with_words_like_stds_before", "passed", ""),
    ("panics::passes_with_a_hook_around_stds", "passed", ""),
    ("panics::passes_without_a_hook", "passed", ""),
    ("panics::passes_when_it_resumes", "passed", ""),
    ("panics::passes_if_it_is_not_ignored", "passed", ""),
    (
        "panics::fails_since_it_comes_back",
        "failed",
        "test did not panic as expected",
    ),
    (
        "panics::fails_since_it_comes_back_with_its_words",
        "failed",
        "test did not panic as expected",
    ),
    (
        "panics::fails_with_words_that_it_only_wrote",
        "failed",
        "panic did not contain expected string\n      panic message: \"with words\"\n expected substring: \"other words\"",
    ),
    (
        "panics::fails_with_words_that_its_hook_wrote",
        "failed",
        "panic did not contain expected string",
    ),
    (
        "panics::errs_without_a_hook_whatever_it_wrote",
        "errored",
        "nothing told with which message",
    ),
    (
        "panics::fails_without_text",
        "failed",
        "expected panic with string value",
    ),
    (
        "panics::fails_since_it_exits",
        "failed",
        "exited with status 101",
    ),
    (
        "panics::errs_without_a_hook",
        "errored",
        "nothing told with which message",
    ),
    ("panics::errs_since_it_is_unreachable", "errored", ""),
    (
        "panics::errs_since_it_reads_what_is_not_there",
        "errored",
        "out of bounds",
    ),
];

/// What aborts: std tells of a panic before one of them.
const NO_PANICS: [&str; 2] = [
    "panics::errs_since_it_aborts",
    "panics::errs_since_it_panics_while_it_panics",
];

fn should_panic_runs(module: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = format!("{}::/shared:rw", arg(folder.path()));
    let args = [arg(module), "--dir", &shared, "--include-ignored"];
    let events = events([&args[..], &["--libtest", "direct"]].concat());
    assert_eq!(events.code, 1, "{events:#?}");
    for (test, outcome, message) in EXPECTED {
        assert_eq!(events.outcome(test), *outcome, "{:#}", events.end(test));
        let said = events.message(test);
        assert!(said.contains(message), "{test}: {said}");
    }
    for test in NO_PANICS {
        let end = events.end(test);
        let outcome = events.outcome(test);
        assert!(["errored", "failed"].contains(&outcome), "{end:#}");
        let hint = end["wasmtest"]["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("which is no panic"), "{end:#}");
    }
    assert_eq!(events.ends().count(), EXPECTED.len() + NO_PANICS.len());
}

#[test]
fn tests_that_should_panic_run_on_every_rust_that_is_there_however_they_were_built() {
    for toolchain in toolchains() {
        for how in [DEBUG, RELEASE, SMALL, STRIPPED, THIN, FAT] {
            should_panic_runs(&build("direct", toolchain, Target::P1, how));
        }
    }
}

/// In a small binary a line's number can be a function's place in the table, and the length of a
/// text say what it is that a test expects.
#[test]
fn what_can_be_read_in_more_than_one_way_libtest_decides_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    for lines in 0..6 {
        for expected in ["a", "abc"] {
            let text = format!(
                "{}#[test] fn adds() {{ assert_eq!(1 + 1, 2) }} #[test] #[should_panic(expected = \"{expected}\")] fn panics() {{ panic!(\"abc\") }} #[test] #[should_panic] fn comes_back() {{}}",
                "\n".repeat(lines)
            );
            let module = build_text(folder.path(), &format!("small_{lines}_{expected}"), &text);
            let events = events([arg(&module), "--libtest", "direct"]);
            assert_eq!(events.outcome("adds"), "passed", "{events:#?}");
            assert_eq!(events.outcome("panics"), "passed", "{events:#?}");
            assert_eq!(events.outcome("comes_back"), "failed", "{events:#?}");
        }
    }
}

#[test]
fn what_cannot_be_called_directly_is_started_through_libtest_and_why_is_told() {
    let component = build("direct", None, Target::P2, DEBUG);
    let told = events([arg(&component), "--", "panics::"]);
    assert_eq!(calls(&told)["libtest"], "plain");
    assert_eq!(calls(&told)["why"], "it is a component");
    assert_eq!(told.outcome("panics::passes_bare"), "skipped");
    let insisted = run([arg(&component), "--libtest", "direct"]);
    assert_eq!(insisted.code, 3, "{insisted:#?}");
    assert!(
        insisted.stdout.contains(
            "its tests cannot be called directly, as --libtest direct asks: it is a component"
        ),
        "{insisted:#?}"
    );
}
