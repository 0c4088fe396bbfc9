//! Processes of a run: none outlives its primary, and none that is stopped or stays holds it up.

use crate::exec::starts_with;
use crate::support::{Events, Target, arg, events, guest, run, wasmtest, wat};
use crate::workers::{Watched, send};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xtask::processes::{Handle, children_of};

/// Waits until a process has ended.
fn await_end(child: &Handle) {
    let ended = child.has_ended_within(Duration::from_secs(60));
    assert!(ended, "process {} is still there", child.process());
}

/// The children of a process that were started for this.
fn of_role(process: u32, role: &str) -> Vec<u32> {
    let is = |child: &u32| {
        let words = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(role)
    };
    children_of(process).into_iter().filter(is).collect()
}

/// Looks until a process has a child of this role, and gives it.
fn await_child(process: u32, role: &str) -> u32 {
    loop {
        if let Some(child) = of_role(process, role).first() {
            return *child;
        }
        std::thread::yield_now();
    }
}

/// The same of a run.
fn await_role(run: &Watched, role: &str) -> u32 {
    await_child(run.child.id(), role)
}

/// A module that takes seconds to compile, and does nothing.
fn slow_to_compile(folder: &Path) -> PathBuf {
    let mut text = String::from("(module (memory 1) (func (export \"_start\"))");
    for function in 0..16 {
        text.push_str("(func (param i32) (result i32) (local i32) local.get 0\n");
        for i in 0..4000 {
            let (at, by) = (i * 4 % 4096, function + i);
            writeln!(
                text,
                "(if (param i32) (result i32) (i32.load offset={at} (local.get 0)) (then i32.const {by} i32.mul local.tee 1) (else local.get 1 i32.xor))"
            )
            .expect("a string");
        }
        text.push(')');
    }
    text.push(')');
    wat(folder, "slow.wasm", &text)
}

/// Kills the primary once a child of this role is at work; nothing of the run is left then.
fn dies_at(args: &[&str], role: &str) {
    let mut run = Watched::start(args);
    await_role(&run, role);
    let children: Vec<Handle> = run.children().into_iter().filter_map(Handle::of).collect();
    run.signal(libc::SIGKILL);
    for child in children {
        await_end(&child);
    }
    run.child.wait().expect("it is waited for");
}

#[test]
fn nothing_outlives_a_primary_that_is_killed_while_it_compiles_lists_or_sets_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = slow_to_compile(folder.path());
    let cache = folder.path().join("cache");
    let args = [arg(&module), "--cache-dir", arg(&cache)];
    dies_at(&args, "__compiler");
    // whoever comes next waits for nobody
    let ran = run(args);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);

    for (guest_name, role) in [
        ("lists_for_ever", "__worker"),
        ("sets_up_for_ever", "__fixture-host"),
    ] {
        let module = guest(guest_name, Target::P1, "dev");
        dies_at(&[arg(&module)], role);
    }
}

/// What is said of whatever failed beside tests.
fn errors(events: &Events) -> Vec<&str> {
    let own = events.ends().map(|end| &end["wasmtest"]);
    let failed = own.filter(|own| own["error"].is_string());
    failed.filter_map(|own| own["message"].as_str()).collect()
}

const STOPPED: &str = "stopped from outside by signal 19 (SIGSTOP), and so ended";

#[test]
fn a_worker_that_is_stopped_is_ended_and_its_test_is_blamed() {
    let run = Watched::asleep();
    let workers = of_role(run.child.id(), "__worker");
    send(workers[0], libc::SIGSTOP);
    let events = run.finish();
    assert_eq!(events.outcome("tests::c_sleeps_for_ever"), "crashed");
    let message = events.message("tests::c_sleeps_for_ever");
    assert!(message.contains(STOPPED), "{message}");
    for sibling in ["d", "e", "f"] {
        let sibling = format!("tests::{sibling}_passes");
        assert_eq!(events.outcome(&sibling), "passed");
    }
    assert_eq!(events.code, 1);
}

#[test]
fn an_idle_worker_that_is_stopped_holds_nobody_up_at_the_end() {
    let mut run = Watched::asleep_among(2);
    for _ in 0..3 {
        run.wait_for("ok", "_passes");
    }
    // one of the two sleeps in its test, the other one has nothing to do; both are stopped by the
    // time that anybody is there to see it
    run.signal(libc::SIGSTOP);
    for worker in of_role(run.child.id(), "__worker") {
        send(worker, libc::SIGSTOP);
    }
    run.signal(libc::SIGCONT);
    run.wait_for("failed", "c_sleeps_for_ever");
    let events = run.finish();
    assert_eq!(events.code, 1);
    assert_eq!(events.outcome("tests::c_sleeps_for_ever"), "crashed");
    assert_eq!(events.summary()["passed"], 3);
}

#[test]
fn a_fixture_host_that_is_stopped_is_ended_and_what_stood_in_it_is_told() {
    let module = guest("sets_up_for_ever", Target::P1, "dev");
    let run = Watched::start(&[arg(&module)]);
    let host = await_role(&run, "__fixture-host");
    send(host, libc::SIGSTOP);
    let events = run.finish();
    assert!(
        errors(&events).iter().any(|e| e.contains(STOPPED)),
        "{events:#?}"
    );
    assert_eq!(events.outcome("needs_it"), "not-run");
    assert_eq!(events.code, 1);
}

#[test]
fn an_interrupt_ends_a_run_whose_child_is_stopped_or_that_compiles_lists_or_sets_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = slow_to_compile(folder.path());
    let cache = folder.path().join("cache");
    let lists = guest("lists_for_ever", Target::P1, "dev");
    let sets_up = guest("sets_up_for_ever", Target::P1, "dev");
    for (module, role) in [
        (&slow, "__compiler"),
        (&lists, "__worker"),
        (&sets_up, "__fixture-host"),
    ] {
        for (signal, code, stops) in [(libc::SIGINT, 130, false), (libc::SIGTERM, 143, true)] {
            let run = Watched::start(&[arg(module), "--cache-dir", arg(&cache)]);
            let child = await_role(&run, role);
            let children: Vec<Handle> = run.children().into_iter().filter_map(Handle::of).collect();
            if stops {
                send(child, libc::SIGSTOP);
            }
            run.signal(signal);
            let events = run.finish();
            assert_eq!(events.code, code, "{role} {stops}: {events:#?}");
            if role == "__compiler" {
                assert!(events.stderr.contains("were known"), "{events:#?}");
            }
            for child in children {
                await_end(&child);
            }
        }
    }
    // nothing is left that the next one would wait for, or have to remove
    let left = fs::read_dir(cache.join("v1")).expect("made").flatten();
    let left = left.filter(|entry| {
        let name = entry.file_name();
        [".new-", "run-"]
            .iter()
            .any(|of| name.to_string_lossy().starts_with(of))
    });
    assert_eq!(left.count(), 0);
    let ran = wasmtest()
        .args(["list", arg(&slow), "--cache-dir", arg(&cache)])
        .output()
        .expect("it starts");
    assert!(ran.status.success());
}

#[test]
fn a_run_that_is_out_of_time_while_it_compiles_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = slow_to_compile(folder.path());
    let cache = folder.path().join("cache");
    let events = events([
        arg(&slow),
        "--cache-dir",
        arg(&cache),
        "--run-timeout",
        "0.1",
    ]);
    assert_eq!(events.code, 1, "{events:#?}");
    let end = &events.ends().next().expect("it is named")["wasmtest"];
    assert_eq!(end["error"], "cannot be loaded");
    let message = end["message"].as_str().expect("told");
    assert!(
        message.starts_with("it was not compiled yet when"),
        "{message}"
    );
}

#[test]
fn two_interrupts_one_after_the_other_end_a_run_that_sets_up() {
    let module = guest("sets_up_for_ever", Target::P1, "dev");
    for _ in 0..4 {
        let run = Watched::start(&[arg(&module)]);
        await_role(&run, "__fixture-host");
        // of two that are the same the second may not be seen
        run.signal(libc::SIGINT);
        run.signal(libc::SIGTERM);
        let events = run.finish();
        assert!([130, 143].contains(&events.code), "{events:#?}");
        assert_eq!(events.outcome("needs_it"), "not-run");
    }
}

#[test]
fn a_list_or_a_plan_that_was_interrupted_is_no_success() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = slow_to_compile(folder.path());
    let cache = folder.path().join("cache");
    for (words, signal, code) in [
        (&["list"][..], libc::SIGTERM, 143),
        (&["plan"], libc::SIGINT, 130),
        (&["list", "--message-format", "json"], libc::SIGHUP, 129),
    ] {
        let mut command = wasmtest();
        command
            .args(words)
            .args([arg(&slow), "--cache-dir", arg(&cache)]);
        let mut run = Watched::begin(starts_with(&mut command, libc::SIGHUP, libc::SIG_DFL));
        await_role(&run, "__compiler");
        run.signal(signal);
        let status = run.child.wait().expect("it is waited for");
        assert_eq!(status.code(), Some(code), "{words:?}");
    }
    let lists = guest("lists_for_ever", Target::P1, "dev");
    let mut command = wasmtest();
    let mut run = Watched::begin(command.args(["cargo-runner", arg(&lists), "--list"]));
    await_role(&run, "__worker");
    run.signal(libc::SIGTERM);
    let status = run.child.wait().expect("it is waited for");
    assert!(!status.success(), "{status}");
}

#[test]
fn a_run_whose_report_nobody_reads_ends_at_its_limit_and_at_interrupts_all_the_same() {
    let module = guest("thousand", Target::P1, "dev");
    let slow = guest("slow", Target::P1, "dev");
    assert_eq!(run([arg(&slow), "-q", "--", "d_passes"]).code, 0);
    let args = [
        arg(&module),
        arg(&slow),
        "--processes",
        "2",
        "--show-output",
    ];
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // there is room for nothing
    fill(&writer);
    for limit in [&[][..], &["--run-timeout", "2"]] {
        let mut command = wasmtest();
        command
            .args(["run", "--message-format", "json"])
            .args(args)
            .args(limit);
        command.stdout(writer.try_clone().expect("a descriptor"));
        command.stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let code = match limit {
            [] => {
                await_child(child.id(), "__worker");
                for signal in [libc::SIGINT, libc::SIGTERM] {
                    send(child.id(), signal);
                }
                [130, 143]
            }
            _ => [1, 1],
        };
        let status = child.wait().expect("it is waited for");
        assert!(status.code().is_some_and(|c| code.contains(&c)), "{status}");
    }
    drop(reader);
}

/// Writes to a pipe until it is full.
fn fill(mut pipe: &std::io::PipeWriter) {
    let number = pipe.as_raw_fd();
    let set = |flags: i32| {
        // SAFETY: sets a flag of a descriptor that is open.
        assert_ne!(unsafe { libc::fcntl(number, libc::F_SETFL, flags) }, -1);
    };
    set(libc::O_NONBLOCK);
    while pipe.write(&[b' '; 4096]).is_ok() {}
    while pipe.write(b" ").is_ok() {}
    set(0);
}

#[test]
fn a_module_whose_compiler_was_killed_from_outside_is_compiled_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = slow_to_compile(folder.path());
    let cache = folder.path().join("cache");
    for signal in [libc::SIGKILL, libc::SIGSTOP] {
        let run = Watched::start(&[arg(&slow), "--cache-dir", arg(&cache)]);
        let compiler = await_role(&run, "__compiler");
        send(compiler, signal);
        let events = run.finish();
        assert_eq!(events.code, 0, "{events:#?}");
        assert!(
            events.stderr.contains("is started once more"),
            "{events:#?}"
        );
        fs::remove_dir_all(&cache).expect("made");
    }
}

#[test]
fn a_module_whose_lister_was_killed_from_outside_is_listed_once_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"(module (memory 1)
        (data (i32.const 0) "RUST_TEST_THREADS RUST_TEST_NOCAPTURE")
        (func (export "_start") (loop br 0)))"#;
    let lists = wat(folder.path(), "lists.wasm", text);
    let mut command = wasmtest();
    command.args(["list", arg(&lists)]);
    command.stderr(std::process::Stdio::piped());
    let mut run = command.spawn().expect("it starts");
    let mut before = None;
    for _ in 0..2 {
        let worker = loop {
            let ended = run.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "{ended:?}");
            match of_role(run.id(), "__worker").first() {
                Some(worker) if before != Some(*worker) && has_worked(*worker) => break *worker,
                _ => std::thread::yield_now(),
            }
        };
        before = Some(worker);
        send(worker, libc::SIGKILL);
    }
    let mut stderr = String::new();
    let mut pipe = run.stderr.take().expect("it is a pipe");
    pipe.read_to_string(&mut stderr).expect("text");
    let status = run.wait().expect("it is waited for");
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert_eq!(
        stderr.matches("are listed once more").count(),
        1,
        "{stderr}"
    );
    let died = "its worker died while it listed its tests: killed by signal 9 (SIGKILL)";
    assert_eq!(stderr.matches(died).count(), 1, "{stderr}");
}

/// Whether a process has been at work for a fifth of a second.
fn has_worked(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // the eleventh field after the state is its time, in hundredths
    let ticks = after_name
        .split_whitespace()
        .nth(11)
        .and_then(|t| t.parse::<u64>().ok());
    ticks.is_some_and(|ticks| ticks >= 20)
}
