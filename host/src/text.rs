//! How things are written: for a terminal, for a shell, for people; whoever chose them.

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
            if is_terminal_control(c) {
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

/// Text on one line, harmless: line breaks and tabs are escaped as well.
pub fn one_line(text: &str) -> String {
    Escaped(text)
        .to_string()
        .replace('\n', "\\n")
        .replace('\t', "\\t")
}

/// Whether a terminal would act on this character rather than show it.
pub fn is_terminal_control(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A word for a shell, quoted where it has to be; what a terminal would act on as escapes,
/// so that the command can be shown and still means the same.
pub fn shell_quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.contains(is_acted_on) {
        let mut out = String::from("$'");
        for c in word.chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if is_acted_on(c) => {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('\'');
        out
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn is_acted_on(c: char) -> bool {
    c.is_control() || is_terminal_control(c)
}

/// As much of a text as one line of a summary has room for.
pub fn shortened(text: &str) -> String {
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
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

    #[test]
    fn words_are_quoted_for_a_shell_where_they_must_be() {
        assert_eq!(shell_quote("a::b"), "a::b");
        assert_eq!(shell_quote("it's a b"), r"'it'\''s a b'");
        assert_eq!(shell_quote("$(x)"), "'$(x)'");
        assert_eq!(shell_quote("a\x1b'\n"), r"$'a\x1b\'\x0a'");
        assert_eq!(shell_quote("a\u{202e}b"), r"$'a\xe2\x80\xaeb'");
    }
}
