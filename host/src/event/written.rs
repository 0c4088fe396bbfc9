//! How large something is once it is written, in reports: what limits are counted in.
//!
//! A report is one line of JSON for each test, with everything escaped that a terminal would act
//! on: one byte of a guest's can become six. What is limited is what is written, so that no guest
//! makes a line that nobody can read.

use crate::text::is_terminal_control;

/// What `\u001b` takes.
const ESCAPED: usize = 6;

/// How many bytes a text becomes.
pub fn written(text: &str) -> usize {
    text.chars().map(of).sum()
}

fn of(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' || is_terminal_control(c) => ESCAPED,
        c => c.len_utf8(),
    }
}

/// What bytes of a stream count for: those that become six for that, all others for themselves.
/// What else is escaped, or is no text, becomes thrice as much at most.
pub(super) fn counted(bytes: &[u8]) -> usize {
    bytes.iter().map(|b| cost(*b)).sum()
}

/// What one byte of a stream counts for.
pub(super) fn cost(byte: u8) -> usize {
    match byte {
        b'\n' | b'\t' | b'\r' => 1,
        0..0x20 | 0x7f => ESCAPED,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_for_a_text_is_what_json_takes_for_it() {
        for (text, bytes) in [
            ("", 0),
            ("plain é", 8),
            ("a\"b\\c\n\r\t", 13),
            ("\0\x1b\x7f", 18),
            ("\u{9b}\u{202e}", 12),
        ] {
            assert_eq!(written(text), bytes, "{text:?}");
        }
    }
}
