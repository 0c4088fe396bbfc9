//! What people see, as it really comes out.

use crate::support::{Target, arg, finish, guest, run, wasmtest};

/// Snapshots differ in times, counts of threads and cargo's hashes from run to run.
macro_rules! snapshot {
    ($text:expr) => {
        let filters = vec![
            (r"\b\d+(\.\d+)?(ns|us|ms|s)\b", "[time]"),
            (r"-[0-9a-f]{16}\.wasm", "-[hash].wasm"),
            (r" {2,}\[time\]", " [time]"),
            (r"… \d+ times more", "… [n] times more"),
            (r"file: /\S+/", "file: [folder]/"),
            (r"(/rustc/)[0-9a-f]+", "$1[commit]"),
            (r"(library/\S+\.rs):\d+:\d+", "$1:L:C"),
        ];
        insta::with_settings!({filters => filters}, { insta::assert_snapshot!($text); });
    };
}

#[test]
fn a_green_run() {
    let module = guest("verdicts", Target::P1, "dev");
    run([arg(&module), "-q", "--", "passes"]);
    let ran = run([arg(&module), "--processes", "2", "--", "passes", "ignored"]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stderr, "");
    snapshot!(ran.stdout);
}

#[test]
fn failures_in_full() {
    let module = guest("verdicts", Target::P1, "dev");
    let tests = [
        "panics",
        "assertion_fails",
        "returns_err",
        "exits_0",
        "aborts",
        "stack",
        "memory",
        "temp_dir",
        "spins",
    ];
    let args = [
        &[
            arg(&module),
            "--processes",
            "1",
            "--process-timeout",
            "1",
            "--no-std-gaps",
            "--skip",
            "forges",
            "--",
        ],
        &tests[..],
    ]
    .concat();
    // once before, so that nothing is compiled, and told of, between the dots
    run(&args);
    let ran = run(&args);
    assert_eq!(ran.code, 1);
    // dots come as tests end
    snapshot!(ran.stdout);
}

#[test]
fn a_guests_words_are_marked_as_its_own() {
    let module = guest("awkward", Target::P1, "dev");
    let ran = run([
        arg(&module),
        "--processes",
        "1",
        "--",
        "forges",
        "one_letter",
    ]);
    snapshot!(ran.stdout);
}

#[test]
fn a_line_for_each_test() {
    let module = guest("verdicts", Target::P1, "dev");
    let ran = run([
        arg(&module),
        "-v",
        "--processes",
        "1",
        "--exact",
        "--",
        "tests::passes",
        "tests::exits_3",
        "tests::ignored_with_a_reason",
    ]);
    snapshot!(ran.stdout);
}

#[test]
fn only_the_summary() {
    let module = guest("verdicts", Target::P1, "dev");
    let ran = run([
        arg(&module),
        "-q",
        "--processes",
        "1",
        "--",
        "passes",
        "returns_err",
    ]);
    snapshot!(ran.stdout);
}

#[test]
fn a_module_that_cannot_be_loaded() {
    let dir = tempfile::tempdir().expect("a folder");
    let text =
        r#"(module (import "env" "a" (func)) (import "env" "b" (func)) (func (export "_start")))"#;
    let module = crate::support::wat(dir.path(), "legacy.wasm", text);
    snapshot!(run([arg(&module), "--processes", "1"]).stdout);
}

#[test]
fn colour_only_when_asked_for_or_on_a_terminal() {
    let module = guest("verdicts", Target::P1, "dev");
    let run = |color: &str| {
        finish(wasmtest().args([
            "run",
            arg(&module),
            "--color",
            color,
            "--",
            "passes",
            "panics",
        ]))
        .stdout
    };
    assert!(!run("auto").contains('\x1b'));
    assert!(!run("never").contains('\x1b'));
    assert!(run("always").contains("\x1b[31m"));
}

#[test]
fn help_teaches() {
    let help = |args: &[&str]| finish(wasmtest().args(args).arg("--help")).stdout;
    snapshot!(help(&[]));
    snapshot!(help(&["run"]));
    snapshot!(help(&["list"]));
    snapshot!(help(&["cache"]));
}

#[test]
fn the_plan_as_a_tree() {
    let module = guest("suites", Target::P1, "dev");
    let plan = finish(wasmtest().args(["plan", arg(&module)]));
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    insta::assert_snapshot!(plan.stdout);
    let some = finish(wasmtest().args(["plan", "-v", arg(&module), "--", "marks::"]));
    insta::assert_snapshot!(some.stdout);
    let none = finish(wasmtest().args(["plan", arg(&module), "--", "no such test"]));
    assert_eq!(none.code, 4);
}
