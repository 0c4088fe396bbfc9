//! Inside cargo: `cargo wasmtest`, which builds with cargo and runs what came of it, and the runner
//! that cargo, cargo-nextest and rustdoc call.
//!
//! [`project`] knows what cargo knows of a workspace, [`build`] has it built,
//! [`reach`] says what the tests of a package may reach, [`variables`] which variables they
//! see, [`configuration`] what cargo's own configuration asks for, [`command`] is `cargo wasmtest`. [`runner`] takes the call
//! of a runner apart and decides by what the file is, [`caller`] says what such a call
//! grants, [`libtest`] is the face of a Rust test binary. Nothing here runs a guest: that
//! is for `primary`, and for `exec`.

pub mod build;
pub mod caller;
pub mod command;
pub mod configuration;
mod doctests;
mod flags;
pub mod init;
pub mod libtest;
mod missing;
pub mod project;
pub mod reach;
pub mod runner;
pub mod rustdoc;
pub mod stand_ins;
pub mod toolchain;
pub mod variables;
