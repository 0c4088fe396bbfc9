//! Fixtures that the crate's own tests and those in `tests/` ask for.

use crate::note;
use serde::{Deserialize, Serialize};
use std::cell::Cell;

/// What a shared fixture gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// A text.
    pub name: String,
    /// Numbers.
    pub sizes: Vec<u32>,
    /// Does not travel.
    #[serde(skip)]
    pub here: bool,
}

/// Computed once for all.
#[wasmtest::fixture(shared)]
pub fn config() -> Config {
    note("fixture config");
    wasmtest::log("the one config");
    Config {
        name: "one for all".to_owned(),
        sizes: vec![1, 2, 3],
        here: true,
    }
}

/// What cannot travel.
pub struct Db {
    /// What it was made from.
    pub name: String,
    /// How many have used this one.
    pub uses: Cell<u32>,
}

/// One for each instance that needs it.
#[wasmtest::fixture(split, teardown = close)]
pub fn db(config: &Config) -> Result<Db, std::num::ParseIntError> {
    note("fixture db");
    Ok(Db {
        name: config.name.clone(),
        uses: Cell::new("0".parse()?),
    })
}

fn close(db: &Db) {
    note("fixture db is torn down");
    assert_eq!(db.name, "one for all");
}

/// Of a test alone.
#[wasmtest::fixture]
pub fn counter(db: &Db, config: Config) -> Cell<usize> {
    note("fixture counter");
    assert_eq!(db.name, config.name);
    Cell::new(config.sizes.len())
}

/// Never replayed.
#[wasmtest::fixture(unit, fresh)]
pub fn now() -> std::time::SystemTime {
    note("fixture now");
    std::time::SystemTime::now()
}

/// Shared, and torn down.
#[wasmtest::fixture(shared, teardown = forget)]
pub fn total(config: &Config) -> u32 {
    note("fixture total");
    config.sizes.iter().sum()
}

fn forget(total: &u32) -> Result<(), String> {
    note("fixture total is torn down");
    wasmtest::log("no total any more");
    match total {
        6 => Ok(()),
        other => Err(format!("{other} in all")),
    }
}

/// What the host fixture `server` says of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Server {
    /// Where it listens.
    pub port: u16,
}

wasmtest::host_fixture!(
    /// Needs a `wasmtest.toml`.
    pub server: Server
);
