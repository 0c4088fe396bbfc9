//! The testing crates that Rust projects use, under `cargo wasmtest`: `tests/ecosystem`, a member a crate.
//!
//! Everything runs in a copy, because some of it writes beside the sources. Each run
//! names all members or excludes the same ones, so that cargo unifies features
//! in one way and builds dependencies once a target.

use crate::support::{Events, Ran, Target, finish, wasmtest, workspace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PROPTEST_SEEDS: &str = "uses-proptest/proptest-regressions/lib.txt";
/// Too much to build twice for what the second target could show.
const HEAVY: [&str; 4] = ["--exclude", "uses-criterion", "--exclude", "uses-proptest"];

/// The copy, made anew once a test process; files keep their times, so that cargo builds
/// again only what has changed.
fn copy() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ecosystem");
        if to.exists() {
            std::fs::remove_dir_all(&to).expect("the last run's goes");
        }
        copy_folder(&workspace().join("tests/ecosystem"), &to);
        let data = to.join("uses-datatest-stable/tests/data");
        for n in 0..50 {
            let file = data.join(format!("good/{n}.txt"));
            std::fs::write(file, format!("{n}\n1\n{}\n", n + 1)).expect("written");
        }
        std::fs::write(data.join("bad.txt"), "1\n1\n3\n").expect("written");
        to
    })
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let target = to.join(entry.file_name());
        let meta = entry.metadata().expect("it is there");
        if meta.is_file() {
            std::fs::copy(entry.path(), &target).expect("copied");
            let copied = std::fs::File::options().write(true).open(&target);
            let time = meta.modified().expect("files have times");
            let copied = copied.expect("it was written");
            copied.set_modified(time).expect("it can be set");
        } else if entry.file_name() != "target" {
            copy_folder(&entry.path(), &target);
        }
    }
}

/// `cargo wasmtest` over the copy, with nothing from outside that the crates listen to.
fn cargo_wasmtest(target: Target, cargo: &[&str], rest: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wasmtest"));
    without_what_crates_hear(&mut command);
    command
        .current_dir(copy())
        .arg("wasmtest")
        .args(["--workspace", "--locked", "--quiet"])
        .args(["--target", target.triple(), "--target-dir"])
        .arg(built())
        .args(cargo)
        .args(["--", "--verbose"])
        .args(rest);
    command
}

/// Where the copy is built.
fn built() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("ecosystem-target")
}

/// Takes away what cargo and the crates listen to, and gives our own settings.
fn without_what_crates_hear(command: &mut Command) {
    let ours = wasmtest();
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let heard = ["CARGO_", "INSTA_", "PROPTEST_", "QUICKCHECK_", "RUST"];
        let kept = name.starts_with("RUSTUP_") || name == "CARGO_HOME";
        if name == "CI" || !kept && heard.iter().any(|h| name.starts_with(h)) {
            command.env_remove(name);
        }
    }
}

/// The same, as events; whatever cargo said is on the test's own stderr.
fn run(target: Target, cargo: &[&str], rest: &[&str], env: &[(&str, &str)]) -> Events {
    let mut command = cargo_wasmtest(target, cargo, &["--message-format", "json"]);
    let ran: Ran = finish(command.args(rest).envs(env.iter().copied()));
    assert!(ran.code < 2, "{}{}", ran.stderr, ran.stdout);
    Events::of(ran)
}

/// The verdict of each test of a member, by its id without the member's name.
fn verdicts<'a>(events: &'a Events, member: &str) -> BTreeMap<&'a str, &'a str> {
    let of_member = events.ends().filter_map(|end| {
        let rest = end["name"].as_str()?.strip_prefix(member)?;
        let rest = rest.strip_prefix("::").or_else(|| rest.strip_prefix(' '))?;
        Some((rest, end["wasmtest"]["outcome"].as_str()?))
    });
    of_member.collect()
}

fn assert_verdicts(events: &Events, member: &str, expected: &[(&str, &str)]) {
    let expected: BTreeMap<&str, &str> = expected.iter().copied().collect();
    assert_eq!(verdicts(events, member), expected, "{member}");
}

const PASSED: &str = "passed";
const SKIPPED: &str = "skipped";
const FAILED: &str = "failed";

fn assert_as_in_the_docs(events: &Events, should_panic: &str) {
    assert_verdicts(
        events,
        "uses-rayon",
        &[
            ("tests::the_global_pool_works_on_the_calling_thread", PASSED),
            ("tests::so_does_a_pool_that_is_told_to", PASSED),
            ("tests::another_pool_wants_threads", SKIPPED),
        ],
    );
    assert_verdicts(
        events,
        "uses-tokio",
        &[
            ("tests::an_answer_comes", PASSED),
            ("tests::an_answer_is_wrong", SKIPPED),
            ("tests::blocks_where_it_must_not", SKIPPED),
        ],
    );
    assert_verdicts(
        events,
        "uses-insta",
        &[
            ("tests::a_snapshot_in_a_file", PASSED),
            ("tests::a_snapshot_in_the_source", PASSED),
            ("outside a_named_snapshot_of_a_debug_form", PASSED),
            ("outside a_changed_file", SKIPPED),
            ("outside a_changed_inline", SKIPPED),
        ],
    );
    assert_verdicts(
        events,
        "uses-quickcheck",
        &[
            ("tests::twice_is_the_same", PASSED),
            ("tests::once_is_the_same", SKIPPED),
            ("tests::one_element_stays", PASSED),
        ],
    );
    assert_verdicts(
        events,
        "uses-rstest",
        &[
            ("tests::a_fixture", PASSED),
            ("tests::a_fixture_made_once", PASSED),
            ("tests::a_matrix::a_1_1::b_1_10", PASSED),
            ("tests::a_matrix::a_1_1::b_2_20", PASSED),
            ("tests::a_matrix::a_2_2::b_1_10", PASSED),
            ("tests::a_matrix::a_2_2::b_2_20", PASSED),
            ("tests::cases::case_1_zero", PASSED),
            ("tests::cases::case_2_ten", PASSED),
            ("tests::cases::case_3_wrong", should_panic),
            ("tests::files::file_1_numbers_seven_txt", PASSED),
            ("tests::files::file_2_numbers_twelve_txt", PASSED),
        ],
    );
    assert_verdicts(
        events,
        "uses-test-log",
        &[
            ("tests::the_attribute_as_it_is", PASSED),
            ("tests::the_attribute_around_a_result", PASSED),
            ("tests::one_that_fails", SKIPPED),
        ],
    );
    assert_verdicts(
        events,
        "uses-tempfile",
        &[
            ("tests::a_folder_in_tmpdir", PASSED),
            ("tests::a_named_file_in_tmpdir", PASSED),
            ("tests::a_file_without_a_name", PASSED),
            ("tests::a_spooled_file", PASSED),
            ("tests::a_folder_once_the_default_is_set", PASSED),
            ("tests::a_folder_where_the_system_wants_it", PASSED),
        ],
    );
    assert_verdicts(
        events,
        "uses-serial-test",
        &[
            ("tests::one", PASSED),
            ("tests::another", PASSED),
            ("tests::one_with_a_key", PASSED),
            ("tests::beside_others", PASSED),
        ],
    );
    assert_verdicts(
        events,
        "uses-libtest-mimic",
        &[
            ("lines valid", PASSED),
            ("lines [line] valid with a kind", PASSED),
            ("lines invalid", SKIPPED),
            ("lines panics", SKIPPED),
            ("lines skips_itself", SKIPPED),
            ("lines measured", PASSED),
        ],
    );
    let files = verdicts(events, "uses-datatest-stable");
    assert_eq!(
        files.len(),
        53 + 54,
        "a test a file and function: {files:?}"
    );
    for (path, verdict) in files {
        let expected = match path {
            "sums by_content::bad.txt" => FAILED,
            _ => PASSED,
        };
        assert_eq!(verdict, expected, "{path}");
    }
    let message = events.message("by_content::bad.txt");
    assert!(message.contains("the sum is 2, not 3"), "{message}");
}

#[test]
fn every_crate_gives_the_verdicts_of_its_example_on_wasip1() {
    let events = run(Target::P1, &["--tests", "--benches"], &[], &[]);
    assert_as_in_the_docs(&events, PASSED);
    assert_verdicts(
        &events,
        "uses-proptest",
        &[
            ("tests::every_digit_is_below_ten", PASSED),
            ("tests::no_number_has_four_digits", SKIPPED),
        ],
    );
    assert_verdicts(
        &events,
        "uses-criterion",
        &[
            ("bench/sums sums/10", PASSED),
            ("bench/sums sums/1000", PASSED),
            ("bench/sums one sum", PASSED),
        ],
    );
    let files = events.summary()["failed"].as_u64();
    assert_eq!((events.code, files), (1, Some(1)));
}

#[test]
fn every_crate_gives_the_verdicts_of_its_example_on_wasip2() {
    let events = run(Target::P2, &[&HEAVY[..], &["--tests"]].concat(), &[], &[]);
    assert_as_in_the_docs(&events, SKIPPED);
}

#[test]
fn what_fails_is_named_with_its_reason() {
    let events = run(
        Target::P1,
        &["--tests"],
        &["--run-ignored"],
        &[("RUST_LOG", "debug")],
    );
    let said = |path: &str| {
        let end = events.end(path);
        assert_eq!(end["wasmtest"]["outcome"], FAILED, "{end:#}");
        format!(
            "{}\n{}\n{}",
            events.message(path),
            end["wasmtest"]["hint"].as_str().unwrap_or_default(),
            end["stdout"].as_str().unwrap_or_default()
        )
    };
    for (path, words) in [
        ("invalid", "exited with status 101\n`nothing` has no `=`"),
        ("panics", "no such line"),
        (
            "tests::once_is_the_same",
            "[quickcheck] TEST FAILED. Arguments:",
        ),
        (
            "tests::no_number_has_four_digits",
            "minimal failing input: number = 1000",
        ),
        ("tests::one_that_fails", "[DEBUG uses_test_log] is 3 even?"),
    ] {
        let said = said(path);
        assert!(said.contains(words), "{path}: {said}");
    }
}

/// One member alone, with the tests that fail to show something.
fn failing(member: &str, rest: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wasmtest"));
    without_what_crates_hear(&mut command);
    command
        .current_dir(copy())
        .args(["wasmtest", "--locked", "--lib", "--package", member])
        .args(["--target", Target::P1.triple(), "--target-dir"])
        .arg(built())
        .arg("--")
        .args(rest);
    finish(&mut command)
}

#[test]
fn of_a_failure_below_a_dependency_the_developers_lines_are_shown() {
    let ran = failing("uses-tokio", &["--run-ignored"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let filters = vec![
        (r"\b\d+(\.\d+)?(ns|us|ms|s)\b", "[time]"),
        (r" {2,}\[time\]", " [time]"),
        (r"… \d+ frames", "… [n] frames"),
        (r"/\S+/registry/src/[^/]+/", "[registry]/"),
        (r"rerun: .*", "rerun: [command]"),
        (r"on \d+ process(es)?", "on [n] processes"),
    ];
    insta::with_settings!({filters => filters}, { insta::assert_snapshot!(ran.stdout); });
    // and the rest for who asks
    let all = failing("uses-tokio", &["--run-ignored", "-v"]).stdout;
    let of_tokio = |l: &&str| l.trim().starts_with("tokio-1.") && l.contains("/src/runtime/");
    assert!(all.lines().filter(of_tokio).count() > 5, "{all}");
    assert!(!all.contains(" frames in "), "{all}");
    let json = Events::of(failing(
        "uses-tokio",
        &["--run-ignored", "--message-format", "json"],
    ));
    let frames = &json.end("tests::an_answer_is_wrong")["wasmtest"]["backtrace"];
    let frames = frames.as_array().expect("there is one");
    let of = |library: &str| {
        let libraries = frames.iter().filter_map(|f| f["library"].as_str());
        libraries.filter(|l| l.starts_with(library)).count()
    };
    let own = frames.iter().filter(|f| f["library"].is_null()).count();
    assert_eq!(own, 2, "{frames:#?}");
    assert!(of("tokio-1.") > 5 && of("runtime") > 1, "{frames:#?}");
}

#[test]
fn rayon_works_on_the_calling_thread_and_a_pool_that_wants_threads_is_told_so() {
    let ran = failing(
        "uses-rayon",
        &["--message-format", "json", "--include-ignored"],
    );
    let events = Events::of(ran);
    let passes = [
        "the_global_pool_works_on_the_calling_thread",
        "so_does_a_pool_that_is_told_to",
    ];
    for test in passes {
        assert_eq!(events.outcome(&format!("tests::{test}")), PASSED);
    }
    let hint = &events.end("tests::another_pool_wants_threads")["wasmtest"]["hint"];
    let hint = hint.as_str().unwrap_or_default();
    assert!(hint.contains("use_current_thread"), "{hint}");
}

#[test]
fn insta_reads_snapshots_as_it_is_and_writes_new_ones_where_it_may() {
    let changed = |rest: &[&str], update: &str| {
        let rest = [&["--run-ignored"], rest].concat();
        let env = [("INSTA_UPDATE", update)];
        run(Target::P1, &["--test", "outside"], &rest, &env)
    };
    let folder = copy().join("uses-insta/tests");
    let new = folder.join("snapshots/outside__a_changed_file.snap.new");
    let pending = folder.join(".outside.rs.pending-snap");
    let compared = changed(&[], "no");
    for test in ["a_changed_file", "a_changed_inline"] {
        let message = compared.message(test);
        assert!(message.contains("snapshot assertion for"), "{message}");
        let stdout = compared.end(test)["stdout"].as_str().expect("a text");
        assert!(
            stdout.contains("-1. coffee") || stdout.contains("1. tea"),
            "{stdout}"
        );
    }
    let refused = changed(&[], "auto");
    let denied = refused.end("a_changed_file")["wasmtest"]["denied"].to_string();
    assert!(denied.contains("--rw"), "{denied}");
    assert!(!new.exists() && !pending.exists());
    let wrote = changed(&["--rw", "tests"], "auto");
    assert_eq!(wrote.counts().get(FAILED), Some(&2));
    let text = std::fs::read_to_string(&new).expect("it was written");
    assert!(
        text.contains("source: uses-insta/tests/outside.rs\n"),
        "{text}"
    );
    assert!(text.ends_with("---\n1. tea\n"), "{text}");
    assert!(pending.exists());
}

#[test]
fn proptest_keeps_a_failures_seed_where_it_may() {
    let seeds = copy().join(PROPTEST_SEEDS);
    let failing = "tests::no_number_has_four_digits";
    let stderr = |rest: &[&str]| {
        let rest = [&["--run-ignored", "--exact", failing], rest].concat();
        let events = run(Target::P1, &["--tests"], &rest, &[]);
        assert_eq!(events.outcome(failing), FAILED);
        let said = events.end(failing)["stdout"].as_str().expect("a text");
        said.to_owned()
    };
    let refused = stderr(&[]);
    assert!(
        refused.contains("proptest: failed to append to"),
        "{refused}"
    );
    assert!(!seeds.exists());
    let kept = stderr(&["--rw", "proptest-regressions"]);
    assert!(kept.contains("proptest: Saving this"), "{kept}");
    let seeds = std::fs::read_to_string(&seeds).expect("it was written");
    assert!(seeds.contains("shrinks to number = 1000"), "{seeds}");
}

/// `cargo bench` of criterion's member, with our runner and these options of it.
fn cargo_bench(runner: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_what_crates_hear(&mut command);
    let runner = format!("{} cargo-runner {runner}", env!("CARGO_BIN_EXE_wasmtest"));
    command
        .current_dir(copy().join("uses-criterion"))
        .args([
            "bench",
            "--quiet",
            "--locked",
            "--target",
            Target::P1.triple(),
        ])
        .arg("--target-dir")
        .arg(built())
        .args(["--bench", "sums", "--"])
        .args(args)
        .stdin(std::process::Stdio::null())
        .env("CARGO_TARGET_WASM32_WASIP1_RUNNER", runner);
    finish(&mut command)
}

#[test]
fn criterion_tests_and_measures_under_cargo_bench_and_keeps_what_it_may_write() {
    let ran = cargo_bench("", &["--test"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("Testing sums/10\nSuccess"), "{ran:?}");
    let results = copy().join("uses-criterion/target/criterion");
    assert!(!results.exists());
    let short = [
        "--warm-up-time",
        "0.05",
        "--measurement-time",
        "0.1",
        "--sample-size",
        "10",
    ];
    let ran = cargo_bench("--rw target/criterion", &short);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout.contains("sums/10") && ran.stdout.contains("time:"),
        "{ran:?}"
    );
    assert!(
        results.join("one sum/new/estimates.json").is_file(),
        "{ran:?}"
    );
    // it finds what the run before has left
    let ran = cargo_bench("--rw target/criterion", &short);
    assert!(ran.stdout.contains("change:"), "{ran:?}");
}
