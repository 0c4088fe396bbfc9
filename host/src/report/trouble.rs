//! What cannot be used, and nothing else: for `wasmtest list` and `plan`, whose results are on
//! stdout and are no events.

use super::Reporter;
use super::failure::Styles;
use super::frames::Functions;
use crate::event::Event;
use crate::settings::Verbosity;
use crate::text::{Escaped, tell};
use std::io;

/// Tells on stderr what cannot be used; with everything that there is to know, how it gets on too.
pub struct Trouble {
    styles: Styles,
    verbosity: Verbosity,
}

impl Trouble {
    /// Tells it without colour.
    pub fn plain(verbosity: Verbosity) -> Self {
        Trouble {
            styles: Styles::new(false, Functions::Own),
            verbosity,
        }
    }
}

impl Reporter for Trouble {
    fn event(&mut self, event: &Event) {
        match event {
            Event::ModuleFailed(error) | Event::SuiteFailed(error) => {
                tell(self.styles.module_failure(error).trim_end());
            }
            Event::Note(note) => tell(&format!("note: {}", Escaped(note))),
            Event::Progress(progress) if self.verbosity == Verbosity::Verbose => {
                tell(&progress.text);
            }
            _ => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        Ok(())
    }
}
