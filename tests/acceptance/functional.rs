//! Cases 1 to 8: suites in one store, processes, interrupts, bad modules, limits.

use super::contexts::record_of;
use super::{Ground, Ran, each_way, named};
use crate::sdk::field;
use crate::support::{Events, Target, arg, events, guest, run, wat};
use crate::workers::await_end;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn case_01_a_suite_passes_at_one_two_and_four_processes() {
    for processes in ["1", "2", "4"] {
        each_way(|ground| {
            let events = ground.run(processes, "marks::counted::", &[]);
            assert_eq!(events.code, 0, "{events:#?}");
            let tests = ["first", "second"];
            let tests = tests.map(|t| Ran::of(&events, &format!("marks::counted::{t}")));
            assert_eq!(tests[0].worker, tests[1].worker);
            assert_eq!(ground.log(), ["setup 1", "first", "second", "teardown 0"]);
        });
    }
}

#[test]
fn case_02_two_suites_under_a_shared_parent_are_in_flight_at_the_same_moment() {
    each_way(|ground| {
        // each waits for the other, and sleeps then
        let events = ground.run("2", "marks::parent::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        let [one, two] =
            ["one", "two"].map(|s| Ran::of(&events, &format!("marks::parent::{s}::sleeps")));
        assert!(one.overlaps(&two), "{one:?} and {two:?}");
        assert_ne!(one.worker, two.worker);
        assert_eq!(ground.log()[0], "parent setup");
        for line in ["parent setup", "one setup", "two setup", "one", "two"] {
            assert_eq!(ground.count(line), 1, "{line}");
        }
    });
}

#[test]
fn case_03_processes_are_the_cpus_none_or_as_many_as_asked() {
    let cpus = std::thread::available_parallelism().expect("known").get();
    let module = guest("trivial", Target::P1, "dev");
    for all in ["auto", "-1"] {
        let events = events([arg(&module), "--processes", all]);
        assert_eq!(events.summary()["wasmtest"]["processes"], cpus);
        let workers: BTreeSet<u64> = events
            .ends()
            .filter_map(|e| e["wasmtest"]["worker"].as_u64())
            .collect();
        // each has been given one of its thousand tests at least
        assert!(workers.into_iter().eq(1..=cpus as u64));
    }
    for wrong in ["-2", "1.5", "many", "+", "99999999999999999999"] {
        let ran = run([arg(&module), "--processes", wrong]);
        assert_eq!(ran.code, 2, "{wrong}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("--processes"), "{}", ran.stderr);
    }
    each_way(|ground| {
        let mut run = ground.start("0", "marks::shared::", &[]);
        ground.await_line(&run, "setup");
        assert!(run.children().is_empty(), "everything is in the primary");
        ground.give("set-up");
        run.wait_for("set-up", " marks::shared");
        let events = run.finish();
        assert_eq!(events.code, 0, "{events:#?}");
        for test in ["first", "second", "third"] {
            let ran = Ran::of(&events, &format!("marks::shared::{test}"));
            assert_eq!(ran.worker, 0);
        }
        assert_eq!(ground.count("teardown of 1"), 1);
    });
}

/// What is told of a run that was interrupted while `a_sleeps` of this suite ran.
pub fn is_interrupted(events: &Events, suite: &str) {
    assert_eq!(events.code, 130, "{events:#?}");
    let why = "the run was interrupted (SIGINT)";
    let not_begun = ["b", "c"].map(|t| format!("{suite}::{t}_is_not_begun"));
    let mut not_run = events.not_run();
    not_run.sort_unstable();
    assert_eq!(not_run, not_begun.each_ref().map(|t| (&**t, why)));
    assert_eq!(events.ends().count(), 3);
    assert_eq!(events.outcome(&format!("{suite}::a_sleeps")), "interrupted");
    let summary = &events.summary()["wasmtest"];
    assert_eq!(summary["interrupted"], 1);
    assert_eq!(summary["not_run"], 2);
}

#[test]
fn case_04_an_interrupt_is_told_and_what_is_shared_is_taken_down() {
    for processes in ["2", "0"] {
        each_way(|ground| {
            let mut run = ground.start(processes, "stopping::interrupted::", &[]);
            run.wait_for("started", "a_sleeps");
            ground.await_line(&run, "a_sleeps");
            run.signal(libc::SIGINT);
            let events = run.finish();
            is_interrupted(&events, "stopping::interrupted");
            let log = ground.log();
            assert_eq!(log[..3], ["account setup", "setup with 7", "a_sleeps"]);
            assert_eq!(ground.count("b") + ground.count("c"), 0);
            assert_eq!(log.last().expect("some"), "account 7 teardown");
            let down = named(&events, "fixture", "torn-down");
            assert_eq!(down, ["acceptance.wasm stopping::interrupted::account"]);
        });
    }
}

#[test]
fn a_run_that_is_out_of_time_takes_down_what_is_shared() {
    each_way(|ground| {
        let limit = ["--run-timeout", "5"];
        let events = ground.run("2", "stopping::interrupted::", &limit);
        assert_eq!(events.code, 1, "{events:#?}");
        let sleeps = "stopping::interrupted::a_sleeps";
        assert_eq!(events.outcome(sleeps), "timed-out");
        let log = ground.log();
        assert_eq!(log[..3], ["account setup", "setup with 7", "a_sleeps"]);
        assert_eq!(log.last().expect("some"), "account 7 teardown");
    });
}

/// A second interrupt while this teardown of this suite's is slow, which is then the only
/// one that is named.
pub fn two_interrupts(ground: &Ground, suite: &str, slow: &str) {
    let mut run = ground.start("1", &format!("{suite}::"), &[]);
    run.wait_for("started", "a_sleeps");
    ground.await_line(&run, "a_sleeps");
    let processes = run.children();
    assert!(processes.len() >= 2, "a worker and a process for fixtures");
    run.signal(libc::SIGINT);
    ground.await_line(&run, "teardown begins");
    run.wait_for("tearing-down", slow);
    run.signal(libc::SIGINT);
    let events = run.finish();
    is_interrupted(&events, suite);
    let notes = events.stderr.lines();
    let notes: Vec<&str> = notes.filter(|n| n.contains("teardown of")).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    let named = notes[0].contains(&format!("the teardown of `{slow}`"));
    let told = notes[0].ends_with("did not come to its end");
    assert!(named && told, "{notes:?}");
    assert_eq!(ground.count("teardown ends"), 0);
    assert_eq!(ground.count("b") + ground.count("c"), 0);
    for process in processes {
        await_end(process);
    }
}

#[test]
fn case_05_a_second_interrupt_while_a_teardown_is_slow_ends_everything() {
    each_way(|ground| two_interrupts(ground, "stopping::lingers", "stopping::lingers"));
}

#[test]
fn case_06_a_module_that_does_not_load_is_one_error_and_everything_else_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let bytes = dir.path().join("bytes.wasm");
    fs::write(&bytes, b"\0asm\x01\0\0\0 and no more of it").expect("written");
    let module = |name: &str, imports: &str, more: &str| a_and_b(dir.path(), name, imports, more);
    let import = module("import.wasm", r#"(import "nobody" "has_this" (func))"#, "");
    let start = module("start.wasm", "", "(func $start unreachable) (start $start)");
    let good = module("good.wasm", "", "");
    let suites = guest("acceptance", Target::P1, "dev");
    for processes in ["2", "0"] {
        each_way(|ground| {
            let modules = [&*bytes, &import, &start, &good, &suites];
            let events = ground.run_chosen(&modules, processes, &["a", "b", "marks::counted::"]);
            assert_eq!(events.code, 3, "{events:#?}");
            for (file, why) in [
                (&bytes, "damaged"),
                (&import, "has_this"),
                (&start, "unreachable"),
            ] {
                let name = file.file_name().expect("a file").to_string_lossy();
                let of_file =
                    |e: &&Value| e["name"].as_str().is_some_and(|n| n.starts_with(&*name));
                // the error takes along the tests that are known of the file, each once
                let (not_run, told): (Vec<_>, Vec<_>) = events
                    .ends()
                    .filter(of_file)
                    .partition(|e| e["wasmtest"]["outcome"] == "not-run");
                let mut not_run: Vec<_> = not_run.iter().map(|e| &e["wasmtest"]["test"]).collect();
                not_run.sort_by_key(ToString::to_string);
                match file == &bytes {
                    true => assert!(not_run.is_empty(), "{name}: {not_run:?}"),
                    false => assert_eq!(not_run, ["a", "b"], "{name}"),
                }
                let mut told = told.into_iter();
                let error =
                    &told.next().unwrap_or_else(|| panic!("{name}: {events:#?}"))["wasmtest"];
                assert!(told.next().is_none(), "one error for {name}: {events:#?}");
                assert_eq!(error["file"], arg(file));
                assert_eq!(error["error"], "cannot be loaded");
                let message = error["message"].as_str().expect("told");
                assert!(message.contains(why), "{name}: {message}");
            }
            let passed: Vec<&Value> = events
                .ends()
                .filter(|e| e["event"] == "ok")
                .map(|e| &e["name"])
                .collect();
            assert_eq!(passed.len(), 4, "{events:#?}");
            assert_eq!(ground.log(), ["setup 1", "first", "second", "teardown 0"]);
        });
    }
}

/// A module with the tests `a` and `b`, which pass.
fn a_and_b(dir: &Path, name: &str, imports: &str, more: &str) -> PathBuf {
    sdk_module(dir, name, &[], &format!("{imports} {more}"))
}

/// The same, its tests with more records and functions beside them.
fn sdk_module(dir: &Path, name: &str, records: &[Vec<u8>], functions: &str) -> PathBuf {
    let tests = ["c::a", "c::b"].map(crate::sdk::record);
    let section = [tests.concat(), records.concat()].concat();
    let escaped: String = section.iter().map(|b| format!("\\{b:02x}")).collect();
    let text = format!(
        r#"(module {functions} (@custom "wasmtest" "{escaped}") (memory (export "memory") 1)
        (func (export "wasmtest:c::a") (result i32) (i32.const 0))
        (func (export "wasmtest:c::b") (result i32) (i32.const 0)))"#
    );
    wat(dir, name, &text)
}

/// Whether a module loads is asked of a new worker where the one that says so has run another's
/// code; what that was to run next runs once all the same.
#[test]
fn what_waits_behind_a_module_that_does_not_load_runs_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let good = a_and_b(dir.path(), "good.wasm", "", "");
    let start = "(func $start unreachable) (start $start)";
    let single = a_and_b(dir.path(), "single.wasm", "", start);
    // with a setup around them its tests are one unit
    let suite = record_of(2, &[&field(1, b"c")]);
    let setup = record_of(4, &[&field(1, b"c::begin"), &field(14, b"setup")]);
    let begin = r#"(func (export "wasmtest:c::begin") (result i32) (i32.const 0))"#;
    let unit = sdk_module(
        dir.path(),
        "unit.wasm",
        &[suite, setup],
        &format!("{begin} {start}"),
    );
    let suites = guest("acceptance", Target::P1, "dev");
    for bad in [&single, &unit] {
        each_way(|ground| {
            let modules = [&*good, bad, &suites];
            let events = ground.run_chosen(&modules, "1", &["a", "b", "marks::counted::"]);
            assert_eq!(events.code, 3, "{events:#?}");
            assert_eq!(events.counts()["passed"], 4, "{events:#?}");
            assert_eq!(events.counts()["not-run"], 2, "{events:#?}");
            assert_eq!(ground.log(), ["setup 1", "first", "second", "teardown 0"]);
        });
    }
}

#[test]
fn case_07_a_test_beyond_its_limit_is_named_and_its_sibling_runs() {
    for processes in ["1", "2", "0"] {
        each_way(|ground| {
            let limit = ["--process-timeout", "1"];
            let events = ground.run(processes, "stopping::limited::", &limit);
            assert_eq!(events.code, 1, "{events:#?}");
            let slow = events.end("stopping::limited::a_sleeps_two_seconds");
            assert_eq!(slow["wasmtest"]["outcome"], "timed-out");
            assert_eq!(slow["reason"], "time limit exceeded");
            let sibling = "stopping::limited::b_is_its_sibling";
            assert_eq!(events.outcome(sibling), "passed");
            assert_eq!(events.ends().count(), 2);
            assert_eq!(ground.log(), ["setup", "a", "setup", "b"]);
        });
    }
}

#[test]
fn case_08_with_a_longer_limit_both_pass() {
    for processes in ["1", "2", "0"] {
        each_way(|ground| {
            let limit = ["--process-timeout", "3"];
            let events = ground.run(processes, "stopping::limited::", &limit);
            assert_eq!(events.code, 0, "{events:#?}");
            assert_eq!(events.counts()["passed"], 2);
            assert_eq!(ground.log(), ["setup", "a", "b"]);
        });
    }
}
