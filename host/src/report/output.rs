//! Where results are written, and what became of writing them; JSON that moves no cursor.

use crate::text::is_terminal_control;
use serde::Serialize;
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

/// A value in JSON on one line, with everything escaped that a terminal would act on.
pub fn json(value: &(impl Serialize + ?Sized)) -> String {
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut line, Harmless);
    value
        .serialize(&mut serializer)
        .expect("what is reported has text for keys");
    String::from_utf8(line).expect("JSON is text")
}

/// JSON as serde_json writes it, with control characters beyond ASCII's escaped too.
struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        if !text.contains(is_terminal_control) {
            return out.write_all(text.as_bytes());
        }
        for c in text.chars() {
            if is_terminal_control(c) {
                // all of them are in the first plane
                write!(out, "\\u{:04x}", u32::from(c))?;
            } else {
                write!(out, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json as value};

    #[test]
    fn a_line_is_json_and_moves_no_cursor() {
        for text in ["a\u{9b}31m\x1b[2J\u{202e}é", "a\"\u{9b}31m\n\u{202e}"] {
            let value = value!({ "name": text });
            for value in [&value, &value["name"]] {
                let line = json(value);
                assert!(!line.contains(is_terminal_control) && !line.contains('\n'));
                assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON"), *value);
            }
        }
    }
}
