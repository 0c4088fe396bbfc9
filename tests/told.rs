//! What a report has of what ran before a test in its instance: the command that runs both
//! again, and what was written there.

use crate::support::{Events, Ran, Target, arg, events, finish, guest, run, workspace};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Pastes the command that runs a test again into a shell.
fn paste(command: &str) -> Ran {
    let ours = match command.strip_prefix("cargo wasmtest ") {
        Some(rest) => format!("\"$CARGO_WASMTEST\" wasmtest {rest}"),
        None => match command.strip_prefix("wasmtest ") {
            Some(rest) => format!("\"$WASMTEST\" {rest}"),
            None => panic!("it is not ours: {command}"),
        },
    };
    let mut shell = Command::new("sh");
    finish(
        of_tests(&mut shell)
            .args(["-c", &ours])
            .env("WASMTEST", env!("CARGO_BIN_EXE_wasmtest"))
            .env("CARGO_WASMTEST", env!("CARGO_BIN_EXE_cargo-wasmtest")),
    )
}

/// A command with the tests' own cache, and no settings from outside.
fn of_tests(command: &mut Command) -> &mut Command {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    command
        .current_dir(workspace())
        .env("WASMTEST_CACHE_DIR", cache)
        .env_remove("WASMTEST_PROCESSES")
        .env_remove("WASMTEST_PROCESS_TIMEOUT")
}

fn again(events: &Events, path: &str) -> String {
    let own = &events.end(path)["wasmtest"];
    own["rerun"].as_str().expect("told").to_owned()
}

#[test]
fn a_failure_in_a_unit_is_run_again_with_what_ran_before_it() {
    let module = guest("acceptance", Target::P1, "dev");
    let path = "told::order::c_finds_nothing::naïve";
    let again_after = |filters: &[&str]| {
        let events = events([&[arg(&module), "--processes", "2"], filters].concat());
        assert_eq!(events.outcome(path), "failed");
        again(&events, path)
    };
    for (filters, chosen, all) in [
        (
            &["--", "told::order::"][..],
            " --up-to 'told::order::c_finds_nothing::naïve'",
            3,
        ),
        // whatever else the filters leave out of the unit is left out again
        (
            &["--skip", "a_leaves", "--", "told::order::"],
            " --exact --skip told::order::a_leaves_nothing --up-to 'told::order::c_finds_nothing::naïve'",
            2,
        ),
        (
            &["--", "b_leaves_something", "c_finds_nothing"],
            " --exact -- told::order::b_leaves_something 'told::order::c_finds_nothing::naïve'",
            2,
        ),
    ] {
        let command = again_after(filters);
        assert!(command.ends_with(chosen), "{command}");
        let ran = paste(&command);
        assert_eq!(ran.code, 1, "{command}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("something was left"), "{}", ran.stdout);
        let counted = format!("Ran {all} tests ");
        assert!(ran.stdout.contains(&counted), "{}", ran.stdout);
        assert!(ran.stdout.contains("FAILED (failures=1)"), "{}", ran.stdout);
    }
    // alone it passes: the command for it would be of no use
    let alone = run([arg(&module), "--exact", "--", path]);
    assert_eq!(alone.code, 0, "{}", alone.stdout);
}

#[test]
fn cargos_command_runs_a_failure_in_a_unit_again_likewise() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wasmtest"));
    let command = of_tests(&mut command).args([
        "wasmtest",
        "-p",
        "acceptance",
        "--lib",
        "--manifest-path",
        "tests/guests/Cargo.toml",
        "told::order::",
        "--",
        "--message-format",
        "json",
    ]);
    let events = Events::of(finish(command));
    let command = again(&events, "told::order::c_finds_nothing::naïve");
    assert_eq!(
        command,
        "cargo wasmtest -p acceptance --lib --manifest-path tests/guests/Cargo.toml -- --up-to 'told::order::c_finds_nothing::naïve'"
    );
    let ran = paste(&command);
    assert!(
        ran.stdout.contains("Ran 3 tests "),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert!(ran.stdout.contains("something was left"), "{}", ran.stdout);
}

#[test]
fn in_one_process_a_split_suite_is_whole_which_is_said_and_its_failures_are_run_again_so() {
    let module = guest("acceptance", Target::P1, "dev");
    let verdicts = |processes: &str| {
        let ran = [arg(&module), "-v", "--processes", processes];
        let events = events([&ran[..], &["--", "told::apart::"]].concat());
        let [a, b] = ["a", "b"].map(|case| {
            let path = format!("told::apart::finds_nothing::{case}");
            events.outcome(&path).to_owned()
        });
        (a, b, events)
    };
    let note = "note: acceptance.wasm told::apart is marked `split` and stays whole: with --processes 0 its tests share an instance, and verdicts can differ; --processes 1 replays";
    let (a, b, whole) = verdicts("0");
    assert_eq!((&*a, &*b), ("passed", "failed"));
    assert_eq!(whole.stderr.matches(note).count(), 1, "{}", whole.stderr);
    let (a, b, replayed) = verdicts("1");
    assert_eq!((&*a, &*b), ("passed", "passed"));
    assert!(!replayed.stderr.contains("stays whole"));
    let command = again(&whole, "told::apart::finds_nothing::b");
    let chosen = " --processes 0 --up-to told::apart::finds_nothing::b";
    assert!(command.ends_with(chosen), "{command}");
    let ran = paste(&command);
    assert!(ran.stdout.contains("Ran 2 tests "), "{}", ran.stdout);
    assert!(ran.stdout.contains("something was left"), "{}", ran.stdout);
    let plan = |processes: &str| {
        let mut command = crate::support::wasmtest();
        let command = command.args(["plan", arg(&module), "--processes", processes]);
        finish(command.args(["--", "told::apart::"])).stdout
    };
    let said = "told::apart (split, but whole: with --processes 0 its tests share an instance, and verdicts can differ; --processes 1 replays)  2 tests, together";
    assert!(plan("0").contains(said), "{}", plan("0"));
    assert!(!plan("1").contains("verdicts can differ"));
}

/// What a failed test began after, by the event stream: name, kind, where, both streams.
fn setups(events: &Events, path: &str) -> Vec<[String; 5]> {
    let Some(all) = events.end(path)["wasmtest"]["setups"].as_array() else {
        return Vec::new();
    };
    let keys = ["name", "kind", "run", "stdout", "stderr"];
    let text = |setup: &Value, key: &str| setup[key].as_str().expect("told").trim().to_owned();
    all.iter()
        .map(|setup| keys.map(|key| text(setup, key)))
        .collect()
}

fn run_of(path: &str, flags: &[&str]) -> Events {
    let module = guest("acceptance", Target::P1, "dev");
    events([&[arg(&module)], flags, &["--", path]].concat())
}

#[test]
fn what_the_setups_of_a_unit_wrote_is_told_of_each_failure_in_it() {
    for processes in ["2", "0"] {
        let events = run_of("told::of_a_unit::", &["--processes", processes]);
        let suite = "told::of_a_unit";
        let of = |test: &str| setups(&events, &format!("{suite}::{test}"));
        let setup = [suite, "setup", "here", "setup of the unit", "its errors"];
        let name = format!("{suite}::before_each");
        let before = [&*name, "before", "here", "before a test of the unit", ""];
        let name = format!("{suite}::inner");
        let inner = [&*name, "setup", "here", "setup within the unit", ""];
        assert_eq!(of("b_fails"), [setup, before]);
        assert_eq!(of("inner::c_fails"), [setup, inner, before]);
        // what was set up within it is gone
        assert_eq!(of("d_fails"), [setup, before]);
        // and nothing of it is taken for the test's own words
        let own = &events.end(&format!("{suite}::b_fails"))["stdout"];
        assert!(
            own.as_str()
                .is_some_and(|own| own.starts_with("its own words"))
        );
        assert!(!own.to_string().contains("of the unit"), "{own}");
        let passed = &events.end(&format!("{suite}::a_passes"))["wasmtest"];
        assert_eq!(passed.get("setups"), None);
    }
}

#[test]
fn what_a_setup_wrote_that_was_replayed_is_told_as_it_wrote_it_when_it_ran() {
    let paths = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let told = |flags: &[&str]| {
        let events = run_of("told::of_a_split::", flags);
        let all = paths.map(|case| {
            let all = setups(&events, &format!("told::of_a_split::fails::{case}"));
            assert_eq!(all.len(), 1, "{all:?}");
            all[0].clone()
        });
        let here = all.iter().filter(|s| s[2] == "here").count();
        for [name, kind, run, stdout, stderr] in all {
            assert!(run == "here" || run == "replayed", "{run}");
            let expected = ("told::of_a_split", "setup", "setup of the split", "");
            assert_eq!((&*name, &*kind, &*stdout, &*stderr), expected);
        }
        here
    };
    // it ran once a worker at most
    assert_eq!(told(&["--processes", "1"]), 1);
    let once_or_twice = told(&["--processes", "2"]);
    assert!((1..=2).contains(&once_or_twice), "{once_or_twice}");
    assert_eq!(told(&["--no-snapshot"]), paths.len());
}

#[test]
fn a_fixture_that_is_replayed_is_called_one() {
    let path = "told::of_a_fixture::";
    let events = run_of(path, &["--processes", "1"]);
    let told = events.all.iter().find(|e| e["event"] == "snapshot");
    let told = told.unwrap_or_else(|| panic!("{events:#?}"));
    let name = "acceptance.wasm told::of_a_fixture::table";
    assert_eq!(
        (&told["name"], &told["kind"]),
        (&json!(name), &json!("fixture"))
    );
    let all = setups(&events, "told::of_a_fixture::fails::b");
    assert_eq!(all[0][..2], ["told::of_a_fixture::table", "fixture"]);
    let module = guest("acceptance", Target::P1, "dev");
    let ran = run([arg(&module), "-v", "--", path, "told::of_a_split::"]);
    for line in [
        "fixture acceptance.wasm told::of_a_fixture::table is replayed from a snapshot",
        "suite acceptance.wasm told::of_a_split is replayed from a snapshot",
    ] {
        let lines = ran.stderr.lines().filter(|l| l.starts_with(line));
        assert_eq!(lines.count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn what_shared_fixtures_wrote_is_told_of_the_tests_that_need_them() {
    let suite = "told::of_what_is_shared";
    for processes in ["2", "0"] {
        let limit = ["--processes", processes, "--process-timeout", "1"];
        let events = run_of(&format!("{suite}::"), &limit);
        let name = |fixture: &str| format!("{suite}::{fixture}");
        let (first, second) = (name("first"), name("second"));
        let both = [
            [&*first, "fixture", "shared", "the first fixture", ""],
            [&*second, "fixture", "shared", "", "the second fixture"],
        ];
        assert_eq!(setups(&events, &name("fails")), both);
        assert_eq!(events.outcome(&name("is_blocked")), "timed-out");
        assert_eq!(setups(&events, &name("is_blocked")), both);
        let none: [[&str; 5]; 0] = [];
        assert_eq!(setups(&events, &name("needs_nothing_and_fails")), none);
    }
}

#[test]
fn of_much_that_a_setup_wrote_the_beginning_and_the_end_are_kept() {
    let events = run_of("told::much::", &["--processes", "1"]);
    let all = setups(&events, "told::much::fails");
    let kept = all[0][3].len();
    assert!(all[0][3].contains("[524288 bytes left out]"), "{kept}");
    assert!(kept < (512 << 10) + 100, "{kept}");
}

#[test]
fn what_people_read_of_what_was_written_before_a_test() {
    let module = guest("acceptance", Target::P1, "dev");
    let filters = [
        "told::of_a_unit::b_fails",
        "told::of_a_unit::inner",
        "told::of_a_split::fails::a",
        "told::of_what_is_shared::fails",
        "told::of_a_split::fails::b",
    ];
    let args = [&[arg(&module), "--processes", "1", "--"], &filters[..]].concat();
    let ran = run(args);
    let filters = [
        (r" +[0-9.]+(ns|µs|us|ms|s)\n", " [time]\n"),
        (r"in [0-9.]+s", "in [time]"),
        (r"run \S*acceptance-[0-9a-f]+\.wasm", "run [module]"),
        (r"(?m)^ +\S*\.rs:\d+ .*\n", ""),
        (r"… \d+ frames?", "… [n] frames"),
        (r"at \S*\.rs:\d+:\d+", "at [place]"),
    ];
    insta::with_settings!({ filters => filters }, {
        insta::assert_snapshot!(ran.stdout);
    });
    let events = run_of("told::of_what_is_shared::fails", &["-v"]);
    let kinds: Vec<Value> = events
        .all
        .iter()
        .filter(|e| e["event"] == "set-up")
        .map(|e| json!([e["name"], e["kind"]]))
        .collect();
    let fixture = |name: &str| {
        json!([
            format!("acceptance.wasm told::of_what_is_shared::{name}"),
            "fixture"
        ])
    };
    assert_eq!(kinds, [fixture("first"), fixture("second")]);
}
