//! Reporters: functions of the event stream and of nothing else.
//!
//! No reporter sees a worker, a module or a flag of another's. Whatever a guest
//! chose (names, output, messages) passes through [`crate::text::Escaped`] on its way to a
//! terminal.

pub mod console;
pub(crate) mod failure;
pub(crate) mod frames;
pub mod json;
pub mod libtest;
pub mod output;

use crate::event::Event;
use std::io;

/// Something that tells somebody what happens.
pub trait Reporter {
    /// Takes the next event.
    fn event(&mut self, event: &Event);

    /// Whether everything could be written, to be asked at the end.
    ///
    /// # Errors
    /// The first error of writing; a reader that went away is none.
    fn result(&mut self) -> io::Result<()>;
}
