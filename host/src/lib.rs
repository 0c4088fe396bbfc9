//! The library behind the `wasmtest` command: a test runner for WebAssembly.
//!
//! A run flows one way: discover which modules and tests there are (`module`, `harness`),
//! put them in order (`plan`), hand them to worker processes (`primary`), run
//! each in a store of its own (`worker`, in a `sandbox`), and report (`report`,
//! from `event`s alone). See ARCHITECTURE.md.

#![warn(missing_docs)]

mod cargo;
mod cli;
mod config;
pub mod entry;
mod event;
mod exec;
mod exit;
mod grant;
mod guardian;
mod harness;
mod instrument;
mod layout;
mod module;
mod paths;
mod plan;
mod primary;
mod protocol;
mod report;
mod resources;
mod runner;
mod sandbox;
mod settings;
mod temporary;
mod text;
mod worker;

/// Parts that this package's own tests and examples look at, and nobody else is to rely on.
#[doc(hidden)]
pub mod inside {
    pub use crate::harness::hints::HINTS;
    pub use crate::instrument::gaps::{self, Gaps};
    pub use crate::instrument::strip::strip;
    pub use crate::instrument::{OffsetMap, PassOutput, RewriteFacts, rewrite};
    pub use crate::protocol::Globals;
    pub use crate::sandbox::engine;
    pub use crate::sandbox::snapshot::{Replayed, SnapshotImage};
}
