//! Case 25: workers that are gone for good.

use super::{children, each_way};
use crate::support::Events;
use crate::workers::{Watched, send};

/// Every test has ended, none of them well, and those that nobody ran say why.
fn all_are_accounted_for(events: &Events) {
    assert_ne!(events.code, 0);
    assert_eq!(events.ends().count(), 10, "{events:#?}");
    let cases = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|c| format!("waits::{c}"));
    let units = ["a", "b"].map(|c| format!("of_one_store::waits::{c}"));
    for test in cases.iter().chain(&units) {
        let path = format!("stopping::crowd::{test}");
        let message = events.message(&path);
        match events.outcome(&path) {
            "crashed" => assert!(message.contains("its worker died"), "{message}"),
            "errored" => assert!(message.contains("no worker is left"), "{message}"),
            other => panic!("{path} is {other}"),
        }
    }
}

/// Forbids a process to open anything more.
fn close_off(run: &Watched) {
    let limit = libc::rlimit {
        rlim_cur: 3,
        rlim_max: 3,
    };
    let process = run.child.id() as i32;
    // SAFETY: the limit lives as long as the call; the process is one that this test
    // started.
    let set = unsafe { libc::prlimit(process, libc::RLIMIT_NOFILE, &limit, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

#[test]
fn case_25_a_run_whose_workers_cannot_be_replaced_ends_by_itself_and_accounts_for_every_test() {
    each_way(|ground| {
        let run = ground.start("2", "stopping::crowd::", &[]);
        ground.await_lines(&run, "waiting", 2);
        // whatever it starts from now on does not start
        close_off(&run);
        let workers = children(&run, "__worker");
        assert_eq!(workers.len(), 2);
        for worker in workers {
            send(worker, libc::SIGKILL);
        }
        let events = run.finish();
        all_are_accounted_for(&events);
        assert_eq!(events.counts()["crashed"], 2);
        assert_eq!(events.counts()["errored"], 8);
    });
}

#[test]
fn case_25_a_run_whose_workers_are_killed_as_they_come_ends_by_itself() {
    each_way(|ground| {
        let mut run = ground.start("2", "stopping::crowd::", &[]);
        ground.await_line(&run, "waiting");
        while run.child.try_wait().expect("it is ours").is_none() {
            for worker in children(&run, "__worker") {
                // it may have ended by itself meanwhile
                // SAFETY: kill has no preconditions; the process is not waited for by
                // anybody but its parent, which this test started.
                let _ = unsafe { libc::kill(worker as i32, libc::SIGKILL) };
            }
            std::thread::yield_now();
        }
        all_are_accounted_for(&run.finish());
    });
}
