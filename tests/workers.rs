//! Worker processes: how many, what happens when they are late, die or are told to stop.

use crate::exec::starts_with;
use crate::support::{Events, Ran, Target, arg, events, guest, run, wasmtest};
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

#[test]
fn case_02_two_tests_are_in_flight_at_the_same_moment() {
    let module = guest("slow", Target::P1, "dev");
    let events = events([
        arg(&module),
        "--processes",
        "2",
        "--",
        "a_sleeps",
        "b_sleeps",
    ]);
    assert_eq!(events.code, 0);
    let times = |test: &str| {
        let own = &events.end(&format!("tests::{test}_sleeps_a_second"))["wasmtest"];
        (
            own["start"].as_f64().expect("known"),
            own["end"].as_f64().expect("known"),
            own["worker"].clone(),
        )
    };
    let (a, b) = (times("a"), times("b"));
    assert!(a.0 < b.1 && b.0 < a.1, "{a:?} and {b:?} do not overlap");
    assert_ne!(a.2, b.2);
}

#[test]
fn case_03_processes_are_counted_as_asked() {
    let module = guest("trivial", Target::P1, "dev");
    let workers = |processes: &str| -> HashSet<u64> {
        let events = events([arg(&module), "--processes", processes]);
        assert_eq!(events.summary()["passed"], 1000);
        events
            .ends()
            .map(|e| e["wasmtest"]["worker"].as_u64().expect("known"))
            .collect()
    };
    let cpus = std::thread::available_parallelism().expect("known").get();
    assert_eq!(workers("0"), HashSet::from([0]));
    assert_eq!(workers("1"), HashSet::from([1]));
    assert_eq!(workers("3"), HashSet::from([1, 2, 3]));
    for all in ["auto", "-1"] {
        let ran = run([arg(&module), "-q", "--processes", all]);
        let place = format!(" on {cpus} process{}", if cpus == 1 { "" } else { "es" });
        assert!(ran.stdout.contains(&place), "{}", ran.stdout);
    }
    assert!(
        run([arg(&module), "-q", "--processes", "0"])
            .stdout
            .contains("in the primary")
    );
}

#[test]
fn a_test_that_is_blocked_in_the_host_is_stopped_and_its_siblings_run() {
    for target in Target::BOTH {
        let module = guest("slow", target, "dev");
        let events = events([
            arg(&module),
            "--processes",
            "1",
            "--process-timeout",
            "0.5",
            "--skip",
            "a_second",
        ]);
        assert_eq!(events.outcome("tests::c_sleeps_for_ever"), "timed-out");
        assert_eq!(
            events.end("tests::c_sleeps_for_ever")["reason"],
            "time limit exceeded"
        );
        for sibling in ["d", "e", "f"] {
            assert_eq!(
                events.outcome(&format!("tests::{sibling}_passes")),
                "passed"
            );
        }
        assert_eq!(events.summary()["wasmtest"]["timeouts"], 1);
    }
}

#[test]
fn what_waits_behind_a_long_test_is_taken_over() {
    let module = guest("slow", Target::P1, "dev");
    let events = events([arg(&module), "--processes", "2", "--process-timeout", "2"]);
    let ended = |test: &str| -> f64 {
        let end = events.end(&format!("tests::{test}"))["wasmtest"]["end"].clone();
        end.as_f64().expect("it ran")
    };
    // everything else ended while one worker slept, so none of it waited for that
    for other in ["d_passes", "e_passes", "f_passes"] {
        assert!(ended(other) < ended("c_sleeps_for_ever"), "{other}");
    }
}

/// A run that was started and can be watched.
pub struct Watched {
    pub child: Child,
    lines: BufReader<ChildStdout>,
    seen: String,
    /// What it is granted, if that is to be there as long as it.
    granted: Option<tempfile::TempDir>,
}

impl Watched {
    pub fn start(args: &[&str]) -> Watched {
        let mut command = wasmtest();
        command.args(["run", "--message-format", "json"]).args(args);
        // whatever these tests were started with
        Watched::begin(starts_with(&mut command, libc::SIGHUP, libc::SIG_DFL))
    }

    /// One whose only child is a worker that sleeps in its test `c_sleeps_for_ever`; those behind
    /// that pass.
    pub fn asleep() -> Watched {
        Watched::asleep_among(1)
    }

    /// The same, among so many workers.
    pub fn asleep_among(processes: usize) -> Watched {
        let module = guest("slow", Target::P1, "dev");
        // compiled by now
        assert_eq!(run([arg(&module), "-q", "--", "d_passes"]).code, 0);
        let dir = tempfile::tempdir().expect("a folder");
        let granted = format!("{}::/told:rw", dir.path().display());
        let processes = processes.to_string();
        let mut args = vec![
            arg(&module),
            "--processes",
            &processes,
            "--skip",
            "a_second",
        ];
        args.extend(["--dir", &granted, "--env", "BEGAN=/told/began"]);
        let mut run = Watched::start(&args);
        // that it is about to begin is told a moment before it does
        while !dir.path().join("began").exists() {
            std::thread::yield_now();
        }
        run.granted = Some(dir);
        run
    }

    /// A run with JSON on stdout.
    pub fn begin(command: &mut Command) -> Watched {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Watched {
            child,
            lines,
            seen: String::new(),
            granted: None,
        }
    }

    /// Reads events until this one is there.
    pub fn wait_for(&mut self, event: &str, path: &str) {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.lines.read_line(&mut line).expect("readable"),
                0,
                "no {event} of {path}: {}",
                self.seen
            );
            self.seen.push_str(&line);
            let value: Value = serde_json::from_str(&line).expect("JSON");
            if value["event"] == event && value["name"].as_str().is_some_and(|n| n.ends_with(path))
            {
                return;
            }
        }
    }

    pub fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// The processes that it has started and that are there now.
    pub fn children(&self) -> Vec<u32> {
        let id = self.child.id();
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("it is not waited for");
        tasks
            .flat_map(|task| {
                let path = task.expect("readable").path().join("children");
                // a thread may have ended meanwhile
                let text = std::fs::read_to_string(path).unwrap_or_default();
                text.split_whitespace()
                    .map(|c| c.parse().expect("a number"))
                    .collect::<Vec<u32>>()
            })
            .collect()
    }

    pub fn finish(mut self) -> Events {
        self.lines.read_to_string(&mut self.seen).expect("readable");
        let output = self.child.wait_with_output().expect("it ends");
        drop(self.granted);
        Events::of(Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: self.seen,
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        })
    }
}

pub fn send(process: u32, signal: i32) {
    // SAFETY: kill has no preconditions; the process is one that this test started.
    let sent = unsafe { libc::kill(process as i32, signal) };
    assert_eq!(sent, 0);
}

/// Waits until a process that is not our child is gone.
pub fn await_end(process: u32) {
    // SAFETY: plain system calls on a descriptor that is made and closed here.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, process, 0) as i32;
        if fd < 0 {
            return;
        }
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        assert_eq!(
            libc::poll(&mut poll, 1, 60_000),
            1,
            "process {process} is still there"
        );
        libc::close(fd);
    }
}

#[test]
fn a_worker_that_dies_costs_the_test_that_it_ran_and_no_other() {
    let run = Watched::asleep();
    let workers = run.children();
    assert_eq!(workers.len(), 1);
    send(workers[0], libc::SIGKILL);
    let events = run.finish();
    assert_eq!(events.outcome("tests::c_sleeps_for_ever"), "crashed");
    assert!(
        events
            .message("tests::c_sleeps_for_ever")
            .contains("signal 9")
    );
    for sibling in ["d", "e", "f"] {
        assert_eq!(
            events.outcome(&format!("tests::{sibling}_passes")),
            "passed"
        );
    }
    assert_eq!(events.code, 1);
}

#[test]
fn an_interrupt_names_what_was_in_flight_and_what_was_not_run() {
    for (signal, code, why) in [
        (libc::SIGINT, 130, "the run was interrupted (SIGINT)"),
        (libc::SIGTERM, 143, "the run was terminated (SIGTERM)"),
        (libc::SIGHUP, 129, "the run's terminal is gone (SIGHUP)"),
    ] {
        for processes in ["1", "0"] {
            let module = guest("slow", Target::P1, "dev");
            let mut run =
                Watched::start(&[arg(&module), "--processes", processes, "--skip", "a_second"]);
            run.wait_for("started", "c_sleeps_for_ever");
            let workers = run.children();
            run.signal(signal);
            let events = run.finish();
            assert_eq!(events.code, code);
            assert_eq!(events.outcome("tests::c_sleeps_for_ever"), "interrupted");
            assert_eq!(events.summary()["wasmtest"]["not_run"], 3);
            let not_run = ["d", "e", "f"].map(|t| format!("tests::{t}_passes"));
            let mut named = events.not_run();
            named.sort_unstable();
            assert_eq!(named, not_run.each_ref().map(|t| (&**t, why)));
            for worker in workers {
                await_end(worker);
            }
        }
    }
}

#[test]
fn what_a_blocked_test_wrote_is_told_at_its_limit_and_at_an_interrupt() {
    for target in Target::BOTH {
        let module = guest("awkward", target, "dev");
        for processes in ["1", "0"] {
            let args = [
                arg(&module),
                "--processes",
                processes,
                "--exact",
                "--",
                "tests::writes_and_sleeps",
            ];
            let limited = events([&args[..1], &["--process-timeout", "0.3"], &args[1..]].concat());
            assert_eq!(limited.outcome("tests::writes_and_sleeps"), "timed-out");
            let text = limited.end("tests::writes_and_sleeps")["stdout"]
                .as_str()
                .expect("told");
            assert!(
                text.starts_with("before the sleep\nand on stderr\n"),
                "{text}"
            );
            let mut run = Watched::start(&args);
            run.wait_for("started", "writes_and_sleeps");
            run.signal(libc::SIGTERM);
            let interrupted = run.finish();
            assert_eq!(interrupted.code, 143);
            assert_eq!(
                interrupted.outcome("tests::writes_and_sleeps"),
                "interrupted"
            );
        }
    }
}

#[test]
fn workers_end_with_their_primary_however_it_ends() {
    let module = guest("slow", Target::P1, "dev");
    let mut run = Watched::start(&[arg(&module), "--processes", "2", "--skip", "a_second"]);
    run.wait_for("started", "c_sleeps_for_ever");
    let workers = run.children();
    assert!(!workers.is_empty());
    run.signal(libc::SIGKILL);
    for worker in workers {
        await_end(worker);
    }
    let _ = run.child.wait();
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let module = guest("trivial", Target::P1, "dev");
    for format in ["human", "json"] {
        let mut child = wasmtest()
            .args(["run", "-v", "--message-format", format, arg(&module)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    }
}

#[test]
fn a_run_that_is_out_of_time_stops_what_runs_and_begins_nothing() {
    let module = guest("slow", Target::P1, "dev");
    assert_eq!(run([arg(&module), "-q", "--", "d_passes"]).code, 0);
    for processes in ["1", "0"] {
        let args = [
            arg(&module),
            "--processes",
            processes,
            "--skip",
            "a_second",
            "--run-timeout",
            "4",
        ];
        let events = events(args);
        assert_eq!(events.code, 1, "{events:#?}");
        let limit = "the run had taken 4s, which is its limit (--run-timeout)";
        assert_eq!(events.outcome("tests::c_sleeps_for_ever"), "timed-out");
        assert_eq!(
            events.message("tests::c_sleeps_for_ever"),
            format!("it was stopped when {limit}")
        );
        let not_run = ["d", "e", "f"].map(|t| format!("tests::{t}_passes"));
        let mut named = events.not_run();
        named.sort_unstable();
        assert_eq!(named, not_run.each_ref().map(|t| (&**t, limit)));
    }
    let ran = run([
        arg(&module),
        "--run-timeout",
        "4",
        "--exact",
        "--",
        "tests::c_sleeps_for_ever",
    ]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains("OUT OF TIME (timeouts=1)"),
        "{}",
        ran.stdout
    );
    assert_eq!(run([arg(&module), "--run-timeout", "soon"]).code, 2);
}

#[test]
fn a_run_that_is_out_of_time_while_it_lists_or_sets_up_says_so() {
    let lists = guest("lists_for_ever", Target::P1, "dev");
    let events_of = |module: &std::path::Path| events([arg(module), "--run-timeout", "2"]);
    let events = events_of(&lists);
    assert_eq!(events.code, 1, "{events:#?}");
    let end = events.ends().next().expect("it is named");
    assert_eq!(end["wasmtest"]["error"], "cannot be listed");
    let message = end["wasmtest"]["message"].as_str().expect("told");
    assert!(message.contains("--run-timeout"), "{message}");
    let sets_up = guest("sets_up_for_ever", Target::P1, "dev");
    let events = events_of(&sets_up);
    assert_eq!(events.code, 1, "{events:#?}");
    assert_eq!(events.outcome("needs_it"), "not-run");
}

#[test]
fn whatever_a_guest_is_at_it_is_stopped_at_its_limit_and_others_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut modules = xtask::overshoot::guests(folder.path()).expect("they are written");
    modules.push(guest("returns", Target::P1, "dev"));
    let granted = format!("{}::/p", folder.path().display());
    for processes in ["2", "0"] {
        let mut args: Vec<&str> = modules.iter().map(|m| arg(m)).collect();
        args.extend(["--processes", processes, "--process-timeout", "0.5"]);
        args.extend(["--dir", &granted]);
        let events = events(args);
        assert_eq!(events.code, 1, "{events:#?}");
        let counts = events.counts();
        assert_eq!(counts["timed-out"], modules.len() - 1, "{events:#?}");
        assert_eq!(counts["passed"], 1, "{events:#?}");
    }
}

#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let module = guest("slow", Target::P1, "dev");
    let mut command = wasmtest();
    command.args([
        "run",
        "--message-format",
        "json",
        arg(&module),
        "--",
        "a_sleeps_a_second",
    ]);
    let mut run = Watched::begin(starts_with(&mut command, libc::SIGHUP, libc::SIG_IGN));
    run.wait_for("started", "a_sleeps_a_second");
    run.signal(libc::SIGHUP);
    let events = run.finish();
    assert_eq!(
        (events.code, events.outcome("tests::a_sleeps_a_second")),
        (0, "passed")
    );
}
