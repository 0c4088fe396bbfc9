//! Where results are written, and what became of writing them.

use std::io::{self, ErrorKind, Write};

/// A writer that remembers its first error and writes nothing after it.
pub struct Output<W> {
    out: W,
    error: Option<io::Error>,
}

impl<W: Write> Output<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Output { out, error: None }
    }

    /// Writes all of this, now.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            let written = self.out.write_all(bytes).and_then(|()| self.out.flush());
            self.error = written.err();
        }
    }

    /// Whether all could be written. A reader that went away wanted no more: that
    /// is no error.
    ///
    /// # Errors
    /// The first error of the writer.
    pub fn result(&mut self) -> io::Result<()> {
        match self.error.take() {
            Some(e) if e.kind() != ErrorKind::BrokenPipe => Err(e),
            _ => Ok(()),
        }
    }
}
