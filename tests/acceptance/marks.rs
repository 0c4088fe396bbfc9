//! Cases 9 to 14, 27 and 28: what each mark means for where a suite's tests run.

use super::{Ran, children, each_way, named};
use crate::workers::send;
use std::collections::BTreeSet;

const THREE: [&str; 3] = ["first", "second", "third"];

#[test]
fn case_09_in_one_process_a_shared_suite_is_set_up_once() {
    each_way(|ground| {
        ground.give("set-up");
        let events = ground.run("0", "marks::shared::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        assert_eq!(events.counts()["passed"], 3);
        let log = ["setup", "first", "second", "third", "teardown of 1"];
        assert_eq!(ground.log(), log);
    });
}

#[test]
fn case_10_in_one_process_a_splittable_suite_is_set_up_once() {
    each_way(|ground| {
        let events = ground.run("0", "marks::split::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        assert_eq!(events.counts()["passed"], 3);
        let log = ["setup", "first", "second", "third", "teardown"];
        assert_eq!(ground.log(), log);
        let events = ground.run("0", "marks::split_on_disk::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        assert_eq!(events.counts()["passed"], 3);
    });
}

#[test]
fn case_11_in_one_process_an_unmarked_suite_is_set_up_once() {
    each_way(|ground| {
        let events = ground.run("0", "marks::unmarked::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        assert_eq!(events.counts()["passed"], 3);
        let log = ["setup", "zeroth", "first", "another", "teardown after 3"];
        assert_eq!(ground.log(), log);
    });
}

#[test]
fn case_12_a_shared_suite_is_set_up_once_in_no_worker_and_its_tests_run_on_both() {
    each_way(|ground| {
        let mut run = ground.start("2", "marks::shared::", &[]);
        ground.await_line(&run, "setup");
        // it is being set up now: what runs it is no worker, for it outlives all of them
        let host = children(&run, "__fixture-host");
        assert_eq!(host.len(), 1);
        for worker in children(&run, "__worker") {
            send(worker, libc::SIGKILL);
            // until the primary has taken note: it would give it tests otherwise
            while run.children().contains(&worker) {
                std::thread::yield_now();
            }
        }
        ground.give("set-up");
        run.wait_for("set-up", " marks::shared");
        let events = run.finish();
        assert_eq!(events.code, 0, "{events:#?}");
        let workers: BTreeSet<u64> = THREE
            .iter()
            .map(|t| Ran::of(&events, &format!("marks::shared::{t}")).worker)
            .collect();
        assert_eq!(workers, BTreeSet::from([1, 2]));
        let log = ground.log();
        assert_eq!(log[0], "setup");
        assert_eq!(log[4..], ["teardown of 1"]);
        assert_eq!(
            log[1..4].iter().collect::<BTreeSet<_>>(),
            THREE.map(str::to_owned).iter().collect()
        );
        for event in ["set-up", "torn-down"] {
            let shared = named(&events, "fixture", event);
            assert_eq!(shared, ["acceptance.wasm marks::shared"]);
        }
    });
}

#[test]
fn case_13_an_unmarked_suite_is_whole_in_one_store_in_declaration_order() {
    each_way(|ground| {
        let events = ground.run("2", "marks::unmarked::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        let tests = ["zeroth", "first", "another"];
        let ran = tests.map(|t| Ran::of(&events, &format!("marks::unmarked::{t}")));
        assert!(ran.iter().all(|r| r.worker == ran[0].worker));
        assert!(ran.windows(2).all(|pair| pair[0].end <= pair[1].start));
        let log = ["setup", "zeroth", "first", "another", "teardown after 3"];
        assert_eq!(ground.log(), log);
    });
}

#[test]
fn case_14_a_splittable_suite_that_cannot_be_run_twice_fails_and_any_other_passes() {
    each_way(|ground| {
        let events = ground.run("2", "marks::split_on_disk::", &[]);
        assert_eq!(events.code, 1, "{events:#?}");
        assert!(events.counts()["failed"] > 0);
        let list = std::fs::read_to_string(ground.file("list")).expect("kept");
        // what a setup leaves outside its memory is never taken from a snapshot
        assert_eq!(list.lines().count(), 3);
        assert_eq!(events.ends().count(), 3);
    });
    each_way(|ground| {
        let events = ground.run("2", "marks::split::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        let workers: BTreeSet<u64> = THREE
            .iter()
            .map(|t| Ran::of(&events, &format!("marks::split::{t}")).worker)
            .collect();
        assert_eq!(workers, BTreeSet::from([1, 2]));
        for line in ["setup", "teardown"] {
            assert_eq!(ground.count(line), 3, "once for each test");
        }
    });
    each_way(|ground| {
        // each test asserts that it sees the state of exactly one run, and no other test's
        let events = ground.run("2", "marks::split_in_memory::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        assert_eq!(events.counts()["passed"], 3);
    });
}

#[test]
fn case_27_what_cannot_run_beside_anything_runs_alone_after_everything_else() {
    for processes in ["2", "4"] {
        each_way(|ground| {
            let events = ground.run(processes, "marks::alone::", &[]);
            assert_eq!(events.code, 0, "{events:#?}");
            let of = |test: &str| Ran::of(&events, &format!("marks::alone::{test}"));
            let parallel = ["a", "b", "c", "d"].map(|c| of(&format!("not::at_all::{c}")));
            let alone = ["one::first", "one::second", "two::first", "two::second"].map(of);
            for serial in &alone {
                assert!(parallel.iter().all(|p| p.end <= serial.start));
            }
            for (i, serial) in alone.iter().enumerate() {
                let mut others = alone[i + 1..].iter();
                assert!(!others.any(|o| o.overlaps(serial)), "{alone:?}");
            }
            let log = ground.log();
            let one = ["alone begins", "alone ends"];
            let first = log.iter().position(|l| l == "alone begins").expect("noted");
            let parallel = log[..first].iter();
            assert_eq!(parallel.filter(|l| *l == "parallel ends").count(), 4);
            let rest: Vec<&str> = log[first..].iter().map(String::as_str).collect();
            let rest: Vec<&str> = rest.into_iter().filter(|l| *l != "one setup").collect();
            assert_eq!(rest, one.repeat(4));
            assert_eq!(ground.count("one setup"), 1);
        });
    }
}

#[test]
fn case_28_an_unmarked_fixture_of_a_package_makes_everything_below_it_one_unit() {
    each_way(|ground| {
        let events = ground.run_of("package", "2", &[""], &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        let ran = [
            "module::class::first",
            "module::class::second",
            "another::third",
        ];
        let ran = ran.map(|t| Ran::of(&events, t));
        assert!(ran.iter().all(|r| r.worker == ran[0].worker));
        assert_eq!(
            ground.log(),
            [
                "package setup",
                "module setup",
                "class setup",
                "first 1",
                "second 2",
                "class teardown",
                "module teardown",
                "third 3",
                "package teardown"
            ]
        );
        assert!(named(&events, "fixture", "set-up").is_empty());
    });
}

#[test]
fn case_28_a_shared_package_does_not_keep_what_is_below_it_together() {
    each_way(|ground| {
        let events = ground.run("2", "nested::under_shared::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        let of = |test: &str| Ran::of(&events, &format!("nested::under_shared::module::{test}"));
        let [first, second] = ["class::first", "class::second"].map(of);
        assert_eq!(first.worker, second.worker);
        // each has waited for the other
        let beside = of("is_beside_the_class");
        assert!(beside.overlaps(&first), "{beside:?} and {first:?}");
        assert_ne!(beside.worker, first.worker);
        assert_eq!(ground.log()[..2], ["package setup", "module setup"]);
        for line in ["package setup", "module setup", "class setup"] {
            assert_eq!(ground.count(line), 1, "{line}");
        }
        assert_eq!(
            named(&events, "fixture", "set-up"),
            [
                "acceptance.wasm nested::under_shared",
                "acceptance.wasm nested::under_shared::module"
            ]
        );
    });
}

#[test]
fn case_28_splittable_contexts_are_replayed_outermost_first() {
    each_way(|ground| {
        let events = ground.run("2", "nested::under_split::", &[]);
        assert_eq!(events.code, 0, "{events:#?}");
        let of = |test: &str| {
            format!("package, module, class, {test}, class ends, module ends, package ends")
        };
        let mut log = ground.log();
        log.sort();
        assert_eq!(log, [of("first"), of("second")]);
    });
}
