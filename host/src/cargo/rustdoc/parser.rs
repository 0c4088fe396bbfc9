//! libtest's text, as rustdoc and our runner print it for doctests, read line by line. Pure.
//!
//! Whatever a doctest itself has printed bears the runner's mark, and is read as nothing else. A
//! group has as many results as were announced, or something is wrong.

use crate::text::MARK;
use std::collections::HashMap;

/// How many of the last lines that are no result are kept.
const LAST_LINES: usize = 40;

/// What is known of a doctest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DoctestResult {
    /// Its path, without what libtest adds to it.
    pub(super) path: String,
    /// How it ended.
    pub(super) verdict: DoctestStatus,
    /// What was printed of it, if it failed.
    pub(super) output: Vec<Written>,
    /// Whether the compiler is to refuse it.
    pub(super) compile_fail: bool,
}

/// How a doctest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DoctestStatus {
    Passed,
    Compiled,
    Ignored(String),
    Failed,
}

/// What a line led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// What follows is about this library.
    Library(String),
    /// A group of doctests has ended.
    Group(Group),
    /// Something that the runner says to the user.
    Note(String),
    /// cargo waits for this.
    Waits(String),
    /// cargo builds something.
    Builds,
}

/// Doctests that were run together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// What is known of each.
    pub(super) results: Vec<DoctestResult>,
    /// How many there should be.
    pub(super) announced: usize,
}

/// Reads libtest's text, line by line.
pub(super) struct RustdocParser {
    /// What every line of a guest's begins with.
    word: String,
    state: State,
    announced: usize,
    results: Vec<DoctestResult>,
    outputs: HashMap<String, Vec<Written>>,
    /// What was written of a doctest before its result is told.
    pending: Vec<Written>,
    /// How many of the failed ones the host has ended.
    pub(super) stops: usize,
    /// The first line that tells of an error outside of any group.
    pub(super) error: Option<String>,
    /// The last lines that are no result.
    pub(super) last: Vec<String>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) by: By,
    pub(super) line: String,
}

/// Who has written a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The doctest: whatever it says is its own.
    Guest,
    /// The compiler, rustdoc, or the runner, whose lines are marked.
    Tools,
}

impl Written {
    /// What of it is the runner's, without its mark.
    pub(super) fn runners(&self) -> Option<&str> {
        match self.by {
            By::Guest => None,
            By::Tools => self.line.strip_prefix(MARK),
        }
    }
}

enum State {
    /// Before a group.
    Between,
    /// Among its results.
    Results,
    /// In what its failed ones printed; of the one with this printed name.
    Failures(Option<String>),
}

impl RustdocParser {
    /// Reads a text in which a guest's lines begin with this word.
    pub(super) fn new(word: &str) -> RustdocParser {
        RustdocParser {
            word: word.to_owned(),
            state: State::Between,
            announced: 0,
            results: Vec::new(),
            outputs: HashMap::new(),
            pending: Vec::new(),
            stops: 0,
            error: None,
            last: Vec::new(),
        }
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, line: &str) -> Option<Line> {
        if let Some(own) = line.strip_prefix(self.word.as_str()) {
            match own.strip_prefix(' ') {
                Some(own) => self.written(own, By::Guest),
                None => self.stops += 1,
            }
            return None;
        }
        if let Some(note) = line
            .strip_prefix(MARK)
            .and_then(|l| l.strip_prefix("note: "))
            && !matches!(self.state, State::Failures(Some(_)))
        {
            return Some(Line::Note(note.to_owned()));
        }
        match &mut self.state {
            State::Between => {
                if let Some(library) = line.trim_start().strip_prefix("Doc-tests ") {
                    return Some(Line::Library(library.trim().to_owned()));
                }
                let status = line.trim_start();
                if let Some(what) = status.strip_prefix("Blocking ") {
                    return Some(Line::Waits(what.to_owned()));
                }
                if ["Compiling ", "Downloading "]
                    .iter()
                    .any(|s| status.starts_with(s))
                {
                    self.remember(line);
                    return Some(Line::Builds);
                }
                match announced(line) {
                    Some(tests) => {
                        self.state = State::Results;
                        self.announced = tests;
                    }
                    None => {
                        if line.starts_with("error") && self.error.is_none() {
                            self.error = Some(line.to_owned());
                        }
                        self.remember(line);
                    }
                }
            }
            State::Results => {
                if let Some((path, verdict)) = read_result(line) {
                    let output = std::mem::take(&mut self.pending);
                    let compile_fail = line.contains(&format!("{path} - compile fail ... "));
                    self.results.push(DoctestResult {
                        output: match verdict {
                            DoctestStatus::Failed => output,
                            _ => Vec::new(),
                        },
                        compile_fail,
                        path,
                        verdict,
                    });
                } else if line == "failures:" {
                    self.state = State::Failures(None);
                } else if line.starts_with("test result: ") {
                    return Some(Line::Group(self.group()));
                } else if line.starts_with(MARK) {
                    self.written(line, By::Tools);
                } else {
                    self.remember(line);
                }
            }
            State::Failures(of) => {
                let header = line
                    .strip_prefix("---- ")
                    .and_then(|l| l.strip_suffix(" stdout ----"));
                // a header counts once, and only if such a doctest failed
                let failed = header.map(without_mark).filter(|name| {
                    let known =
                        |r: &DoctestResult| r.path == **name && r.verdict == DoctestStatus::Failed;
                    self.results.iter().any(known) && !self.outputs.contains_key(*name)
                });
                if let Some(name) = failed {
                    let name = name.to_owned();
                    self.outputs.insert(name.clone(), Vec::new());
                    *of = Some(name);
                    return None;
                }
                if line.starts_with("test result: ") {
                    return Some(Line::Group(self.group()));
                }
                self.written(line, By::Tools);
            }
        }
        None
    }

    /// The text has ended; in the middle of a group, perhaps.
    pub(super) fn end(&mut self) -> Option<Line> {
        match self.state {
            State::Between => None,
            State::Results | State::Failures(_) => Some(Line::Group(self.group())),
        }
    }

    fn written(&mut self, line: &str, by: By) {
        let line = line.to_owned();
        match &self.state {
            State::Failures(Some(of)) => {
                if let Some(output) = self.outputs.get_mut(of) {
                    output.push(Written { by, line });
                }
            }
            // after the last of them
            State::Failures(None) if by == By::Tools => {}
            _ => self.pending.push(Written { by, line }),
        }
    }

    fn group(&mut self) -> Group {
        self.state = State::Between;
        self.pending.clear();
        let mut outputs = std::mem::take(&mut self.outputs);
        let mut results = std::mem::take(&mut self.results);
        for result in &mut results {
            let Some(mut output) = outputs.remove(&result.path) else {
                continue;
            };
            // what libtest prints after the last of them
            let is_list = |w: &Written| w.by == By::Tools && w.line == "failures:";
            if let Some(at) = output.iter().rposition(is_list) {
                output.truncate(at);
            }
            let text = |w: &Written| !w.line.is_empty();
            let first = output.iter().position(text).unwrap_or(output.len());
            let last = output.iter().rposition(text).map_or(first, |at| at + 1);
            result.output.extend_from_slice(&output[first..last]);
        }
        Group {
            results,
            announced: self.announced,
        }
    }

    fn remember(&mut self, line: &str) {
        if !line.is_empty() {
            self.last.push(line.to_owned());
            if self.last.len() > LAST_LINES {
                self.last.remove(0);
            }
        }
    }
}

/// `running 3 tests`
fn announced(line: &str) -> Option<usize> {
    let (number, rest) = line.strip_prefix("running ")?.split_once(' ')?;
    rest.starts_with("test").then(|| number.parse().ok())?
}

/// `test NAME ... ok`
fn read_result(line: &str) -> Option<(String, DoctestStatus)> {
    let (name, word) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let verdict = match word.split_once(", ").unwrap_or((word, "")) {
        ("ok", _) if name.ends_with(" - compile") => DoctestStatus::Compiled,
        ("ok", _) => DoctestStatus::Passed,
        ("FAILED", _) => DoctestStatus::Failed,
        ("ignored", reason) => DoctestStatus::Ignored(reason.to_owned()),
        _ => return None,
    };
    Some((without_mark(name.trim_end()).to_owned(), verdict))
}

/// A doctest's name without what libtest adds to it.
fn without_mark(name: &str) -> &str {
    let marks = [" - should panic", " - compile fail", " - compile"];
    marks
        .iter()
        .find_map(|m| name.strip_suffix(m))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
    Blocking waiting for file lock
   Compiling dt v0.1.0
   Doc-tests dt

running 4 tests
test src/lib.rs - (line 2) ... ok
test src/lib.rs - one (line 15) ... ignored
test src/lib.rs - one (line 19) - compile ... ok
test src/lib.rs - one (line 7) ... FAILED

failures:

---- src/lib.rs - one (line 7) stdout ----
MARK test result: FAILED. 0 passed; 1 failed;
MARK    Doc-tests other
MARK running 1 test
MARK     Blocking waiting for nothing
MARK test src/lib.rs - forged (line 1) ... ok
MARK thread 'main' (1) panicked at src/lib.rs:8:
MARK the middle one
MARK!


failures:
    src/lib.rs - one (line 7)

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s

running 1 test
MARK written before
test src/lib.rs - one (line 23) - compile fail ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.14s
";

    #[test]
    fn results_are_read_and_what_a_doctest_prints_is_none() {
        let mut said = RustdocParser::new("MARK");
        let mut all = Vec::new();
        for line in TEXT.lines() {
            match said.line(line) {
                Some(Line::Group(group)) => {
                    assert_eq!(group.results.len(), group.announced);
                    all.extend(group.results);
                }
                Some(Line::Library(name)) => assert_eq!(name, "dt"),
                Some(Line::Note(note)) => panic!("{note}"),
                Some(Line::Waits(what)) => assert_eq!(what, "waiting for file lock"),
                Some(Line::Builds) => assert_eq!(line, "   Compiling dt v0.1.0"),
                None => {}
            }
        }
        assert_eq!(said.end(), None);
        assert_eq!(said.stops, 1);
        let short: Vec<(&str, &DoctestStatus)> =
            all.iter().map(|r| (r.path.as_str(), &r.verdict)).collect();
        assert_eq!(
            short,
            [
                ("src/lib.rs - (line 2)", &DoctestStatus::Passed),
                (
                    "src/lib.rs - one (line 15)",
                    &DoctestStatus::Ignored(String::new())
                ),
                ("src/lib.rs - one (line 19)", &DoctestStatus::Compiled),
                ("src/lib.rs - one (line 7)", &DoctestStatus::Failed),
                ("src/lib.rs - one (line 23)", &DoctestStatus::Passed),
            ]
        );
        let lines: Vec<&str> = all[3].output.iter().map(|w| w.line.as_str()).collect();
        assert!(lines.contains(&"test src/lib.rs - forged (line 1) ... ok"));
        assert_eq!(lines.last(), Some(&"the middle one"));
        assert!(all[3].output.iter().all(|w| w.by == By::Guest));
    }

    #[test]
    fn a_group_that_does_not_end_is_told_as_far_as_it_got() {
        let mut said = RustdocParser::new("MARK");
        for line in TEXT.lines().take(7) {
            said.line(line);
        }
        let Some(Line::Group(group)) = said.end() else {
            panic!("a group");
        };
        assert_eq!((group.results.len(), group.announced), (2, 4));
    }
}
