//! A suite in a file of its own, by its setup; and what failing ones do.

use crate::fixtures::{Config, Db, Server, config, counter, db, now, server, total};
use crate::note;
use std::cell::Cell;

#[wasmtest::setup(split)]
fn begin() {
    note("file setup");
}

#[wasmtest::teardown]
fn end() {
    note("file teardown");
}

#[wasmtest::test]
fn reads_fixtures(config: &Config, db: &Db, total: u32) {
    note("test reads_fixtures");
    assert_eq!(config.sizes, [1, 2, 3]);
    assert_eq!((db.name.as_str(), total), ("one for all", 6));
    db.uses.set(db.uses.get() + 1);
}

#[wasmtest::test]
fn has_a_counter_of_its_own_1(counter: &Cell<usize>) {
    assert_eq!(counter.replace(9), 3);
}

#[wasmtest::test]
fn has_a_counter_of_its_own_2(counter: &Cell<usize>) {
    assert_eq!(counter.replace(9), 3);
}

#[wasmtest::test]
fn knows_the_time(now: &std::time::SystemTime) {
    assert!(*now > std::time::UNIX_EPOCH);
}

/// Each is a test.
#[wasmtest::test(tags("cases"), cases(empty = "", one = "a", pair = "ab"))]
fn measures(text: &str) {
    note("test measures");
    assert!(text.len() < 3);
}

#[wasmtest::test(cases(good = ("7", 7), bad = ("x", 0)))]
fn parses(text: &str, expected: u32, config: &Config) -> Result<(), std::num::ParseIntError> {
    assert_eq!(config.sizes.len(), 3);
    assert_eq!(text.parse::<u32>()?, expected);
    Ok(())
}

#[wasmtest::test(cases(with_words = "right words", without = "nothing"))]
#[should_panic(expected = "right words")]
fn panics(text: &str) {
    panic!("{text}");
}

#[wasmtest::test]
#[ignore = "needs the host fixture `server`"]
fn asks_the_host(server: &Server) {
    assert!(server.port > 0);
}

/// Whose setup fails.
mod fails {
    #[wasmtest::setup]
    fn begin() -> Result<(), String> {
        Err("no power".to_owned())
    }

    #[wasmtest::test]
    fn is_not_run() {
        super::note("test is_not_run");
    }
}

/// Whose teardown fails.
mod fails_late {
    #[wasmtest::teardown]
    fn end() {
        panic!("the end went wrong");
    }

    #[wasmtest::test]
    fn passes_itself() {}
}
