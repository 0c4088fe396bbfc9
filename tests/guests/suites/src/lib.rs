//! Suites, fixtures and cases of every mark. All that is run says so in the file that
//! the variable `LOG` names, a line for each call; without it, it is not noted.
#![forbid(unsafe_code)]

pub mod fixtures;
#[cfg(test)]
mod marks;
#[cfg(test)]
mod of_the_crate;

use std::io::Write;

/// Adds a line to the log of this run, if there is one.
pub fn note(name: &str) {
    let Some(file) = std::env::var_os("LOG") else {
        return;
    };
    let log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    if let Ok(mut log) = log {
        // one write, so that lines of several instances do not mix
        let _ = log.write_all(format!("{name}\n").as_bytes());
    }
}

/// The crate's own root is a suite, without a mark.
#[cfg(test)]
#[wasmtest::before]
fn before_each() {
    note("crate before");
}

#[cfg(test)]
#[wasmtest::after]
fn after_each() {
    note("crate after");
}
