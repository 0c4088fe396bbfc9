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
    /// Its open files and folders.
    pub open_files: Option<u64>,
    /// What a test writes to stdout, and again to stderr, in bytes.
    pub output: Option<u64>,
}

impl GuestLimits {
    /// What holds for a test unless asked for otherwise: what runs natively runs here.
    pub const OF_TESTS: GuestLimits = GuestLimits {
        memory: Some(2 << 30),
        // as in browsers
        table_elements: Some(10_000_000),
        // as many as wasmtime allows where nothing is asked for
        instances: Some(10_000),
        // about as many as a process has natively where nobody has asked for more
        open_files: Some(1000),
        // a flood costs no memory, and time has a limit of its own: this is for what writes
        // faster than anybody means to
        output: Some(8 << 30),
    };

    /// What holds for a program that is run as a plain runtime does.
    pub const OF_PROGRAMS: GuestLimits = GuestLimits {
        memory: None,
        table_elements: None,
        instances: None,
        open_files: None,
        output: None,
    };
}
