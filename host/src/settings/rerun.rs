//! The flags with which a test is run again in the mode in which it was run, or would be.

use super::selection::taken_for;
use crate::cli::{Given, ListArgs, RERUN, RunOptions};
use crate::text::shell_quote;

pub(crate) fn rerun(options: &Given<RunOptions>) -> String {
    let words = options.words().only(&RERUN);
    // on how many processes changes no verdict, but whether on any does
    match options.processes.parse() {
        Ok(0) => words.for_shell(),
        _ => words.without(&["processes"]).for_shell(),
    }
}

/// Of a test that was only listed: what says which test it is, and what it is given.
pub(super) fn of_a_list(args: &ListArgs) -> String {
    let mut flags = String::new();
    if let Some(config) = &args.configuration.config {
        flags.push_str(&format!(
            " --config {}",
            shell_quote(&config.display().to_string())
        ));
    }
    if args.configuration.no_config {
        flags.push_str(" --no-config");
    }
    if let Some((flag, _)) = taken_for(&args.select) {
        flags.push_str(&format!(" {flag}"));
    }
    flags
}
