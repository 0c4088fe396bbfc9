//! Suites and fixtures beyond the acceptance cases: what is reported of them.

use crate::acceptance::{each_way, named};
use crate::support::{Target, arg, events, guest};
use crate::workers::send;

#[test]
fn what_setups_and_teardowns_log_is_told_with_the_test_between_them() {
    let module = guest("suites", Target::P1, "dev");
    let logs = |flags: &[&str]| {
        let args = [
            &[arg(&module), "--processes", "1"],
            flags,
            &["--", "marks::split::"],
        ];
        let events = events(args.concat());
        let first = |test: &str| events.end(test)["wasmtest"]["logs"].clone();
        [first("marks::split::first"), first("marks::split::second")]
    };
    let both = serde_json::json!(["the setup of split", "the teardown of split"]);
    assert_eq!(logs(&["--no-snapshot"]), [both.clone(), both.clone()]);
    // the setup ran once, and what it said is said once
    let teardown = serde_json::json!(["the teardown of split"]);
    assert_eq!(logs(&[]), [both, teardown]);
}

#[test]
fn a_fixture_host_that_dies_fails_what_stood_in_it_by_name_and_is_started_again() {
    each_way(|ground| {
        let run = ground.start("2", "marks::shared::", &[]);
        ground.await_line(&run, "setup");
        let host = crate::acceptance::children(&run, "__fixture-host");
        send(host[0], libc::SIGKILL);
        let events = run.finish();
        assert_eq!(events.code, 1, "{events:#?}");
        let failed: Vec<String> = named(&events, "test", "failed")
            .into_iter()
            .filter(|name| name == "acceptance.wasm marks::shared")
            .collect();
        assert_eq!(failed.len(), 1, "{events:#?}");
        for test in ["first", "second", "third"] {
            assert_eq!(events.outcome(&format!("marks::shared::{test}")), "not-run");
        }
        assert_eq!(events.summary()["wasmtest"]["not_run"], 3);
        assert_eq!(ground.log(), ["setup"]);
    });
}

#[test]
fn what_is_left_in_the_middle_of_something_is_not_used_again_and_the_report_says_so() {
    each_way(|ground| {
        let events = ground.run("1", "rebuilt::", &["--process-timeout", "1"]);
        let again = |test: &str| {
            let end = events.end(&format!("rebuilt::unit::{test}"))["wasmtest"].clone();
            let notes = end["notes"].to_string();
            notes.contains("set up again")
        };
        assert_eq!(events.outcome("rebuilt::unit::a_panics"), "failed");
        assert_eq!(
            events.outcome("rebuilt::unit::c_is_in_the_same_and_skips"),
            "skipped"
        );
        for test in [
            "b_is_in_a_new_instance",
            "inner::d_is_in_a_third",
            "e_is_in_a_fourth",
        ] {
            assert_eq!(events.outcome(&format!("rebuilt::unit::{test}")), "passed");
            assert!(again(test), "{test}: {events:#?}");
        }
        assert!(!again("a_panics") && !again("c_is_in_the_same_and_skips"));
        // the teardown that did not end is an error by its name, and once
        let failed = named(&events, "test", "failed");
        let name = "acceptance.wasm rebuilt::unit::inner";
        assert_eq!(
            failed.iter().filter(|n| *n == name).count(),
            1,
            "{failed:?}"
        );
        assert_eq!(events.summary()["wasmtest"]["fixtures_failed"], 1);
    });
}

#[test]
fn a_setup_can_ask_to_be_run_for_each_test() {
    each_way(|ground| {
        let events = ground.run("2", "fresh::", &[]);
        assert_eq!(events.summary()["passed"], 2);
        assert_eq!(
            named(&events, "fixture", "re-run"),
            ["acceptance.wasm fresh"]
        );
        assert!(named(&events, "fixture", "snapshot").is_empty());
    });
}

#[test]
fn what_a_shared_fixture_logs_is_noted() {
    let module = guest("suites", Target::P1, "dev");
    let ran = crate::support::run([arg(&module), "--", "reads_fixtures"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let line = "note: suites.wasm fixtures::config logs: the one config";
    assert_eq!(ran.stderr.matches(line).count(), 1, "{}", ran.stderr);
    let line = "note: suites.wasm fixtures::total logs: no total any more";
    assert_eq!(ran.stderr.matches(line).count(), 1, "{}", ran.stderr);
}
