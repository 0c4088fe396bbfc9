//! Something wrong at a place in the text, before the file's name is known.

use super::error::{ConfigError, SourceSpan};
use std::ops::Range;
use std::path::Path;

/// What is wrong, and where: bytes of the text.
#[derive(Debug)]
pub(super) struct At {
    span: Option<Range<usize>>,
    why: String,
    hint: Option<String>,
}

impl At {
    /// Something wrong at these bytes.
    pub(super) fn new(span: Range<usize>, why: impl Into<String>) -> At {
        At {
            span: Some(span),
            why: why.into(),
            hint: None,
        }
    }

    /// The same with what would be right.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> At {
        self.hint = Some(hint.into());
        self
    }

    /// What the reader of TOML has to say, in the words of this file's users.
    pub(super) fn of_toml(error: &toml::de::Error) -> At {
        let message = error.message();
        let (why, hint) = match unknown(message) {
            Some((key, known)) => (format!("unknown key `{key}`"), Some(known)),
            None => (
                message
                    .replace("missing field", "missing key")
                    .replace("a sequence", "a list")
                    .replace("invalid type: sequence", "invalid type: list")
                    .replace("invalid type: map", "invalid type: table")
                    .replace("a map", "a table"),
                None,
            ),
        };
        At {
            span: error.span(),
            why,
            hint,
        }
    }

    /// The same, told of a file with this text.
    pub(super) fn in_file(self, file: &Path, text: &str) -> ConfigError {
        ConfigError {
            file: file.to_owned(),
            place: self.span.map(|span| place(&span, text)),
            why: self.why,
            hint: self.hint,
        }
    }
}

/// serde's words for a key that nobody knows: the key, and those that are known.
fn unknown(message: &str) -> Option<(&str, String)> {
    let (key, rest) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let hint = match known.as_slice() {
        [] => "no key belongs here".to_owned(),
        [one] => format!("the only key here is `{one}`"),
        [all @ .., last] => format!("the keys here are {} and {last}", all.join(", ")),
    };
    Some((key, hint))
}

fn place(span: &Range<usize>, text: &str) -> SourceSpan {
    let start = text.floor_char_boundary(span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let line_end = line_start + line.len();
    let end = text.floor_char_boundary(span.end.clamp(start, line_end.max(start)));
    SourceSpan {
        line: text[..start].matches('\n').count() + 1,
        column: text[line_start..start].chars().count() + 1,
        width: text[start..end].chars().count(),
        text: line.to_owned(),
    }
}
