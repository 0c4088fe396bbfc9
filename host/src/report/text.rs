//! How things are written: durations, and text that a guest chose.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// Text that may hold anything, made harmless for a terminal: control
/// characters and those that change the direction of writing are shown as
/// escapes. Line breaks and tabs stay.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (i, c) in self.0.char_indices() {
            if is_harmful(c) {
                f.write_str(&self.0[plain..i])?;
                write!(f, "{}", c.escape_unicode())?;
                plain = i + c.len_utf8();
            }
        }
        f.write_str(&self.0[plain..])
    }
}

/// How a line of the runner's is marked that stands among a test's own.
pub const MARK: &str = "wasmtest: ";

/// Writes a line to stderr; if that cannot be done there is nobody to tell.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

pub use crate::event::is_harmful;

/// Text on one line, harmless: line breaks and tabs are escaped as well.
pub fn one_line(text: &str) -> String {
    Escaped(text)
        .to_string()
        .replace('\n', "\\n")
        .replace('\t', "\\t")
}

/// A duration with three significant figures and a unit: `3.14ms`, `21.4s`, `812us`.
pub fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    let (value, unit) = match nanos {
        n if n < 999.5 => (n, "ns"),
        n if n < 999_500.0 => (n / 1e3, "us"),
        n if n < 999_500_000.0 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

/// A number of bytes with a unit: `512 B`, `64 MiB`, `1.5 KiB`.
pub fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        None => format!("{bytes} B"),
        Some((unit, shift)) => {
            let value = bytes as f64 / f64::from(1u32 << shift);
            let digits = usize::from(value.fract() >= 0.05 && value < 100.0);
            format!("{value:.digits$} {unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_significant_figures() {
        let us = |n| duration(Duration::from_micros(n));
        assert_eq!(us(3_140), "3.14ms");
        assert_eq!(us(21_440), "21.4ms");
        assert_eq!(us(999_999), "1.00s");
        assert_eq!(us(60_000_000), "60.0s");
        assert_eq!(us(812), "812us");
        assert_eq!(us(1_234_000_000), "1234s");
        assert_eq!(duration(Duration::ZERO), "0.00ns");
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let all = [512, 1536, 64 << 20, 3 << 30].map(size);
        assert_eq!(all, ["512 B", "1.5 KiB", "64 MiB", "3 GiB"]);
    }

    #[test]
    fn nothing_a_guest_writes_moves_the_cursor() {
        let text = "a\x1b[2Jb\u{9b}31mc\rd\x07\u{202e}e\ttab\nline";
        let escaped = Escaped(text).to_string();
        assert_eq!(
            escaped,
            "a\\u{1b}[2Jb\\u{9b}31mc\\u{d}d\\u{7}\\u{202e}e\ttab\nline"
        );
        assert_eq!(one_line("a\nb"), "a\\nb");
    }
}
