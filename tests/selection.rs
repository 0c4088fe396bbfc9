//! Which tests run: paths, filters, ignored tests, stopping early; and `wasmtest list`.

use crate::support::{Target, arg, events, finish, guest, run, wasmtest};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;

#[test]
fn filters_are_substrings_of_the_test_id() {
    let module = guest("verdicts", Target::P1, "dev");
    let names = |args: &[&str]| {
        let events = events([&[arg(&module)], args].concat());
        let mut names: Vec<String> = events
            .ends()
            .map(|e| e["name"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    };
    let passes = [
        "verdicts.wasm tests::passes",
        "verdicts.wasm tests::passes_and_returns_ok",
    ];
    assert_eq!(names(&["--", "tests::passes"]), passes);
    assert_eq!(
        names(&["--", "wasm tests::passes", "nothing like it"]),
        passes
    );
    assert_eq!(
        names(&["--skip", "returns_ok", "--", "passes"]),
        passes[..1]
    );
    assert_eq!(names(&["--exact", "--", "tests::passes"]), passes[..1]);
    assert_eq!(
        names(&["--exact", "--", "verdicts.wasm tests::passes"]),
        passes[..1]
    );
    assert_eq!(
        names(&["--exact", "--skip", "tests::passes", "--", "tests::passes"]),
        [""; 0]
    );
}

#[test]
fn nothing_selected_is_exit_code_4() {
    let module = guest("verdicts", Target::P1, "dev");
    let ran = run([arg(&module), "--", "no such test"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stdout.contains("Ran 0 tests"));
    assert!(ran.stdout.contains("NOTHING TO RUN"));
}

#[test]
fn a_binary_without_tests_is_named() {
    let module = guest("thousand", Target::P1, "dev");
    let ran = run([arg(&module)]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.stderr.contains("thousand-") && ran.stderr.contains("holds no tests"),
        "{}",
        ran.stderr
    );
}

#[test]
fn cargos_newer_layout_is_searched_but_for_what_build_scripts_wrote() {
    let root = tempfile::tempdir().expect("a folder");
    let program = guest("returns", Target::P1, "dev");
    let unit = |package: &str, hash: &str, more: &str, file: &str| {
        let unit = root.path().join("debug/build").join(package).join(hash);
        for folder in ["fingerprint", "out", more] {
            fs::create_dir_all(unit.join(folder)).expect("made");
        }
        fs::copy(&program, unit.join("out").join(file)).expect("copied");
    };
    let [a, b, c] = ["0123456789abcdef", "fedcba9876543210", "00000000000000ff"];
    unit("p", a, "", &format!("t-{a}.wasm"));
    unit("p", b, "run", "script.wasm");
    // a package is called as it likes
    unit("incremental", c, "", &format!("t-{c}.wasm"));
    // an older cargo's, in the same folder
    let older = root.path().join("debug/build/q-0123456789abcdef/out");
    fs::create_dir_all(&older).expect("made");
    fs::copy(&program, older.join("script.wasm")).expect("copied");
    for folder in ["debug", "debug/build", "debug/deps"] {
        let mut command = wasmtest();
        command.current_dir(root.path()).args(["run", "-v", folder]);
        let ran = finish(&mut command);
        assert_eq!(ran.code, 0, "{folder}: {ran:?}");
        for id in ["p/t.wasm main", "incremental/t.wasm main"] {
            assert!(
                ran.stdout.contains(&format!("PASS   {id} ")),
                "{folder}: {ran:?}"
            );
        }
        assert!(ran.stdout.contains("Ran 2 tests"), "{folder}: {ran:?}");
        let told = ran.stderr.contains("debug/deps is not there");
        assert_eq!(told, folder == "debug/deps", "{ran:?}");
    }
    // a folder that is merely called so is none of cargo's
    let ran = run([root.path().join("debug/nope")]);
    assert_ne!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_folder_is_searched_and_namesakes_get_distinct_ids() {
    let root = tempfile::tempdir().expect("a folder");
    let program = guest("returns", Target::P1, "dev");
    for folder in ["a", "b", ".hidden"] {
        fs::create_dir(root.path().join(folder)).expect("made");
        fs::copy(&program, root.path().join(folder).join("same.wasm")).expect("copied");
    }
    fs::hard_link(
        root.path().join("a/same.wasm"),
        root.path().join("a/link.wasm"),
    )
    .expect("linked");
    fs::write(root.path().join("notes.txt"), "not a module").expect("written");
    let ran = finish(wasmtest().current_dir(root.path()).args(["run", "-v"]));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("PASS   link.wasm main"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("PASS   same.wasm main"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("Ran 2 tests"), "{}", ran.stdout);
    fs::remove_file(root.path().join("a/link.wasm")).expect("there");
    let ran = finish(wasmtest().current_dir(root.path()).args(["run", "-v"]));
    assert!(ran.stdout.contains("a/same.wasm main") && ran.stdout.contains("b/same.wasm main"));
}

#[test]
fn programs_are_one_test_each_and_pass_with_status_0_however_they_leave() {
    for target in Target::BOTH {
        let outcome = |name: &str| {
            let events = events([arg(&guest(name, target, "dev"))]);
            assert_eq!(events.end("main")["wasmtest"]["harness"], "command");
            (
                events.outcome("main").to_owned(),
                events.message("main").to_owned(),
                events.code,
            )
        };
        assert_eq!(outcome("returns"), ("passed".into(), String::new(), 0));
        assert_eq!(outcome("exits"), ("passed".into(), String::new(), 0));
        let (failed, message, code) = outcome("fails");
        assert_eq!((failed.as_str(), code), ("failed", 1));
        assert!(message.starts_with("exited with"), "{message}");
        let (panicked, message, _) = outcome("panics");
        assert_eq!(panicked, "failed");
        assert!(message.contains("a program's panic"));
    }
}

#[test]
fn the_run_stops_at_the_first_failure_or_the_nth_and_counts_what_was_not_run() {
    let module = guest("verdicts", Target::P1, "dev");
    for (flags, failures, why) in [
        (
            &["-x"][..],
            1,
            "the run was stopped at the first that did not pass (-x, --max-fail 1)",
        ),
        (
            &["--max-fail", "3"],
            3,
            "the run was stopped after 3 that did not pass (--max-fail 3)",
        ),
    ] {
        let args = [
            &[arg(&module), "--processes", "1"],
            flags,
            &["--", "exits", "passes", "forges"],
        ]
        .concat();
        let events = events(args);
        assert_eq!(events.code, 1);
        let summary = events.summary();
        assert_eq!(summary["failed"], failures, "{summary:#}");
        let not_run = summary["wasmtest"]["not_run"].as_u64().expect("counted");
        assert_eq!(events.ends().count(), 9, "{events:#?}");
        assert!(not_run > 0);
        // by name, each once
        let named: HashMap<&str, &str> = events.not_run().into_iter().collect();
        assert_eq!(named.len() as u64, not_run, "{events:#?}");
        assert!(named.values().all(|told| *told == why), "{named:?}");
    }
}

#[test]
fn list_prints_ids_and_with_json_everything_known() {
    for target in Target::BOTH {
        let module = guest("verdicts", target, "dev");
        let list = |args: &[&str]| finish(wasmtest().args(["list", arg(&module)]).args(args));
        let text = list(&["--", "ignored", "passes"]);
        assert_eq!(text.code, 0, "{}", text.stderr);
        let lines: Vec<&str> = text.stdout.lines().collect();
        assert_eq!(
            lines,
            [
                "verdicts.wasm tests::ignored_and_panics",
                "verdicts.wasm tests::ignored_with_a_reason",
                "verdicts.wasm tests::passes",
                "verdicts.wasm tests::passes_and_returns_ok",
            ]
        );
        let json = list(&["--message-format", "json"]);
        let find = |path: &str| -> Value {
            json.stdout
                .lines()
                .map(|l| serde_json::from_str::<Value>(l).expect("JSON"))
                .find(|v| v["wasmtest"]["test"] == path)
                .expect("it is listed")
        };
        let ignored = find("tests::ignored_with_a_reason");
        assert_eq!(ignored["ignore_message"], "takes too long");
        assert!(
            ignored["source_path"]
                .as_str()
                .expect("known")
                .ends_with("src/lib.rs")
        );
        assert!(ignored["start_line"].as_u64().expect("known") > 1);
        assert_eq!(
            find("tests::should_panic_and_does")["wasmtest"]["should_panic"],
            true
        );
        assert_eq!(find("tests::passes")["wasmtest"]["should_panic"], false);
        assert_eq!(find("tests::passes")["wasmtest"]["harness"], "libtest");
    }
}

#[test]
fn the_command_that_runs_a_test_again_does_so_in_the_same_mode() {
    let module = guest("verdicts", Target::P1, "dev");
    let args = [
        arg(&module),
        "--env",
        "A=b c",
        "--process-timeout",
        "5",
        "--include-ignored",
        "--",
        "ignored_and",
        "panics",
    ];
    let events = events(args);
    let again = |path: &str| {
        let command = events.end(path)["wasmtest"]["rerun"]
            .as_str()
            .expect("given")
            .to_owned();
        assert!(command.starts_with("wasmtest run "), "{command}");
        let binary = env!("CARGO_BIN_EXE_wasmtest");
        let command = command.replacen("wasmtest", binary, 1);
        let mut shell = std::process::Command::new("sh");
        shell
            .current_dir(crate::support::workspace())
            .args(["-c", &command]);
        (finish(&mut shell), command)
    };
    let (ran, command) = again("tests::ignored_and_panics");
    assert!(
        command.contains("--env 'A=b c'") && command.contains("--process-timeout 5"),
        "{command}"
    );
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("run although ignored") && ran.stdout.contains("Ran 1 test "));
    let (ran, _) = again("tests::panics");
    assert!(ran.stdout.contains("the message") && ran.stdout.contains("Ran 1 test "));
}
