//! The library behind the `wasmtest` command: a test runner for WebAssembly.
//!
//! A run flows one way: discover which modules and tests there are (`module`, `harness`),
//! put them in order (`plan`), hand them to worker processes (`primary`), run
//! each in a store of its own (`worker`, in a `sandbox`), and report (`report`,
//! from `event`s alone). See ARCHITECTURE.md.

#![warn(missing_docs)]

pub mod cargo;
pub mod cli;
pub mod config;
pub mod entry;
pub mod event;
pub mod exec;
pub mod exit;
pub mod grant;
pub mod guardian;
pub mod harness;
pub mod instrument;
pub mod layout;
pub mod module;
pub mod paths;
pub mod plan;
pub mod primary;
pub mod protocol;
pub mod report;
pub mod runner;
pub mod sandbox;
pub mod settings;
pub mod text;
pub mod worker;
