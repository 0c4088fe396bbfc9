//! What calls cargo: `cargo wasmtest`, which builds with cargo and runs what came of it, and
//! `wasmtest init`.
//!
//! [`project`] knows what cargo knows of a workspace, [`build`] has it built and [`built`] is what
//! came of it, [`stand_ins`] stands before rustc where a dependency does not build, [`rustdoc`] has doctests run,
//! [`variables`] says which variables tests see, [`configuration`] what cargo's own
//! configuration asks for, [`command`] is `cargo wasmtest`. What cargo calls is in `runner`.
//! Nothing here runs a guest: that is for `primary`, and for `exec`.

pub mod build;
pub mod built;
pub mod command;
pub mod configuration;
mod diagnostic;
pub(crate) mod flags;
pub mod init;
mod missing;
pub mod project;
pub mod rustdoc;
pub mod stand_ins;
pub mod target;
pub mod toolchain;
pub mod variables;
