//! Tests that have the same verdicts natively, as core modules and as components, with any number
//! of processes; those in `differs` have not, and the documentation says why.
#![forbid(unsafe_code)]
#![cfg(test)]

mod chance;
mod differs;
mod order;
mod time;
mod values;

use std::io::Write;

/// Adds a line to the file that the variable `LOG` names, if there is one.
fn note(line: &str) {
    let Some(file) = std::env::var_os("LOG") else {
        return;
    };
    let log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    if let Ok(mut log) = log {
        // one write, so that lines of several instances do not mix
        let _ = log.write_all(format!("{line}\n").as_bytes());
    }
}
