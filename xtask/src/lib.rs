//! The project's chores: the guest toolchain, the demo, the tests, the benchmark.
//!
//! A library as well as a program, so that the tests build guests the same way.

pub mod bench;
pub mod compat;
pub mod equivalence;
pub mod faults;
pub mod guest;
pub mod hostile;
pub mod instructions;
pub mod overshoot;
pub mod processes;
pub mod suites;
pub mod target;
pub mod toolchains;
