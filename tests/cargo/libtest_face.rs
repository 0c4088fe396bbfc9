//! Flag by flag: what our face of a libtest binary prints, against the native binary.

use super::{WASIP1, built, cargo, native, ours, run};
use crate::support::{Ran, Target, finish, guest, wasmtest};
use serde_json::Value;
use std::process::Command;

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Both, with the same arguments.
fn both(args: &[&str]) -> (Ran, Ran) {
    let mut native = native("face", args);
    native.env("RUSTC_BOOTSTRAP", "1");
    if !args.iter().any(|a| a.starts_with("--test-threads")) {
        // so that it tells of failures in their order
        native.env("RUST_TEST_THREADS", "1");
    }
    (finish(&mut native), run("face", args))
}

/// What differs from run to run, and the runner's own lines, taken out.
fn normal(text: &str) -> String {
    let mut normal = String::new();
    for line in text.split_inclusive('\n') {
        let ours = line.starts_with("wasmtest: ");
        // natively only the first panic of a process says so
        if ours || line.starts_with("note: run with `RUST_BACKTRACE=") {
            continue;
        }
        let line = cut(line, "finished in ", "s\n");
        let line = cut(&line, "thread '", ") panicked");
        normal.push_str(&cut(&line, " <", "s>"));
    }
    normal
}

/// A line without what stands between two marks.
fn cut(line: &str, start: &str, end: &str) -> String {
    let found = line.find(start).and_then(|at| {
        let from = at + start.len();
        Some((from, from + line[from..].find(end)?))
    });
    match found {
        Some((from, to)) => format!("{}{}", &line[..from], &line[to..]),
        None => line.to_owned(),
    }
}

/// The lines of tests in the order of their text: tests run side by side.
fn in_order(text: &str) -> String {
    let text = normal(text);
    let Some((head, rest)) = text
        .strip_prefix('\n')
        .and_then(|t| t.split_once("\n\n"))
        .map(|(head, rest)| (head.to_owned(), rest.to_owned()))
    else {
        return text;
    };
    let mut lines: Vec<&str> = head.lines().collect();
    lines[1..].sort_unstable();
    format!("{}\n\n{rest}", lines.join("\n"))
}

/// Of terse output: how many dots of each kind there are, and the rest.
fn dots(text: &str) -> String {
    let text = normal(text);
    // the last line of dots has no end
    let ends = ["\nfailures:\n", "\nsuccesses:\n", "\ntest result: "];
    let at = ends.iter().filter_map(|end| text.find(end)).min();
    let (head, rest) = text.split_at(at.expect("a run has a result"));
    let mut dots: Vec<char> = Vec::new();
    let mut others: Vec<&str> = Vec::new();
    for line in head.lines() {
        let shown = line.split(' ').next().unwrap_or_default();
        match !shown.is_empty() && shown.chars().all(|c| ".i".contains(c)) {
            true => dots.extend(shown.chars()),
            false => others.push(line),
        }
    }
    dots.sort_unstable();
    others.sort_unstable();
    format!("{}\n{}\n{rest}", String::from_iter(dots), others.join("\n"))
}

/// Events without times, in the order of their text.
fn events(text: &str) -> Vec<String> {
    let event = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let object = event.as_object_mut().expect("an object");
        for varying in ["exec_time", "start_col", "end_line", "end_col"] {
            object.remove(varying);
        }
        if let Some(stdout) = object.get("stdout").and_then(Value::as_str) {
            object["stdout"] = normal(stdout).into();
        }
        event.to_string()
    };
    let mut events: Vec<String> = text.lines().map(event).collect();
    events.sort_unstable();
    events
}

/// A JUnit document without the runner's own lines and what varies.
fn document(text: &str) -> String {
    let mut document = text.replace("<![CDATA[]]>", "");
    let lines: Vec<String> = document.split("&#xA;").map(str::to_owned).collect();
    document = lines
        .iter()
        .filter(|l| {
            !l.starts_with("<![CDATA[wasmtest: ") && !l.starts_with("<![CDATA[note: run with")
        })
        .map(|l| cut(l, "thread '", ") panicked"))
        .collect::<Vec<_>>()
        .join("&#xA;");
    document
}

fn same(args: &str, of: impl Fn(&str) -> String) {
    let all = words(args);
    let (native, ours) = both(&all);
    assert_eq!(ours.code, native.code, "{args}: {}", ours.stderr);
    assert_eq!(of(&ours.stdout), of(&native.stdout), "{args}");
}

#[test]
fn lines_are_those_of_the_native_binary() {
    for args in [
        "",
        "passes",
        "tests::passes returns",
        "--exact tests::passes",
        "--exact tests::passes tests::prints passes",
        "--exact tests::fails",
        "--exact tests::nothing",
        "nothing",
        "--skip fails --skip returns_err",
        "--ignored",
        "--ignored ignored_with",
        "--include-ignored",
        "--show-output prints",
        "--show-output fails prints",
        "-q --format pretty passes",
        "--test passes",
        "--bench",
        "--bench passes",
        "--test-threads 1 passes",
        "--test-threads=3 passes",
        "--color never passes",
        "--no-capture passes",
        "passes -- --ignored",
        "--skip --exact passes",
        "-Z unstable-options --report-time passes",
        "-Zunstable-options --ensure-time passes",
        "-Z unstable-options --force-run-in-process passes",
        "-Z unstable-options --exclude-should-panic returns",
        "-Z unstable-options --shuffle-seed 5 passes",
        "-Z unstable-options --fail-fast --test-threads 1 --exact tests::fails",
    ] {
        same(args, in_order);
    }
}

#[test]
fn what_is_not_captured_stands_where_it_stands_natively() {
    // what the runner found out is still told at the end
    let without_failures = |text: &str| {
        let text = in_order(text);
        match (text.find("\nfailures:\n"), text.rfind("\nfailures:\n")) {
            (Some(first), Some(last)) => format!("{}{}", &text[..first], &text[last..]),
            _ => text,
        }
    };
    for args in [
        "--nocapture --test-threads 1",
        "--nocapture --exact tests::fails --test-threads 1",
    ] {
        same(args, without_failures);
    }
}

#[test]
fn dots_are_those_of_the_native_binary() {
    for args in [
        "-q",
        "--format terse passes",
        "-q --ignored",
        "-q --show-output prints",
    ] {
        same(args, dots);
    }
}

#[test]
fn events_are_those_of_the_native_binary() {
    for args in [
        "",
        "prints --show-output",
        "passes --report-time",
        "--ignored",
        "--list",
    ] {
        let args = format!("-Z unstable-options --format json {args}");
        same(&args, |text| events(text).join("\n"));
    }
}

#[test]
fn the_junit_document_is_that_of_the_native_binary() {
    for args in ["", "prints --show-output", "--ignored"] {
        let args = format!("-Z unstable-options --format junit --test-threads 1 {args}");
        same(&args, document);
    }
}

#[test]
fn lists_are_those_of_the_native_binary() {
    for args in [
        "--list",
        "--list --format terse",
        "--list -q passes",
        "--list --ignored",
        "--list --format terse --ignored",
        "--list --include-ignored",
        "--list --exact tests::passes",
        "--list nothing",
        "--list --bench",
        "--list -Z unstable-options --format junit",
        "--list -Z unstable-options --exclude-should-panic",
    ] {
        same(args, str::to_owned);
    }
    let (native, ours) = both(&["--list"]);
    assert_eq!(ours.stdout, native.stdout);
}

#[test]
fn calls_that_make_no_sense_are_refused_in_the_same_words() {
    for args in [
        "--bogus",
        "-x",
        "--test-threads",
        "--test-threads x",
        "--test-threads 0",
        "--format nope",
        "--format json",
        "--format junit",
        "--format terse --format pretty",
        "--color nope",
        "--exact --exact",
        "--nocapture=1",
        "--logfile",
        "--ignored --include-ignored",
        "--report-time",
        "--ensure-time",
        "--shuffle",
        "--shuffle-seed 1",
        "-Z unstable-options --shuffle-seed x",
        "--exclude-should-panic",
        "--force-run-in-process",
        "--fail-fast",
        "-Z",
        "-Z foo",
        "-h -Z",
    ] {
        let (native, ours) = both(&words(args));
        assert_eq!(
            (ours.code, ours.stdout, ours.stderr),
            (native.code, native.stdout, native.stderr),
            "{args}"
        );
    }
}

#[test]
fn help_after_the_file_is_the_test_binarys() {
    for flag in ["--help", "-h", "-qh"] {
        let ran = run("face", &[flag]);
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("--include-ignored"), "{}", ran.stdout);
    }
}

#[test]
fn libtests_variables_count() {
    for (name, value, args) in [
        ("RUST_TEST_THREADS", "x", "passes"),
        ("RUST_TEST_THREADS", "0", "passes"),
        ("RUST_TEST_THREADS", "2", "passes"),
        ("RUST_TEST_THREADS", "x", "--list"),
        ("RUST_TEST_NOCAPTURE", "1", "prints --test-threads 1"),
        ("RUST_TEST_NOCAPTURE", "0", "prints"),
        ("RUST_TEST_SHUFFLE", "1", "prints"),
        ("RUST_TEST_SHUFFLE_SEED", "7", "-Z unstable-options prints"),
        ("RUST_TEST_SHUFFLE_SEED", "x", "-Z unstable-options prints"),
    ] {
        let args = words(args);
        let native = finish(
            native("face", &args)
                .env("RUSTC_BOOTSTRAP", "1")
                .env(name, value),
        );
        let ours = finish(ours("face", &args).env(name, value));
        assert_eq!(ours.code, native.code, "{name}={value}: {}", ours.stderr);
        assert_eq!(
            in_order(&ours.stdout),
            in_order(&native.stdout),
            "{name}={value}"
        );
    }
}

#[test]
fn a_logfile_holds_a_line_for_each_test() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = |name: &str, run: &dyn Fn(&[&str]) -> Ran| {
        let log = folder.path().join(name);
        let path = log.to_str().expect("UTF-8");
        run(&["--logfile", path]);
        let text = std::fs::read_to_string(&log).expect("it is there");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let ours = lines("ours", &|args| run("face", args));
    let native = lines("native", &|args| finish(&mut native("face", args)));
    assert_eq!(ours, native);
}

#[test]
fn tests_that_should_panic_are_tests_as_any_other() {
    let ran = run("face", &["unable"]);
    assert_eq!(ran.code, 0);
    let line = "test unable::panics - should panic ... ok\n";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);
    assert!(!ran.stderr.contains("should_panic"), "{}", ran.stderr);
    let name = "unable::panics";
    let one = |more: &[&str]| run("face", &[&[name, "--exact", "--nocapture"], more].concat());
    assert!(one(&[]).stdout.contains(line));
    let ignored = run(
        "face",
        &["--list", "--format", "terse", "--ignored", "unable"],
    );
    assert_eq!(ignored.stdout, "unable::panics_and_is_ignored: test\n");
}

/// As in a component.
#[test]
fn tests_that_should_panic_are_ignored_and_never_pass_where_they_cannot_run() {
    let component = guest("verdicts", Target::P2, "dev");
    let run = |args: &[&str]| finish(wasmtest().arg("cargo-runner").arg(&component).args(args));
    let ran = run(&["should_panic_and_does"]);
    assert_eq!(ran.code, 0);
    let name = "tests::should_panic_and_does";
    let line = format!("test {name} - should panic ... ignored\n");
    assert!(ran.stdout.contains(&line), "{}", ran.stdout);
    assert!(ran.stderr.contains("should_panic"), "{}", ran.stderr);
    let one = |more: &[&str]| run(&[&[name, "--exact", "--nocapture"], more].concat());
    assert_eq!(one(&[]).code, 0);
    let asked = one(&["--ignored"]);
    assert_eq!(asked.code, 101);
    assert!(asked.stdout.contains("cannot be run"), "{}", asked.stdout);
    // whoever lists what is ignored learns of both
    let ignored = run(&["--list", "--format", "terse", "--ignored", "should_panic"]);
    assert_eq!(
        ignored.stdout,
        "tests::should_panic_and_does: test\ntests::should_panic_and_does_not: test\n"
    );
}

#[test]
fn nothing_found_is_no_success_for_nextest() {
    let args = ["tests::nothing", "--exact", "--nocapture"];
    assert_eq!(run("face", &args).code, 0);
    let ran = finish(ours("face", &args).env("NEXTEST", "1"));
    assert_eq!(ran.code, 101);
    assert!(ran.stderr.contains("`tests::nothing`"), "{}", ran.stderr);
}

#[test]
fn what_the_host_found_out_stands_behind_a_tests_own_output() {
    let mut command = ours("hard", &[]);
    let ran = finish(command.env("WASMTEST_PROCESS_TIMEOUT", "0.5"));
    assert_eq!(ran.code, 101);
    for part in [
        "\nrunning 5 tests\n",
        "test passes ... ok\n",
        "test aborts ... FAILED\n",
        "test leaves_with_zero ... FAILED\n",
        "test never_ends ... FAILED\n",
        "---- aborts stdout ----\nabout to abort\nwasmtest: aborted\n",
        "---- leaves_with_zero stdout ----\nwasmtest: left by exit(0)",
        "wasmtest: hint: a test passes by returning",
        "---- never_ends stdout ----\nwasmtest: stopped at its limit of 0.5s\n",
        "test result: FAILED. 1 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out;",
    ] {
        assert!(ran.stdout.contains(part), "{part} is not in {}", ran.stdout);
    }
    // a pipe gets what the test wrote
    assert!(ran.stdout.contains("\x1b[2J"));
}

#[test]
fn benchmarks_run_once_as_tests_and_are_measured_with_bench() {
    let once = run("measured", &[]);
    assert_eq!(once.code, 0, "{}", once.stderr);
    assert!(once.stdout.contains("test adds ... ok\n"));
    assert!(
        once.stdout
            .contains("3 passed; 0 failed; 0 ignored; 0 measured;")
    );
    let measured = run("measured", &["--bench"]);
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let line = measured.stdout.lines().find(|l| l.starts_with("test adds"));
    let line = line.expect("there is one");
    assert!(line.starts_with("test adds ... bench: "), "{line}");
    assert!(line.contains(" ns/iter (+/- "), "{line}");
    assert!(measured.stdout.contains("test is_a_test ... ignored\n"));
    assert!(
        measured
            .stdout
            .contains("0 passed; 0 failed; 1 ignored; 2 measured;")
    );
    let list = run("measured", &["--list"]);
    let native = finish(&mut native("measured", &["--list"]));
    assert_eq!(list.stdout, native.stdout);
    let json = words("--bench -Z unstable-options --format json");
    let json = run("measured", &json);
    let is_measured = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        event["type"] == "bench" && event["name"] == "adds" && event["median"].is_number()
    };
    assert!(json.stdout.lines().any(is_measured), "{}", json.stdout);
}

#[test]
fn files_that_are_none_and_a_runner_named_twice_are_told() {
    let runner = |args: &[&str]| finish(crate::support::wasmtest().arg("cargo-runner").args(args));
    let native = built().native["face"].to_str().expect("UTF-8");
    let ran = runner(&[native]);
    assert_eq!(ran.code, 101);
    assert!(ran.stderr.contains("native program"), "{}", ran.stderr);
    let ran = runner(&["/nowhere/at/all.wasm", "--list"]);
    assert_eq!(ran.code, 101);
    assert!(
        ran.stderr.contains("/nowhere/at/all.wasm"),
        "{}",
        ran.stderr
    );
    let ran = runner(&["wasmtest", "cargo-runner", native]);
    assert_eq!(ran.code, 101);
    assert!(ran.stderr.contains("named twice"), "{}", ran.stderr);
}

/// Cargo with our runner set.
fn cargo_with_runner(args: &[&str]) -> Command {
    let mut command = cargo(&built().folder, args);
    let runner = format!("{} cargo-runner", env!("CARGO_BIN_EXE_wasmtest"));
    command
        .env("CARGO_TARGET_WASM32_WASIP1_RUNNER", runner)
        .env(
            "WASMTEST_CACHE_DIR",
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        );
    command
}

#[test]
fn cargo_test_runs_the_tests() {
    let passing = words("test --target wasm32-wasip1 --lib -- passes prints");
    let ran = finish(&mut cargo_with_runner(&passing));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("test result: ok. 4 passed;"),
        "{}",
        ran.stdout
    );
    let failing = words("test --target wasm32-wasip1 --lib");
    let ran = finish(&mut cargo_with_runner(&failing));
    assert_eq!(ran.code, 101, "{}", ran.stderr);
    assert!(ran.stdout.contains("test tests::fails ... FAILED"));
}

#[test]
fn nextest_runs_the_tests() {
    let there = cargo(&built().folder, &["nextest", "--version"]).output();
    if !there.is_ok_and(|o| o.status.success()) {
        println!("skipped: cargo-nextest is not installed");
        return;
    }
    let nextest = |args: &[&str]| {
        let run = [
            "nextest",
            "run",
            "--target",
            WASIP1,
            "--lib",
            "--no-fail-fast",
        ];
        finish(&mut cargo_with_runner(&[&run, args].concat()))
    };
    let ran = nextest(&[]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let summary = "8 tests run: 6 passed, 2 failed, 4 skipped";
    assert!(ran.stderr.contains(summary), "{}", ran.stderr);
    let ran = nextest(&["--run-ignored", "only"]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let summary = "4 tests run: 3 passed, 1 failed, 8 skipped";
    assert!(ran.stderr.contains(summary), "{}", ran.stderr);
    let ran = nextest(&["passes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
