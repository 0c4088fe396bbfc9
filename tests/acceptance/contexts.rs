//! Cases 21 to 24: marks at odds, shared contexts, the first failure.

use super::{Ground, each_way, named};
use crate::sdk::{field, liar, raw_record};
use crate::support::{Events, arg, run};
use serde_json::Value;
use std::collections::HashSet;

/// A record of another kind than a test's.
pub fn record_of(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut record = raw_record(&fields.concat());
    record[10] = kind;
    record
}

#[test]
fn case_21_a_module_that_claims_two_marks_for_one_context_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let (suite, hook) = (2, 4);
    let test = raw_record(&field(1, b"c::m::t"));
    let path = field(1, b"c::m");
    let mark = |name: &str| field(12, name.as_bytes());
    let functions = r#"
        (func (export "wasmtest:c::m::t") (result i32) (i32.const 0))
        (func (export "wasmtest:c::m::begin") (result i32) (i32.const 0))"#;
    let setup = |mark: &[u8]| {
        let (path, role) = (field(1, b"c::m::begin"), field(14, b"setup"));
        record_of(hook, &[&path, &role, mark])
    };
    let claims = [
        (
            "in one record",
            [
                record_of(suite, &[&path, &mark("shared"), &mark("split")]),
                setup(&[]),
            ]
            .concat(),
            "says twice of `c::m` what its mark is",
        ),
        (
            "in two records",
            [
                record_of(suite, &[&path, &mark("shared")]),
                record_of(suite, &[&path, &mark("split")]),
                setup(&[]),
            ]
            .concat(),
            "`c::m` twice",
        ),
        (
            "on the suite and its setup",
            [
                record_of(suite, &[&path, &mark("shared")]),
                setup(&mark("split")),
            ]
            .concat(),
            "`c::m` is marked `shared` and its setup `split`: a suite has one mark",
        ),
    ];
    for (how, section, said) in claims {
        let module = liar(dir.path(), &[&test[..], &section].concat(), functions);
        let ran = run([arg(&module)]);
        assert_eq!(ran.code, 3, "{how}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("ERROR  liar.wasm cannot be loaded"));
        assert!(ran.stdout.contains(said), "{how}: {}", ran.stdout);
    }
    // with one mark it is a module like any other
    let section = [record_of(suite, &[&path, &mark("split")]), setup(&[])].concat();
    let module = liar(dir.path(), &[&test[..], &section].concat(), functions);
    assert_eq!(run([arg(&module)]).code, 0);
}

/// The errors of suites and fixtures: name, what failed, why.
fn errors(events: &Events) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let own = events.ends().map(|e| &e["wasmtest"]);
    own.filter(|own| !own["suite"].is_null())
        .map(|own| {
            (
                text(&own["suite"]),
                text(&own["error"]),
                text(&own["message"]),
            )
        })
        .collect()
}

#[test]
fn case_22_a_shared_setup_that_fails_is_one_error_and_its_tests_are_not_run() {
    for processes in ["2", "0"] {
        each_way(|ground| {
            let events = ground.run(processes, "contexts::broken::", &[]);
            assert_eq!(events.code, 1, "{events:#?}");
            let errors = errors(&events);
            assert_eq!(errors.len(), 2, "{errors:#?}");
            for (suite, why) in [("refuses", "no power"), ("panics", "no light")] {
                let name = format!("acceptance.wasm contexts::broken::{suite}");
                let (_, what, message) = errors
                    .iter()
                    .find(|(n, _, _)| *n == name)
                    .unwrap_or_else(|| panic!("{errors:#?}"));
                assert_eq!(what, "could not be set up");
                assert!(message.contains(why), "{message}");
            }
            let not_run = ["refuses::first", "refuses::second", "panics::first"];
            let started: HashSet<String> = named(&events, "test", "started").into_iter().collect();
            for test in not_run {
                let path = format!("contexts::broken::{test}");
                assert_eq!(events.outcome(&path), "not-run");
                let (suite, _) = test.split_once("::").expect("in one");
                let why = format!("`contexts::broken::{suite}` could not be set up");
                assert_eq!(events.message(&path), why);
                assert!(!started.contains(&format!("acceptance.wasm {path}")));
            }
            for test in ["is_not::first", "is_in_no_context"] {
                assert_eq!(
                    events.outcome(&format!("contexts::broken::{test}")),
                    "passed"
                );
            }
            let mut log = ground.log();
            log.sort();
            assert_eq!(
                log,
                [
                    "is_in_no_context",
                    "is_not first",
                    "is_not setup",
                    "is_not teardown",
                    "panics setup",
                    "refuses setup"
                ]
            );
        });
    }
}

/// The last two things that happened were the teardowns, the inner one first.
fn is_torn_down_last(ground: &Ground) {
    let log = ground.log();
    assert_eq!(log[0], "outer setup");
    assert!(ground.count("test") > 0, "{log:?}");
    assert_eq!(ground.count("inner setup"), 1, "{log:?}");
    assert_eq!(log.len(), ground.count("test") + 4, "{log:?}");
    assert_eq!(log[log.len() - 2..], ["inner teardown", "outer teardown"]);
}

#[test]
fn case_23_shared_contexts_are_taken_down_after_all_tasks_innermost_first() {
    for processes in ["2", "0"] {
        // one of its tests fails
        each_way(|ground| {
            let events = ground.run(processes, "contexts::outer::", &[]);
            assert_eq!(events.code, 1, "{events:#?}");
            assert_eq!(events.counts()["failed"], 1);
            assert_eq!(events.counts()["passed"], 2);
            assert_eq!(ground.count("test"), 3);
            is_torn_down_last(ground);
            assert_eq!(
                named(&events, "fixture", "torn-down"),
                [
                    "acceptance.wasm contexts::outer::inner",
                    "acceptance.wasm contexts::outer"
                ]
            );
        });
        // the run stops at that
        each_way(|ground| {
            let events = ground.run(processes, "contexts::outer::", &["-x"]);
            assert_eq!(events.code, 1, "{events:#?}");
            assert_eq!(events.counts()["failed"], 1);
            is_torn_down_last(ground);
        });
        // it is interrupted
        each_way(|ground| {
            let flags = ["--run-ignored"];
            let mut run = ground.start(processes, "contexts::outer::", &flags);
            run.wait_for("started", "waits_for_ever");
            ground.await_line(&run, "test");
            run.signal(libc::SIGINT);
            let events = run.finish();
            assert_eq!(events.code, 130, "{events:#?}");
            let test = "contexts::outer::inner::waits_for_ever";
            assert_eq!(events.outcome(test), "interrupted");
            is_torn_down_last(ground);
        });
        // one of the teardowns fails
        each_way(|ground| {
            let events = ground.run(processes, "contexts::frail::", &[]);
            assert_eq!(events.code, 1, "{events:#?}");
            assert_eq!(events.counts()["passed"], 1);
            is_torn_down_last(ground);
            let errors = errors(&events);
            assert_eq!(errors.len(), 1, "{errors:#?}");
            let (name, what, message) = &errors[0];
            assert_eq!(name, "acceptance.wasm contexts::frail::inner");
            assert_eq!(what, "could not be torn down");
            assert!(message.contains("it does not let go"), "{message}");
        });
    }
}

#[test]
fn case_23_shared_contexts_stand_until_what_runs_alone_has_ended() {
    each_way(|ground| {
        let paths = ["contexts::frail::", "marks::alone::"];
        let events = ground.run_of("acceptance", "2", &paths, &[]);
        assert_eq!(events.counts()["passed"], 9);
        let log = ground.log();
        assert_eq!(ground.count("alone ends"), 4);
        assert_eq!(log[log.len() - 2..], ["inner teardown", "outer teardown"]);
    });
}

#[test]
fn case_24_after_the_first_failure_nothing_new_is_dispatched_and_what_is_in_flight_ends() {
    each_way(|ground| {
        let mut run = ground.start("2", "stopping::first_failure::", &["-x"]);
        run.wait_for("failed", "a_fails");
        ground.give("a-has-failed");
        let events = run.finish();
        assert_eq!(events.code, 1, "{events:#?}");
        let of = |test: &str| format!("stopping::first_failure::{test}");
        assert_eq!(events.outcome(&of("a_fails")), "failed");
        assert_eq!(events.outcome(&of("b_is_in_flight")), "passed");
        assert_eq!(events.ends().count(), 8);
        assert_eq!(events.summary()["wasmtest"]["not_run"], 6);
        let why = "the run was stopped at the first that did not pass (-x, --max-fail 1)";
        for (test, told) in events.not_run() {
            assert!(
                test.starts_with(&of("c_waits")) && told == why,
                "{test}: {told}"
            );
        }
        assert_eq!(ground.log(), ["a", "b"]);
    });
    // a suite that is whole on a worker stops in the middle, and is taken down
    each_way(|ground| {
        let path = "stopping::first_failure_of_a_unit::";
        let events = ground.run("2", path, &["-x"]);
        assert_eq!(events.code, 1, "{events:#?}");
        assert_eq!(events.outcome(&format!("{path}a_fails")), "failed");
        assert_eq!(events.ends().count(), 3);
        assert_eq!(events.summary()["wasmtest"]["not_run"], 2);
        assert_eq!(events.not_run().len(), 2);
        assert_eq!(ground.log(), ["setup", "a", "teardown"]);
    });
}
