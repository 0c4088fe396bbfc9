//! What tests find that begin from the state of a split setup: its clock, its generators.

use crate::acceptance::{each_way, named};
use crate::support::Events;
use std::collections::HashSet;

#[test]
fn a_setups_instants_are_past_in_each_of_its_tests_on_whatever_worker() {
    each_way(|ground| {
        for processes in ["1", "2", "4"] {
            let events = ground.run_of("replayed", processes, &["time::"], &[]);
            assert_eq!(events.code, 0, "{processes}: {events:#?}");
            assert_eq!(events.summary()["passed"], 6, "{events:#?}");
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
