//! The flags with which a test is run again in the mode in which it was run, or would be.

use crate::cli::{Given, ListArgs, RERUN, RunOptions, SelectArgs, TAKEN_FOR, Words};

pub(crate) fn rerun(options: &Given<RunOptions>) -> String {
    let words = options.words().only(&RERUN);
    // on how many processes changes no verdict, but whether on any does
    match options.processes.parse() {
        Ok(0) => words.for_shell(),
        _ => words.without(&["processes"]).for_shell(),
    }
}

/// What says of a selection what its programs are taken for.
pub(super) fn of_selection(select: &Given<SelectArgs>) -> String {
    select.words().only(&TAKEN_FOR).for_shell()
}

/// The flags of a test that was only listed.
pub(super) fn of_a_list(args: &ListArgs) -> String {
    let flags = [
        args.configuration.words(),
        args.compile.words(),
        args.calls.words(),
    ];
    flags.map(Words::for_shell).concat() + &of_selection(&args.select)
}
