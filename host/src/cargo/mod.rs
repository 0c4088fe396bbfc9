//! Inside cargo: `cargo wasmtest`, which builds with cargo and runs what came of it, and the runner
//! that cargo, cargo-nextest and rustdoc call.
//!
//! [`project`] knows what cargo knows of a workspace, [`build`] has it built,
//! [`reach`] says what the tests of a package may reach, [`command`] is
//! `cargo wasmtest`. Nothing here runs a guest.

pub mod build;
pub mod caller;
pub mod command;
pub mod init;
pub mod project;
pub mod reach;
pub mod rustdoc;
pub mod toolchain;
