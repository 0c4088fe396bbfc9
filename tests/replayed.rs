//! What tests find that begin from the state of a split setup: its clock, its generators.

use crate::acceptance::{each_way, named};
use crate::support::{Events, Target, arg, guest, run};
use std::collections::HashSet;
use std::path::Path;

#[test]
fn a_setups_instants_are_past_in_each_of_its_tests_on_whatever_worker() {
    each_way(|ground| {
        for processes in ["1", "2", "4"] {
            let events = ground.run_of("replayed", processes, &["time::"], &[]);
            assert_eq!(events.code, 0, "{processes}: {events:#?}");
            assert_eq!(events.summary()["passed"], 12, "{events:#?}");
        }
    });
}

/// What the tests of `chance::seeded` drew there.
fn drawn(events: &Events, from: &str) -> Vec<String> {
    let test = |case| events.end(&format!("chance::seeded::draws_numbers::{case}"));
    let logs = ["first", "second", "third"].map(|case| &test(case)["wasmtest"]["logs"]);
    let drawn = logs.iter().map(|logs| {
        let logs = logs.as_array().expect("it logs").iter();
        let lines = logs.filter_map(|line| line.as_str());
        let mut numbers = lines.filter_map(|line| line.strip_prefix(from));
        numbers.next().expect("it draws there").to_owned()
    });
    drawn.collect()
}

#[test]
fn what_a_setup_has_seeded_goes_on_alike_and_the_host_draws_anew() {
    each_way(|ground| {
        let events = ground.run_of("replayed", "1", &["chance::seeded::"], &[]);
        assert_eq!(events.summary()["passed"], 3, "{events:#?}");
        let different = |from| {
            drawn(&events, from)
                .into_iter()
                .collect::<HashSet<_>>()
                .len()
        };
        let replayed = !named(&events, "fixture", "snapshot").is_empty();
        let seeds = if replayed { 1 } else { 3 };
        assert_eq!(different("setup "), seeds, "{events:#?}");
        assert_eq!(different("generator "), seeds, "{events:#?}");
        assert_eq!(different("host "), 3, "{events:#?}");
    });
}

#[test]
fn a_large_state_is_kept_once_and_found_fresh_by_tests_that_spoil_it() {
    each_way(|ground| {
        for processes in ["1", "2", "4"] {
            let events = ground.run_of("replayed", processes, &["large::spoilt::"], &[]);
            let mut memory = HashSet::new();
            for case in ["a", "b", "c", "d", "e", "f"] {
                let test = format!("large::spoilt::finds_it_fresh::{case}");
                assert_eq!(events.outcome(&test), "passed", "{events:#?}");
                memory.insert(events.end(&test)["wasmtest"]["logs"].to_string());
            }
            assert_eq!(memory.len(), 1, "{memory:?}");
            assert_eq!(events.outcome("large::spoilt::traps"), "failed");
            let refused = events.message("large::spoilt::has_less_than_it_needs");
            assert!(
                refused.contains("allows 8388608 bytes of memory"),
                "{refused}"
            );
            let suite = ["replayed.wasm large::spoilt"];
            let keeping = named(&events, "fixture", "keeping");
            let kept = named(&events, "fixture", "snapshot");
            if named(&events, "fixture", "re-run").is_empty() {
                assert_eq!(
                    (&keeping[..], &kept[..]),
                    (&suite.map(str::to_owned)[..], &suite.map(str::to_owned)[..])
                );
            } else {
                assert!(keeping.is_empty() && kept.is_empty(), "{events:#?}");
            }
        }
    });
}

#[test]
fn nothing_is_left_of_states_in_the_cache_folder() {
    let cache = tempfile::tempdir().expect("a folder");
    let module = guest("replayed", Target::P1, "dev");
    let flags = ["--processes", "2", "--cache-dir", arg(cache.path())];
    let ran = run([
        &[arg(&module), "-v"],
        &flags[..],
        &["--", " large::spoilt::finds", " chance::"],
    ]
    .concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let line = "keeping the state of suite replayed.wasm large::spoilt, ";
    assert_eq!(
        ran.stderr.matches(line).count() + ran.stdout.matches(line).count(),
        1,
        "{ran:?}"
    );
    let left: Vec<String> = files(cache.path())
        .into_iter()
        .filter(|name| name.starts_with("run-") || name.contains(".new-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The names of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable") {
        let entry = entry.expect("readable");
        match entry.file_type().expect("known").is_dir() {
            true => names.extend(files(&entry.path())),
            false => names.push(entry.file_name().to_string_lossy().into_owned()),
        }
    }
    names
}
