//! Fixtures of another crate.
#![forbid(unsafe_code)]

use suites::fixtures::{Config, Db, config, db, total};

#[wasmtest::test]
fn reads_the_librarys_fixtures(config: &Config, db: &Db, total: u32) {
    assert_eq!((db.name.as_str(), total), (config.name.as_str(), 6));
}
