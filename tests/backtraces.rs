//! Whose lines a failure shows: the developer's own, whatever their crates are called.

use crate::support::{Events, Target, arg, events, guest};
use serde_json::Value;

/// Test targets that are called as crates of the toolchain's, of libtest's, of a harness's or
/// of the SDK's.
const NAMESAKES: [&str; 9] = [
    "alloc",
    "backtrace",
    "core",
    "getopts",
    "libtest_mimic",
    "proc_macro",
    "std",
    "test",
    "wasmtest",
];

fn frames<'a>(events: &'a Events, id: &str) -> Vec<&'a Value> {
    let end = events.ends().find(|e| e["name"] == id);
    let end = end.unwrap_or_else(|| panic!("{id} is not in {events:#?}"));
    let frames = end["wasmtest"]["backtrace"].as_array();
    frames.into_iter().flatten().collect()
}

fn crates_are_told_by_more_than_their_names(target: Target, profile: &'static str) {
    let modules = NAMESAKES.map(|name| guest(name, target, profile));
    let events = events(modules.iter().map(|module| arg(module)));
    assert_eq!(events.code, 1, "{events:#?}");
    for name in NAMESAKES {
        let frames = frames(&events, &format!("{name}.wasm same::reads_out_of_bounds"));
        let own: Vec<&str> = frames
            .iter()
            .filter(|frame| frame["library"].is_null())
            .filter_map(|frame| frame["function"].as_str())
            .collect();
        let expected = ["reads", "reads_out_of_bounds"].map(|f| format!("{name}::same::{f}"));
        // the optimiser leaves only the innermost a function of its own
        match profile {
            "release" => assert_eq!(own.first(), Some(&&*expected[0]), "{frames:#?}"),
            _ => assert_eq!(own, expected, "{frames:#?}"),
        }
        let catches = format!("{name}.wasm same::catches_a_panic");
        if profile == "release" {
            continue;
        }
        let end = events.ends().find(|e| e["name"] == *catches);
        let hint = end.and_then(|e| e["wasmtest"]["hint"].as_str());
        assert!(
            hint.is_some_and(|h| h.contains("catch_unwind")),
            "{catches}: {end:#?}"
        );
    }
}

#[test]
fn a_crate_that_is_called_as_one_of_the_toolchains_is_the_developers() {
    crates_are_told_by_more_than_their_names(Target::P1, "dev");
}

#[test]
fn so_it_is_in_a_component() {
    crates_are_told_by_more_than_their_names(Target::P2, "dev");
}

#[test]
fn so_it_is_where_there_are_names_and_no_debug_information() {
    crates_are_told_by_more_than_their_names(Target::P1, "release");
}
