//! How much a guest may take: one value, from the flags to whoever enforces it.

use serde::{Deserialize, Serialize};

/// How much one instance of a guest may take, with all that belongs to it; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestLimits {
    /// Its memories, tables and heap of garbage-collected values together, in bytes.
    pub memory: Option<u64>,
    /// The elements of its tables together.
    pub table_elements: Option<u64>,
    /// Its core instances: a component may be many.
    pub instances: Option<u64>,
}

impl GuestLimits {
    /// What holds for a test unless asked for otherwise: what runs natively runs here.
    pub const OF_TESTS: GuestLimits = GuestLimits {
        memory: Some(2 << 30),
        // as in browsers
        table_elements: Some(10_000_000),
        // as many as wasmtime allows where nothing is asked for
        instances: Some(10_000),
    };

    /// What holds for a program that is run as a plain runtime does.
    pub const OF_PROGRAMS: GuestLimits = GuestLimits {
        memory: None,
        table_elements: None,
        instances: None,
    };
}
