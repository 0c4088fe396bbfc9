//! A guest's stack, as far as somebody who reads a failure wants it.

use serde::{Deserialize, Serialize};

/// What follows a panic's message if `RUST_BACKTRACE` asks for it; on wasm it is empty.
pub const BACKTRACE: &str = "stack backtrace:";

/// Whose a function is that is not the developer's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Library {
    /// Rust's own crates, the C library below them, and the SDK.
    Runtime,
    /// A dependency, as its sources' folder is called: `tokio-1.54.1`.
    Dependency(String),
}

/// A line of a guest's backtrace, innermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// A function of the developer's.
    Function {
        /// Its demangled name.
        name: String,
        /// `file:line`, where the file's debug information tells.
        location: Option<String>,
    },
    /// Functions that follow each other, none of them the developer's.
    Others(Others),
    /// The lines before this one (as many as `length`) occur this many times more.
    Repeated {
        /// How many of the preceding lines recur.
        length: usize,
        /// How often they recur.
        times: usize,
    },
    /// Frames left out.
    Folded { count: usize },
}

/// Functions of libraries that follow each other: told in one line, or each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// The innermost.
    pub first: Vec<Other>,
    /// How many of the middle are not kept.
    pub left_out: usize,
    /// The outermost.
    pub last: Vec<Other>,
}

/// A function of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Its demangled name.
    pub name: String,
    /// `file:line`, where the file's debug information tells.
    pub location: Option<String>,
    /// Whose it is.
    pub library: Library,
}

impl Other {
    fn line(&self) -> FrameLine<'_> {
        FrameLine::Function {
            name: &self.name,
            location: self.location.as_deref(),
            library: Some(&self.library),
        }
    }
}

impl Others {
    /// How many they are.
    pub fn count(&self) -> usize {
        self.left_out
            .saturating_add(self.first.len() + self.last.len())
    }

    /// The dependencies that they are in, each once, the innermost first.
    pub fn dependencies(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for other in self.first.iter().chain(&self.last) {
            if let Library::Dependency(name) = &other.library
                && !found.contains(&name.as_str())
            {
                found.push(name.as_str());
            }
        }
        found
    }

    /// How many lines they are where each is told.
    fn lines(&self) -> usize {
        self.first.len() + usize::from(self.left_out > 0) + self.last.len()
    }
}

/// A line of a backtrace in which nothing is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameLine<'a> {
    /// A function, the developer's own or a library's.
    Function {
        /// Its demangled name.
        name: &'a str,
        /// `file:line`, where that is known.
        location: Option<&'a str>,
        /// Whose it is, if it is not the developer's own.
        library: Option<&'a Library>,
    },
    /// As many lines before this one recur, this many times more.
    Repeated {
        /// How many.
        length: usize,
        /// How often.
        times: usize,
    },
    /// Frames left out.
    Folded { count: usize },
}

/// All that is kept of a backtrace, a line for each function.
pub fn unfolded(frames: &[Frame]) -> Vec<FrameLine<'_>> {
    let mut lines = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        match frame {
            Frame::Function { name, location } => lines.push(FrameLine::Function {
                name,
                location: location.as_deref(),
                library: None,
            }),
            Frame::Others(others) => {
                lines.extend(others.first.iter().map(Other::line));
                if others.left_out > 0 {
                    let count = others.left_out;
                    lines.push(FrameLine::Folded { count });
                }
                lines.extend(others.last.iter().map(Other::line));
            }
            Frame::Repeated { length, times } => {
                // what recurs are more lines now
                let recurring = &frames[at.saturating_sub(*length)..at];
                let lengths = recurring.iter().map(|frame| match frame {
                    Frame::Others(others) => others.lines(),
                    _ => 1,
                });
                lines.push(FrameLine::Repeated {
                    length: lengths.sum(),
                    times: *times,
                });
            }
            Frame::Folded { count } => lines.push(FrameLine::Folded { count: *count }),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_recurs_is_counted_in_the_lines_that_are_told() {
        let other = |name: &str, library| Other {
            name: name.to_owned(),
            location: None,
            library,
        };
        let others = Others {
            first: vec![
                other("std::a", Library::Runtime),
                other("dep::b", Library::Dependency("dep-1.0.0".to_owned())),
            ],
            left_out: 7,
            last: vec![other("dep::c", Library::Dependency("dep-1.0.0".to_owned()))],
        };
        assert_eq!(
            (others.count(), others.dependencies()),
            (10, vec!["dep-1.0.0"])
        );
        let own = Frame::Function {
            name: "own".to_owned(),
            location: None,
        };
        let frames = [
            own,
            Frame::Others(others),
            Frame::Repeated {
                length: 2,
                times: 5,
            },
        ];
        let lines = unfolded(&frames);
        assert_eq!(lines.len(), 6);
        let last = FrameLine::Repeated {
            length: 5,
            times: 5,
        };
        assert_eq!(lines.last(), Some(&last));
    }
}
