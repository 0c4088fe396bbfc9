//! End to end: real modules, the real binary, real worker processes.

mod acceptance;
mod backtraces;
mod bad_input;
mod cache;
mod cargo;
mod console;
mod denied;
mod ecosystem;
mod everywhere;
mod exec;
mod hints;
mod host_fixtures;
mod instrument;
mod isolation;
mod json;
mod listing;
mod proposals;
mod real_suites;
mod sdk;
mod selection;
mod std_gaps;
mod suites;
mod support;
mod told;
mod verdicts;
mod workers;
