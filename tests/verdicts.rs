//! Every kind of ending, in every kind of file: what must become of it.

use crate::support::{Events, Target, arg, events, guest};
use std::path::Path;

/// `(test, outcome, what its message must contain)`; the message is the core module's.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("passes", "passed", ""),
    ("passes_and_returns_ok", "passed", ""),
    ("panics", "failed", "the message"),
    ("assertion_fails", "failed", "left: 2"),
    ("returns_err", "failed", "Error: \"no such thing\""),
    ("exits_0", "failed", "exit(0)"),
    ("exits_3", "failed", "exited with"),
    ("exits_101", "failed", "exited with"),
    ("exits_255", "failed", "exited with"),
    ("forges_a_pass_and_exits", "failed", "exit(0)"),
    ("forges_a_pass_and_panics", "failed", "after the forgery"),
    (
        "forges_a_pass_and_returns_err",
        "failed",
        "Error: \"after the forgery\"",
    ),
    ("ignored_with_a_reason", "skipped", ""),
    ("ignored_and_panics", "skipped", ""),
    ("should_panic_and_does", "passed", ""),
    (
        "should_panic_and_does_not",
        "failed",
        "test did not panic as expected",
    ),
    ("aborts", "errored", "aborted"),
    ("overflows_its_stack", "errored", "stack overflow"),
    ("recurses_for_ever", "errored", "stack overflow"),
    (
        "runs_out_of_memory",
        "out-of-memory",
        "memory allocation of",
    ),
    (
        "reads_out_of_bounds",
        "errored",
        "memory access out of bounds",
    ),
    ("divides_by_zero", "failed", "attempt to divide by zero"),
    ("spins", "timed-out", "stopped at its limit of 1s"),
    ("sleeps", "timed-out", "stopped at its limit of 1s"),
    ("asks_for_a_temp_dir", "failed", ""),
    ("spawns_a_thread", "failed", "failed to spawn thread"),
    ("catches_a_panic", "failed", "caught?"),
    ("opens_what_is_not_granted", "failed", "NotFound"),
];

fn verdicts(target: Target, profile: &'static str) -> Events {
    every_ending_has_its_verdict(&guest("verdicts", target, profile), "no filesystem")
}

/// Of that guest, whose std says this where it is asked for a temporary folder.
pub fn every_ending_has_its_verdict(module: &Path, no_temp_dir: &str) -> Events {
    let events = events([
        arg(module),
        "--processes",
        "2",
        "--process-timeout",
        "1",
        // one of them wants what std lacks (`std_gaps.rs`)
        "--no-std-gaps",
    ]);
    assert_eq!(events.code, 1, "{events:#?}");
    let is_core = events.ends().all(|end| end["wasmtest"]["format"] == "core");
    for (test, outcome, message) in EXPECTED {
        let path = format!("tests::{test}");
        // libtest runs none of these, and a component's tests are started through it
        if test.starts_with("should_panic") && !is_core {
            assert_eq!(events.outcome(&path), "skipped");
            continue;
        }
        assert_eq!(
            events.outcome(&path),
            *outcome,
            "{test}: {:#}",
            events.end(&path)
        );
        let said = events.message(&path);
        let message = match *test {
            "asks_for_a_temp_dir" => no_temp_dir,
            _ => message,
        };
        assert!(said.contains(message), "{test}: {said}");
    }
    // and nothing else but this one, whose message depends on names
    assert_eq!(events.ends().count(), EXPECTED.len() + 1);
    assert_eq!(events.outcome("tests::reaches_unreachable"), "errored");
    events
}

#[test]
fn every_kind_of_ending_has_its_verdict_in_a_debug_core_module() {
    let events = verdicts(Target::P1, "dev");
    assert_eq!(events.message("tests::aborts"), "aborted");
    assert!(
        events
            .message("tests::reaches_unreachable")
            .contains("`unreachable`")
    );
    assert_eq!(events.message("tests::exits_255"), "exited with status 255");
    assert_eq!(
        events.end("tests::ignored_with_a_reason")["message"],
        "ignored: takes too long"
    );
    // the place of the failure, the developer's frame first
    let frames = &events.end("tests::reads_out_of_bounds")["wasmtest"]["backtrace"];
    assert_eq!(frames[0]["function"], "verdicts::tests::reads");
    assert!(
        frames[0]["location"]
            .as_str()
            .expect("known")
            .contains("src/lib.rs:")
    );
    assert_eq!(
        frames[1]["function"],
        "verdicts::tests::reads_out_of_bounds"
    );
    assert_eq!(frames.as_array().expect("a list").len(), 2);
}

#[test]
fn every_kind_of_ending_has_its_verdict_in_a_debug_component() {
    let events = verdicts(Target::P2, "dev");
    assert!(
        events
            .message("tests::exits_3")
            .contains("exited with failure")
    );
    let frames = &events.end("tests::reads_out_of_bounds")["wasmtest"]["backtrace"];
    assert_eq!(
        frames[1]["function"],
        "verdicts::tests::reads_out_of_bounds"
    );
}

#[test]
fn every_kind_of_ending_has_its_verdict_in_a_release_core_module() {
    verdicts(Target::P1, "release");
}

#[test]
fn every_kind_of_ending_has_its_verdict_in_a_release_component() {
    verdicts(Target::P2, "release");
}

#[test]
fn every_kind_of_ending_has_its_verdict_in_a_stripped_core_module() {
    let events = verdicts(Target::P1, "stripped");
    assert!(
        events
            .message("tests::aborts")
            .contains("without a message")
    );
}

#[test]
fn every_kind_of_ending_has_its_verdict_in_a_stripped_component() {
    verdicts(Target::P2, "stripped");
}

#[test]
fn every_kind_of_ending_has_its_verdict_after_fat_lto() {
    verdicts(Target::P1, "fat-lto");
}

#[test]
fn what_wasm_lacks_is_said_with_the_way_out() {
    let module = guest("verdicts", Target::P1, "dev");
    let events = events([
        arg(&module),
        "--no-std-gaps",
        "--",
        "temp_dir",
        "thread",
        "catches",
        "opens",
    ]);
    let hint = |test: &str| {
        let end = events.end(&format!("tests::{test}"));
        end["wasmtest"]["hint"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(hint("asks_for_a_temp_dir").contains("TMPDIR"));
    assert!(hint("spawns_a_thread").contains("no threads"));
    assert!(hint("catches_a_panic").contains("catch_unwind"));
    // that one is named
    assert_eq!(hint("opens_what_is_not_granted"), "");
    let end = events.end("tests::opens_what_is_not_granted");
    let denied = &end["wasmtest"]["denied"][0];
    assert_eq!(denied["path"], "data/secret.txt", "{end:#}");
    assert_eq!(denied["allow"][0], "--dir data", "{end:#}");
}

#[test]
fn ignored_tests_run_when_asked_for_and_should_panic_where_that_is_known() {
    let module = guest("verdicts", Target::P1, "dev");
    let only = events([arg(&module), "--run-ignored"]);
    assert_eq!(only.outcome("tests::ignored_with_a_reason"), "passed");
    assert_eq!(only.outcome("tests::ignored_and_panics"), "failed");
    assert_eq!(only.ends().count(), 2);
    let both = |how: &str| {
        events([
            arg(&module),
            "--libtest",
            how,
            "--include-ignored",
            "--",
            "ignored",
            "should_panic",
            "passes",
        ])
    };
    for (how, should_panic) in [("direct", "passed"), ("plain", "skipped")] {
        let both = both(how);
        assert_eq!(both.outcome("tests::ignored_with_a_reason"), "passed");
        assert_eq!(both.outcome("tests::should_panic_and_does"), should_panic);
        assert_eq!(both.outcome("tests::passes"), "passed");
    }
}

#[test]
fn a_panic_in_the_middle_of_a_thousand_takes_nothing_along() {
    for target in Target::BOTH {
        let module = guest("one_panic", target, "dev");
        let events = events([arg(&module)]);
        assert_eq!(events.code, 1);
        assert_eq!(
            events.counts(),
            [("passed".to_owned(), 999), ("failed".to_owned(), 1)].into()
        );
        assert_eq!(events.outcome("t0500"), "failed");
        assert_eq!(events.summary()["passed"], 999);
        assert_eq!(events.all[0]["test_count"], 1000);
    }
}

#[test]
fn words_that_are_easily_misread_are_not() {
    for target in Target::BOTH {
        awkward_words_are_not_misread(&guest("awkward", target, "dev"));
    }
}

/// Of that guest.
pub fn awkward_words_are_not_misread(module: &Path) {
    let events = events([arg(module), "--skip", "sleeps"]);
    let reason = |test: &str| events.end(&format!("tests::{test}"))["message"].clone();
    assert_eq!(
        reason("ignored_for_an_awkward_reason"),
        "ignored: see \"issue\" 3,\n\", \"source_path\": \"x"
    );
    assert_eq!(reason("ignored_for_a_plain_reason"), "ignored: plain");
    for end in events.ends() {
        assert!(end["wasmtest"]["source"].is_string(), "{end:#}");
    }
    let message = |test: &str| events.message(&format!("tests::{test}")).to_owned();
    assert!(message("panics_with_the_words_of_a_note").contains("and see"));
    assert_eq!(
        events.outcome("tests::speaks_of_memory_and_panics"),
        "failed"
    );
    assert!(message("speaks_of_memory_and_panics").contains("for another reason"));
    let own = &events.end("tests::speaks_of_a_temp_dir_itself")["wasmtest"];
    assert!(own["hint"].is_null(), "{own:#}");
}
