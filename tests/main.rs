//! End to end: real modules, the real binary, real worker processes.

mod support;
mod verdicts;
