//! What a test may have in its own folder, and who feels it when that is too much.

use crate::support::{Events, Target, arg, events, finish, guest, wasmtest};
use std::path::{Path, PathBuf};

fn module(target: Target) -> PathBuf {
    guest("disk", target, "dev")
}

fn run(target: Target, flags: &[&str], filters: &[&str]) -> Events {
    let module = module(target);
    let all = [&[arg(&module), "--processes", "1"], flags, &["--"], filters].concat();
    events(all)
}

/// What is said of a test beside its outcome.
fn hint<'a>(events: &'a Events, test: &str) -> &'a str {
    let end = events.end(&format!("tests::{test}"));
    end["wasmtest"]["hint"].as_str().unwrap_or_default()
}

#[test]
fn what_is_too_much_is_no_space_for_that_test_alone() {
    for target in Target::BOTH {
        let events = run(
            target,
            &["--max-scratch", "4MiB"],
            &["quota_", "writes_little"],
        );
        for passes in [
            "quota_fills_it_and_copes",
            "quota_removed_files_count_while_they_are_open",
            "quota_single_bytes_far_apart_count_as_blocks",
            "writes_little",
        ] {
            let path = format!("tests::{passes}");
            assert_eq!(events.outcome(&path), "passed", "{:#}", events.end(&path));
        }
        let fails = "tests::quota_fills_it_and_fails";
        assert_eq!(events.outcome(fails), "failed");
        if target == Target::P1 {
            assert!(events.message(fails).contains("No space left"));
        }
        let hint = hint(&events, "quota_fills_it_and_fails");
        assert!(
            hint.contains("it may hold 4 MiB (--max-scratch SIZE)"),
            "{hint}"
        );
    }
}

#[test]
fn what_is_not_there_any_more_or_never_was_does_not_count() {
    for target in Target::BOTH {
        let small = run(
            target,
            &["--max-scratch", "4MiB"],
            &["overwrites_", "holes_"],
        );
        assert_eq!(small.summary()["passed"], 2, "{small:#?}");
        // by default
        let usual = run(target, &[], &["overwrites_", "holes_"]);
        assert_eq!(usual.summary()["passed"], 2, "{usual:#?}");
        let few = run(
            target,
            &["--max-scratch-entries", "10"],
            &["entries_made_and_removed"],
        );
        assert_eq!(few.summary()["passed"], 1, "{few:#?}");
    }
}

#[test]
fn entries_are_counted_whatever_they_are() {
    for target in Target::BOTH {
        let few = run(
            target,
            &["--max-scratch-entries", "50"],
            &["entries_a_million", "entries_are"],
        );
        for (test, made) in [
            ("entries_a_million_empty_ones", 50),
            ("entries_are_folders_too", 50),
            ("entries_are_second_names_too", 49),
        ] {
            let message = few.message(&format!("tests::{test}"));
            assert!(
                message.contains(&format!("{made}: No space")),
                "{test}: {message}"
            );
            let hint = hint(&few, test);
            assert!(hint.contains("it may hold 50 files and folders (--max-scratch-entries N)"));
        }
    }
    // a disk takes long for 100,000 files
    let quick = ["/dev/shm", "/tmp"]
        .into_iter()
        .find(|place| Path::new(place).is_dir());
    let mut command = wasmtest();
    command.args([
        "run",
        "--message-format",
        "json",
        arg(&module(Target::P1)),
        "--",
    ]);
    command.args(["entries_a_million", "writes_little"]);
    let usual = Events::of(finish(command.env("TMPDIR", quick.expect("one is there"))));
    let message = usual.message("tests::entries_a_million_empty_ones");
    assert!(message.contains("100000: No space"), "{message}");
    assert_eq!(usual.outcome("tests::writes_little"), "passed");
}

#[test]
fn a_file_that_is_too_long_is_refused_by_name_of_its_limit() {
    for target in Target::BOTH {
        let events = run(target, &[], &["longer_than_any_may_be"]);
        assert_eq!(events.outcome("tests::longer_than_any_may_be"), "failed");
        let hint = hint(&events, "longer_than_any_may_be");
        assert!(hint.contains("longer than 8 GiB"), "{hint}");
    }
}

#[test]
fn folders_that_are_granted_are_not_counted() {
    for target in Target::BOTH {
        let data = tempfile::tempdir().expect("a folder");
        let grant = format!("{}::/data:rw", data.path().display());
        let flags = ["--max-scratch", "4MiB", "--dir", &grant];
        let events = run(target, &flags, &["granted_folders"]);
        assert_eq!(events.summary()["passed"], 1, "{events:#?}");
    }
}
