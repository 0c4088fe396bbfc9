//! Reporters: functions of the event stream and of nothing else.
//!
//! No reporter sees a worker, a module or a flag of another's. Whatever a guest
//! chose (names, output, messages) passes through [`crate::text::Escaped`] on its way to a
//! terminal. [`open()`] makes all that a run has, each with its own output; a new kind of report
//! is a file here and a line of `KINDS`.

pub mod console;
pub(crate) mod failure;
pub(crate) mod frames;
pub mod json;
pub mod libtest;
mod open;
pub mod output;
mod trouble;

pub use open::{Stdout, check, open};
pub use trouble::Trouble;

use crate::event::Event;
use crate::settings::Verbosity;
use std::io::{self, Write};

/// Something that tells somebody what happens.
pub trait Reporter {
    /// Takes the next event.
    fn event(&mut self, event: &Event);

    /// Whether everything could be written, to be asked at the end.
    ///
    /// # Errors
    /// The first error of writing; a reader that went away is none.
    fn result(&mut self) -> io::Result<()>;

    /// Whether all is good by its own format's count, where that can count otherwise than the
    /// run's summary.
    fn is_good(&self) -> bool {
        true
    }
}

/// A kind of report that can be asked for by its name.
pub struct ReportKind {
    /// Its name on the command line.
    name: &'static str,
    /// What writes it.
    open: fn(Box<dyn Write>, &Options) -> Box<dyn Reporter>,
}

/// All kinds.
const KINDS: &[ReportKind] = &[json::KIND, console::KIND];

/// How a report is to be written, as far as its kind has a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much is said.
    verbosity: Verbosity,
    /// Whether to use colour.
    color: bool,
    /// Whether a person watches: a bar may move.
    progress: bool,
    /// Whether what tests wrote that passed is shown.
    show_passed: bool,
    /// What becomes of what is no result.
    notes: Notes,
}

/// What becomes of what is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// It is told on stderr.
    OnStderr,
    /// Another reporter tells it.
    Nowhere,
}
