//! Harnesses: how a program's tests are listed, called and judged, a file each.
//!
//! Pure: knows no engine, no process and no file.

pub mod command;
pub mod doctest;
pub mod evidence;
pub mod hints;
pub mod libtest;
pub mod libtest_like;
pub mod limit;
pub mod scan;
pub mod sdk;
pub mod termination;
