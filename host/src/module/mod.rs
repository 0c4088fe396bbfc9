//! Files: what each one is, its compiled form in the cache, and the tests in it.
//!
//! [`identify`] tells a file's format and harness from its bytes alone,
//! [`cache`] keeps compiled forms and listings, [`compile`] makes them in a
//! process of its own, [`strip`] keeps debug information out of what is
//! compiled, and one file a harness ([`libtest`], [`custom`], [`doctest`],
//! [`command`], [`sdk`])
//! says how its tests are listed, called and judged. No guest code runs in here.

pub mod cache;
pub mod command;
pub mod compile;
pub mod custom;
pub mod doctest;
pub mod hints;
pub mod identify;
pub mod libtest;
pub mod names;
pub mod scan;
pub mod sdk;
pub mod strip;
pub mod verdict;

use serde::{Deserialize, Serialize};
use std::fmt;

/// The BLAKE3 hash of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        ContentHash(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
