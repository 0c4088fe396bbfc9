//! Cases 4, 5, 23 and 24 where what is taken down stands in a store that was stopped in
//! the middle of a test; and of case 14 what the event stream says of snapshots.

use super::functional::{is_interrupted, two_interrupts};
use super::{each_way, named};

#[test]
fn case_04_the_suite_of_a_test_that_was_interrupted_is_taken_down() {
    for processes in ["2", "0"] {
        each_way(|ground| {
            let mut run = ground.start(processes, "stopping::interrupted::", &[]);
            run.wait_for("started", "a_sleeps");
            ground.await_line(&run, "a_sleeps");
            run.signal(libc::SIGINT);
            is_interrupted(&run.finish(), "stopping::interrupted");
            assert_eq!(
                ground.log(),
                [
                    "account setup",
                    "setup with 7",
                    "a_sleeps",
                    "teardown",
                    "account 7 teardown"
                ]
            );
        });
    }
}

#[test]
fn case_05_a_second_interrupt_ends_a_teardown_in_a_store_that_was_stopped() {
    let suite = "stopping::lingers_in_its_store";
    each_way(|ground| two_interrupts(ground, suite, suite));
}

#[test]
fn a_second_interrupt_names_the_teardown_that_ran_and_not_the_unit_that_it_is_in() {
    let suite = "stopping::lingers_inside";
    let slow = format!("{suite}::slow");
    each_way(|ground| two_interrupts(ground, suite, &slow));
}

#[test]
fn case_23_a_suite_whose_last_test_panics_is_taken_down() {
    each_way(|ground| {
        let path = "stopping::first_panic_of_a_unit::";
        let events = ground.run("2", path, &["-x"]);
        assert_eq!(events.code, 1, "{events:#?}");
        assert_eq!(events.outcome(&format!("{path}a_fails")), "failed");
        assert_eq!(events.ends().count(), 3);
        assert_eq!(events.summary()["wasmtest"]["not_run"], 2);
        assert_eq!(events.not_run().len(), 2);
        assert_eq!(ground.log(), ["setup", "a", "teardown"]);
    });
}

#[test]
fn case_14_the_event_stream_names_the_snapshot_or_says_why_there_is_none() {
    each_way(|ground| {
        let told = |suite: &str, flags: &[&str]| {
            let events = ground.run("2", &format!("{suite}::"), flags);
            let of = |event| {
                let name = format!("acceptance.wasm {suite}");
                let names = named(&events, "fixture", event);
                names.iter().filter(|n| **n == name).count()
            };
            (of("snapshot"), of("re-run"))
        };
        let memory = "marks::split_in_memory";
        assert_eq!(told("marks::split", &[]), (0, 1), "it writes to a file");
        let kept = match ground.flags.contains(&"--no-snapshot") {
            true => (0, 1),
            false => (1, 0),
        };
        assert_eq!(told(memory, &[]), kept);
    });
}
