//! The flags with which a test is run again in the mode in which it was run.

use crate::cli::{Given, RERUN, RunOptions};

pub(crate) fn rerun(options: &Given<RunOptions>) -> String {
    let words = options.words().only(&RERUN);
    // on how many processes changes no verdict, but whether on any does
    match options.processes.parse() {
        Ok(0) => words.for_shell(),
        _ => words.without(&["processes"]).for_shell(),
    }
}
