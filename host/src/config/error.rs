//! What is wrong with a configuration file, as it is told.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A configuration that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    pub file: PathBuf,
    pub place: Option<SourceSpan>,
    /// What is wrong.
    pub why: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpan {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant.
    pub width: usize,
    /// The line itself.
    pub text: String,
}

impl ConfigError {
    /// A file that cannot be read.
    pub(super) fn unreadable(file: &Path, why: &io::Error) -> ConfigError {
        ConfigError {
            file: file.to_owned(),
            place: None,
            why: format!("it cannot be read: {why}"),
            hint: None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        match &self.place {
            None => write!(f, " {}", self.why)?,
            Some(place) => {
                let number = place.line.to_string();
                let margin = number.len();
                let before = place.column - 1;
                // a tab stays one, so that the mark stands below what it means
                let indent: String = place.text.chars().take(before).map(blank).collect();
                let mark = "^".repeat(place.width.max(1));
                write!(f, "{number}:{}: {}", place.column, self.why)?;
                write!(f, "\n  {number} | {}", place.text)?;
                write!(f, "\n  {:margin$} | {indent}{mark}", "")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

fn blank(c: char) -> char {
    match c {
        '\t' => '\t',
        _ => ' ',
    }
}
