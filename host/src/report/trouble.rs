//! What cannot be used, and nothing else: for `wasmtest list` and `plan`, whose results are on
//! stdout and are no events.

use super::Reporter;
use super::failure::Styles;
use super::frames::Functions;
use crate::event::Event;
use crate::text::{Escaped, tell};
use std::io;

/// Tells on stderr what cannot be used.
pub struct Trouble(Styles);

impl Trouble {
    /// Tells it without colour.
    pub fn plain() -> Self {
        Trouble(Styles::new(false, Functions::Own))
    }
}

impl Reporter for Trouble {
    fn event(&mut self, event: &Event) {
        match event {
            Event::ModuleFailed(error) | Event::SuiteFailed(error) => {
                tell(self.0.module_failure(error).trim_end());
            }
            Event::Note(note) => tell(&format!("note: {}", Escaped(note))),
            _ => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        Ok(())
    }
}
