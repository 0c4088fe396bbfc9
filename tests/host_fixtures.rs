//! Host fixtures: started when a test needs them, ready before it runs, gone at the end.

use crate::support::{Events, Target, arg, events, finish, guest, run, wasmtest, workspace};
use crate::workers::{Watched, await_end, send};
use serde_json::Value;
use std::ffi::CString;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder with this `wasmtest.toml`.
fn configured(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wasmtest.toml");
    fs::write(&file, text).expect("written");
    (folder, file)
}

#[test]
fn a_configuration_is_found_above_named_or_left_out() {
    let (folder, file) = configured("[fixture.db]\ncomand = [\"db\"]\n");
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).expect("made");
    let module = guest("returns", Target::P1, "dev");
    let ran = |flags: &[&str]| {
        finish(
            wasmtest()
                .current_dir(&below)
                .arg("run")
                .arg(&module)
                .args(flags),
        )
    };
    let found = ran(&[]);
    assert_eq!(found.code, 2);
    assert!(
        found
            .stderr
            .contains("wasmtest.toml:2:1: unknown key `comand`"),
        "{}",
        found.stderr
    );
    assert_eq!(ran(&["--no-config"]).code, 0);
    fs::write(below.join("wasmtest.toml"), "").expect("written");
    assert_eq!(ran(&[]).code, 0, "the first one upwards is it");
    assert_eq!(ran(&["--config", arg(&file)]).code, 2);
    let missing = ran(&["--config", "missing.toml"]);
    assert_eq!(missing.code, 2);
    assert!(
        missing
            .stderr
            .contains("error: missing.toml: it cannot be read"),
        "{}",
        missing.stderr
    );
}

fn toml(path: &Path) -> String {
    Value::from(path.to_str().expect("UTF-8")).to_string()
}

/// The example's server, built for this machine.
fn server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let manifest = workspace().join("examples/Cargo.toml");
        let manifest = manifest.to_string_lossy();
        let args = ["--quiet", "--manifest-path", &*manifest, "--bin", "server"];
        let built = xtask::guest::build_programs(&args).expect("it builds");
        let (_, path) = built
            .into_iter()
            .find(|(name, _)| name == "server")
            .expect("one program");
        path
    };
    BUILT.get_or_init(build).clone()
}

/// Runs tests of the guest `bound`.
fn bound(target: Target, config: &Path, flags: &[&str]) -> Events {
    let module = guest("bound", target, "dev");
    events([&[arg(&module), "--config", arg(config)], flags].concat())
}

/// What is said of a fixture that failed.
fn failure<'a>(events: &'a Events, fixture: &str) -> &'a Value {
    let name = format!("fixture {fixture}");
    let mut ends = events.ends().filter(|e| e["name"] == *name);
    let end = ends.next().unwrap_or_else(|| panic!("{events:#?}"));
    assert!(ends.next().is_none(), "one error: {events:#?}");
    &end["wasmtest"]
}

#[test]
fn the_example_talks_to_its_server() {
    // built by now, and not while its time runs
    server();
    let manifest = workspace().join("examples/Cargo.toml");
    let built = xtask::guest::build_tests(&[
        "--quiet",
        "--manifest-path",
        &manifest.to_string_lossy(),
        "--target",
        Target::P2.triple(),
        "-p",
        "net",
    ])
    .expect("it builds");
    let folder = workspace().join("examples/net");
    let ran = finish(wasmtest().current_dir(folder).arg("run").arg(&built[0].1));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Ran 2 tests"), "{}", ran.stdout);
}

#[test]
fn a_fixture_is_ready_by_a_line_an_open_port_or_an_answer() {
    for ready in [
        "ready = { line = \"listening\" }",
        "ready = { port = true }",
        "ready = { http = \"/health\" }",
        "",
    ] {
        let (_folder, file) = configured(&format!(
            "[fixture.server]\ncommand = [{}, \"{{port}}\"]\ntests = \"connects\"\n{ready}\n",
            toml(&server())
        ));
        for processes in ["2", "0"] {
            let flags = ["--processes", processes, "--", "connects", "free"];
            let events = bound(Target::P2, &file, &flags);
            assert_eq!(events.code, 0, "{ready}: {events:#?}");
            assert_eq!(events.outcome("net::connects"), "passed");
            assert_eq!(events.outcome("free::sees_no_fixture"), "passed");
        }
    }
    // one that answers, but not with that
    let (_folder, file) = configured(&format!(
        "[fixture.server]\ncommand = [{}, \"{{port}}\"]\ntests = \"connects\"\nready = {{ http = \"/missing\" }}\ntimeout = \"3s\"\n",
        toml(&server())
    ));
    let events = bound(Target::P2, &file, &["--", "connects"]);
    let message = failure(&events, "server")["message"]
        .as_str()
        .expect("told");
    assert!(message.contains("did not answer GET /missing"), "{message}");
    assert!(message.contains("404 Not Found"), "{message}");
}

#[test]
fn what_a_fixture_implies_reaches_the_tests_that_are_bound_to_it_alone() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let granted = format!("OTHER={}", other.local_addr().expect("bound"));
    for target in Target::BOTH {
        // the gate opens once it has been told where the server is
        let (folder, file) = configured("");
        let fifo = folder.path().join("fifo");
        let name = CString::new(fifo.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: the name is a string that lives as long as the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let text = format!(
            r#"
            [fixture.server]
            command = ["sh", "-c", '''
                echo from the fixture > {{folder}}/seed
                echo '{{"sizes": [1, 2], "port": "mine"}}'
                echo '{{"address": "127.0.0.1:{{port}}", "dir": "{{folder}}"}}' > fifo
                exec "$0" {{port}}
            ''', {}]
            tests = ["net::"]
            folder = true
            [fixture.gate]
            command = ["sh", "-c", "cat fifo; echo open; exec sleep 1000"]
            tests = {{ contains = "apart::" }}
            ready = {{ line = "open" }}
            "#,
            toml(&server())
        );
        fs::write(&file, text).expect("written");
        let flags = ["--env", &granted, "--skip", "held::", "--skip", "named::"];
        let events = bound(target, &file, &flags);
        assert_eq!(events.code, 0, "{events:#?}");
        let ran = if target == Target::P2 { 6 } else { 5 };
        assert_eq!(events.summary()["passed"], ran);
    }
}

#[test]
fn a_fixture_that_is_never_ready_is_an_error_and_its_tests_are_not_run() {
    let (_folder, file) = configured(
        r#"
        [fixture.lazy]
        command = ["sh", "-c", "echo warming up; echo soon >&2; exec sleep 1000"]
        tests = "held::"
        ready = { line = "ready" }
        timeout = "300ms"
        "#,
    );
    let events = bound(Target::P1, &file, &["--", "_passes", "free"]);
    assert_eq!(events.code, 1, "{events:#?}");
    let own = failure(&events, "lazy");
    assert_eq!(own["error"], "could not be set up");
    let message = own["message"].as_str().expect("told");
    assert!(message.contains("not ready after 300ms"), "{message}");
    assert!(
        message.contains("no line that contains \"ready\""),
        "{message}"
    );
    for test in ["held::a_passes", "held::b_passes"] {
        assert_eq!(events.outcome(test), "not-run");
        assert_eq!(
            events.message(test),
            "the host fixture `lazy` could not be set up"
        );
    }
    assert_eq!(events.outcome("free::sees_no_fixture"), "passed");
    let summary = &events.summary()["wasmtest"];
    assert_eq!(
        (
            &summary["errors"],
            &summary["fixtures_failed"],
            &summary["not_run"]
        ),
        (&1.into(), &1.into(), &2.into())
    );
}

#[test]
fn failures_of_fixtures_in_full() {
    let (_folder, file) = configured(
        r#"
        [fixture.absent]
        command = ["./no-such-program", "--at", "x y"]
        tests = "a_passes"

        [fixture.hasty]
        command = ["sh", "-c", "echo starting; echo 'no database' >&2; exit 7"]
        tests = "b_passes"
        ready = { line = "ready" }
        "#,
    );
    let module = guest("bound", Target::P1, "dev");
    let ran = run([
        arg(&module),
        "--config",
        arg(&file),
        "--processes",
        "1",
        "--",
        "_passes",
        "free",
    ]);
    assert_eq!(ran.code, 1);
    let folder = file
        .parent()
        .expect("in one")
        .to_string_lossy()
        .into_owned();
    // what comes before are the tests as they end
    let failures = ran.stdout.find("ERROR").expect("some");
    let text = ran.stdout[failures..].replace(&folder, "[folder]");
    let filters = vec![(r" +\d+(\.\d+)?(ns|us|ms|s)\b", " [time]")];
    insta::with_settings!({filters => filters}, { insta::assert_snapshot!(text); });
}

#[test]
fn a_fixture_that_ends_too_soon_fails_the_tests_that_are_still_to_run() {
    let (_folder, file) = configured(
        r#"
        [fixture.frail]
        command = ["sh", "-c", "echo ready; echo overloaded >&2; exit 7"]
        tests = "a_passes"
        ready = { line = "ready" }
        [fixture.slow]
        command = ["sleep", "1000"]
        tests = "a_passes"
        ready = { line = "never" }
        "#,
    );
    // the test waits for the second when the first is gone
    let events = bound(Target::P1, &file, &["--", "_passes"]);
    assert_eq!(events.code, 1);
    let own = failure(&events, "frail");
    assert_eq!(own["error"], "ended while its tests ran");
    let message = own["message"].as_str().expect("told");
    assert!(message.ends_with("exited with status 7"), "{message}");
    assert_eq!(
        events.message("held::a_passes"),
        "the host fixture `frail` ended too soon"
    );
    assert_eq!(events.outcome("held::b_passes"), "passed");
}

#[test]
fn a_fixture_that_no_selected_test_needs_is_not_started() {
    let (folder, file) = configured(
        r#"
        [fixture.eager]
        command = ["sh", "-c", "echo here >> started; echo ready; exec sleep 1000"]
        tests = "a_passes"
        ready = { line = "ready" }
        "#,
    );
    let started = folder.path().join("started");
    assert_eq!(bound(Target::P1, &file, &["--", "b_passes"]).code, 0);
    assert_eq!(
        bound(Target::P1, &file, &["--skip", "a_", "--", "a_passes"]).code,
        4
    );
    assert!(!started.exists());
    let list = finish(
        wasmtest()
            .arg("list")
            .arg(guest("bound", Target::P1, "dev")),
    );
    assert_eq!(list.code, 0);
    assert!(!started.exists());
    assert_eq!(bound(Target::P1, &file, &["--", "_passes"]).code, 0);
    assert_eq!(fs::read_to_string(&started).expect("made"), "here\n");
}

/// A fixture with a child; both write their process ids, and can refuse to end.
fn family(trap: &str) -> (tempfile::TempDir, PathBuf) {
    configured(&format!(
        r#"
        [fixture.family]
        command = ["sh", "-c", '''{trap}
            sleep 1000 &
            echo $! > child
            echo $$ > parent
            echo ready
            while :; do wait; done
        ''']
        tests = "held::"
        ready = {{ line = "ready" }}
        stop-timeout = "200ms"
        "#
    ))
}

fn members(folder: &Path) -> [u32; 2] {
    ["parent", "child"].map(|name| {
        let text = fs::read_to_string(folder.join(name)).expect("written before it was ready");
        text.trim().parse().expect("a number")
    })
}

#[test]
fn a_fixture_and_its_children_are_gone_at_the_end_of_the_run() {
    for trap in ["", "trap '' TERM"] {
        let (folder, file) = family(trap);
        let module = guest("bound", Target::P1, "dev");
        let ran = run([arg(&module), "--config", arg(&file), "-v", "--", "_passes"]);
        assert_eq!(ran.code, 0);
        let end = match trap {
            "" => "fixture family is gone: ended when it was told to",
            _ => "fixture family is gone: had to be killed",
        };
        assert!(ran.stderr.contains(end), "{}", ran.stderr);
        for process in members(folder.path()) {
            assert!(!Path::new(&format!("/proc/{process}")).exists());
        }
    }
}

#[test]
fn a_fixture_and_its_children_end_with_their_primary_however_it_ends() {
    for signals in [
        &[libc::SIGINT][..],
        &[libc::SIGTERM],
        &[libc::SIGINT, libc::SIGINT],
        &[libc::SIGKILL],
    ] {
        let (folder, file) = family("trap '' TERM");
        let module = guest("bound", Target::P1, "dev");
        let mut run = Watched::start(&[
            arg(&module),
            "--config",
            arg(&file),
            "--processes",
            "1",
            "--",
            "sleeps_for_ever",
        ]);
        run.wait_for("started", "sleeps_for_ever");
        for signal in signals {
            run.signal(*signal);
        }
        let members = members(folder.path());
        if signals == [libc::SIGKILL] {
            let _ = run.child.wait();
            for process in members {
                await_end(process);
            }
        } else {
            let events = run.finish();
            assert!([130, 143].contains(&events.code), "{events:#?}");
            for process in members {
                assert!(!Path::new(&format!("/proc/{process}")).exists());
            }
        }
    }
}

#[test]
fn a_guardian_that_is_killed_or_stopped_takes_its_fixture_along() {
    for (signal, how) in [
        (libc::SIGKILL, "killed by signal 9"),
        (libc::SIGSTOP, "stopped from outside by signal 19"),
    ] {
        guardian_gets(signal, how);
    }
}

fn guardian_gets(signal: i32, how: &str) {
    let (folder, file) = family("trap '' TERM");
    let module = guest("bound", Target::P1, "dev");
    let args = [
        arg(&module),
        "--config",
        arg(&file),
        "--processes",
        "1",
        "--",
        "sleeps_for_ever",
    ];
    let mut run = Watched::start(&args);
    run.wait_for("started", "sleeps_for_ever");
    let is_guardian = |process: &u32| {
        let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains("__guardian")
    };
    let guardians: Vec<u32> = run.children().into_iter().filter(is_guardian).collect();
    assert_eq!(guardians.len(), 1);
    send(guardians[0], signal);
    run.wait_for("failed", "fixture family");
    for process in members(folder.path()) {
        await_end(process);
    }
    run.signal(libc::SIGINT);
    let events = run.finish();
    let message = failure(&events, "family")["message"].as_str();
    let told = format!("its guardian process died: {how}");
    assert!(message.is_some_and(|m| m.contains(&told)), "{message:?}");
    assert_eq!(events.outcome("held::sleeps_for_ever"), "interrupted");
}

#[test]
fn what_a_fixture_wrote_is_told_when_a_test_of_its_fails() {
    let (_folder, file) = configured(
        r#"
        [fixture.talker]
        command = ["sh", "-c", "echo a word; echo ready; exec sleep 1000"]
        tests = "net::"
        ready = { line = "ready" }
        "#,
    );
    let told = |test: &str| {
        let events = bound(Target::P1, &file, &["--", test]);
        events.summary()["wasmtest"]["fixtures"].clone()
    };
    let fixtures = told("has_the_values");
    assert_eq!(fixtures[0]["name"], "talker");
    assert_eq!(fixtures[0]["stdout"], "a word\nready\n");
    assert_eq!(told("_passes"), Value::Null);
    // whoever wants to know everything is told everything
    let events = bound(Target::P1, &file, &["-v", "--", "shares_the_folder"]);
    let steps = events.all.iter().filter(|e| e["type"] == "fixture");
    let steps: Vec<&Value> = steps.map(|e| &e["event"]).collect();
    assert_eq!(steps, ["started", "ready", "ended"]);
}

#[test]
fn a_test_that_asks_by_name_is_bound_and_has_the_value_on_both_targets() {
    let (_folder, file) = asked_for_by_name();
    for target in Target::BOTH {
        for processes in ["2", "0"] {
            let flags = ["--processes", processes, "--", "named::"];
            let events = bound(target, &file, &flags);
            assert_eq!(events.code, 0, "{target:?}: {events:#?}");
            assert_eq!(events.summary()["passed"], 9);
        }
    }
}

#[test]
fn what_a_fixture_wrote_is_told_when_a_test_fails_that_asks_for_it_by_name() {
    let (_folder, file) = asked_for_by_name();
    let text = fs::read_to_string(&file).expect("written");
    fs::write(&file, text.replace("db", "another")).expect("written");
    for target in Target::BOTH {
        let told = |test: &str| {
            let events = bound(target, &file, &["--exact", "--", test]);
            events.summary()["wasmtest"]["fixtures"].clone()
        };
        let fixtures = told("named::asks_for_it");
        let wrote = fixtures[0]["stdout"].as_str();
        assert!(
            wrote.is_some_and(|text| text.contains("another")),
            "{fixtures}"
        );
        assert_eq!(told("named::asks_for_what_asks_for_it"), Value::Null);
    }
}

/// A configuration that binds nothing, with a server.
fn asked_for_by_name() -> (tempfile::TempDir, PathBuf) {
    configured(&format!(
        r#"
        [fixture.server]
        command = ["sh", "-c", '''
            echo from the fixture > {{folder}}/seed
            echo '{{"name": "db", "sizes": [1, 2]}}'
            exec "$0" {{port}}
        ''', {}]
        folder = true
        "#,
        toml(&server())
    ))
}

#[test]
fn a_component_whose_test_is_not_bound_says_how_to_bind_it() {
    let module = guest("bound", Target::P2, "dev");
    let test = "named::asks_for_it";
    let ran = |more: &[&str]| {
        let flags = [&[arg(&module)], more, &["--exact", "--", test]].concat();
        events(flags)
    };
    let without = ran(&["--no-config"]);
    assert_eq!(without.outcome(test), "failed", "{without:#?}");
    let said = without.message(test);
    for part in [
        "is not bound to the host fixture `server`",
        "[fixture.server]",
        "tests = [\"named::asks_for_it\"]",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(!said.contains("wasmtest run"), "{said}");
    // whoever has it from elsewhere may grant it
    let value = r#"WASMTEST_FIXTURE_SERVER={"port": "not a number"}"#;
    let granted = ran(&["--no-config", "--env", value]);
    let said = granted.message(test);
    assert!(
        said.contains("`server` (WASMTEST_FIXTURE_SERVER) does not fit"),
        "{said}"
    );
    assert!(said.contains("expected u16"), "{said}");
}

#[test]
fn the_plan_shows_what_tests_are_bound_to_and_reads_the_configuration_that_run_reads() {
    let (folder, file) = asked_for_by_name();
    let text = fs::read_to_string(&file).expect("written") + "tests = [\"net::\"]\n";
    fs::write(&file, text).expect("written");
    for target in Target::BOTH {
        let module = guest("bound", target, "dev");
        let planned = |flags: &[&str]| {
            let mut plan = wasmtest();
            let plan = plan.current_dir(folder.path()).arg("plan").args(flags);
            finish(plan.arg(&module).args(["--skip", "connects"]))
        };
        let plan = planned(&["-v"]);
        assert_eq!(plan.code, 0, "{}", plan.stderr);
        let bound = plan.stdout.find("  host fixture").expect("told");
        // how wide the columns are depends on what else there is
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = plan.stdout[bound..].lines().map(words).collect();
        insta::assert_snapshot!("the_plan_of_bound_tests", lines.join("\n"));
        assert_eq!(planned(&["-v", "--config", arg(&file)]).stdout, plan.stdout);
        let without = planned(&["--no-config"]).stdout;
        let line = "host fixture server (not described: wasmtest.toml has no [fixture.server])";
        assert!(without.contains(line), "{without}");
        assert!(without.contains("  7 tests, by name"), "{without}");
    }
    // a file that makes no sense is an error to both, as it is to a run
    fs::write(&file, "[fixture.server]\n").expect("written");
    let module = guest("bound", Target::P1, "dev");
    for command in ["plan", "list"] {
        let ran = |flags: &[&str]| {
            let mut command_line = wasmtest();
            let command_line = command_line.current_dir(folder.path());
            finish(command_line.arg(command).args(flags).arg(&module))
        };
        for flags in [&[][..], &["--config", arg(&file)]] {
            let bad = ran(flags);
            assert_eq!(bad.code, 2, "{command} {flags:?}: {}", bad.stderr);
            assert!(bad.stderr.contains("wasmtest.toml:1"), "{}", bad.stderr);
        }
        assert_eq!(ran(&["--no-config"]).code, 0, "{command}");
    }
}

#[test]
fn an_sdk_test_that_asks_for_one_by_name_has_its_value() {
    let server = "[fixture.server]\n\
        command = [\"sh\", \"-c\", \"echo '{\\\"name\\\": \\\"db\\\"}'; echo ready; exec sleep 1000\", \"{port}\"]\n\
        ready = { line = \"ready\" }\n";
    let (_folder, file) = configured(server);
    let module = guest("suites", Target::P1, "dev");
    let test = "of_the_crate::asks_the_host";
    let ran = |flags: &[&str]| {
        let all = [&[arg(&module)], flags, &["--run-ignored", "--", test]].concat();
        events(all)
    };
    let with = ran(&["--config", arg(&file)]);
    assert_eq!(with.outcome(test), "passed", "{with:#?}");
    // nobody describes it: one error that says so, and the test is not run
    let without = ran(&["--no-config"]);
    assert_eq!(without.outcome(test), "not-run");
    assert_eq!(without.code, 1);
    assert_eq!(without.summary()["wasmtest"]["fixtures_failed"], 1);
}
