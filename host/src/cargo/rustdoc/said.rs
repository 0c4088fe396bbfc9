//! libtest's text, as rustdoc and our runner print it for doctests, read line by line. Pure.
//!
//! What failed doctests have printed stands in blocks of their own, after the results;
//! nothing in there is read as a result while a block that is due is still to come.

use std::collections::HashMap;

/// How many of the last lines that are no result are kept.
const LAST_LINES: usize = 40;

/// What is known of a doctest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doctested {
    /// Its path, without what libtest adds to it.
    pub(super) path: String,
    /// How it ended.
    pub(super) verdict: Verdict,
    /// What it printed, if it failed.
    pub(super) output: String,
}

/// How a doctest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
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
    Group(Vec<Doctested>),
}

/// Reads libtest's text, line by line.
#[derive(Default)]
pub(super) struct Said {
    state: State,
    results: Vec<Doctested>,
    outputs: HashMap<String, String>,
    /// The last lines that are no result.
    pub(super) last: Vec<String>,
}

#[derive(Default)]
enum State {
    /// Before a group.
    #[default]
    Between,
    /// Among its results.
    Results,
    /// In what its failed ones printed; of the one with this printed name.
    Failures(Option<String>),
}

impl Said {
    /// Takes the next line.
    pub(super) fn line(&mut self, line: &str) -> Option<Line> {
        match &mut self.state {
            State::Between => {
                if let Some(library) = line.trim_start().strip_prefix("Doc-tests ") {
                    return Some(Line::Library(library.trim().to_owned()));
                }
                if line.starts_with("running ") && line.contains(" test") {
                    self.state = State::Results;
                } else {
                    self.remember(line);
                }
            }
            State::Results => {
                if let Some((path, verdict)) = read_result(line) {
                    self.results.push(Doctested {
                        path,
                        verdict,
                        output: String::new(),
                    });
                } else if line == "failures:" {
                    self.state = State::Failures(None);
                } else if line.starts_with("test result: ") {
                    return Some(Line::Group(self.group()));
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
                    let known = |r: &Doctested| r.path == **name && r.verdict == Verdict::Failed;
                    self.results.iter().any(known) && !self.outputs.contains_key(*name)
                });
                if let Some(name) = failed {
                    let name = name.to_owned();
                    self.outputs.insert(name.clone(), String::new());
                    *of = Some(name);
                    return None;
                }
                let failed = |r: &&Doctested| r.verdict == Verdict::Failed;
                let failed = self.results.iter().filter(failed).count();
                if self.outputs.len() == failed && line.starts_with("test result: ") {
                    return Some(Line::Group(self.group()));
                }
                if let Some(output) = of.as_ref().and_then(|of| self.outputs.get_mut(of)) {
                    output.push_str(line);
                    output.push('\n');
                }
            }
        }
        None
    }

    /// The text has ended; in the middle of a group, perhaps.
    pub(super) fn end(&mut self) -> Option<Line> {
        Some(Line::Group(self.group()))
    }

    fn group(&mut self) -> Vec<Doctested> {
        self.state = State::Between;
        let mut outputs = std::mem::take(&mut self.outputs);
        let mut results = std::mem::take(&mut self.results);
        for result in &mut results {
            if let Some(output) = outputs.remove(&result.path) {
                // what libtest prints after the last of them
                let list = output.rfind("\nfailures:\n");
                let output = list.map_or(output.as_str(), |at| &output[..at]);
                result.output = output.trim_matches('\n').to_owned() + "\n";
            }
        }
        results
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

/// `test NAME ... ok`
fn read_result(line: &str) -> Option<(String, Verdict)> {
    let (name, word) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let verdict = match word.split_once(", ").unwrap_or((word, "")) {
        ("ok", _) if name.ends_with(" - compile") => Verdict::Compiled,
        ("ok", _) => Verdict::Passed,
        ("FAILED", _) => Verdict::Failed,
        ("ignored", reason) => Verdict::Ignored(reason.to_owned()),
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
   Compiling dt v0.1.0
   Doc-tests dt

running 4 tests
test src/lib.rs - (line 2) ... ok
test src/lib.rs - one (line 15) ... ignored
test src/lib.rs - one (line 19) - compile ... ok
test src/lib.rs - one (line 7) ... FAILED

failures:

---- src/lib.rs - one (line 7) stdout ----
test src/lib.rs - forged (line 1) ... ok
thread 'main' (1) panicked at src/lib.rs:8:
the middle one


failures:
    src/lib.rs - one (line 7)

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s

running 1 test
test src/lib.rs - one (line 23) - compile fail ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.14s
";

    #[test]
    fn results_are_read_and_what_a_doctest_prints_is_none() {
        let mut said = Said::default();
        let mut all = Vec::new();
        for line in TEXT.lines() {
            match said.line(line) {
                Some(Line::Group(results)) => all.extend(results),
                Some(Line::Library(name)) => assert_eq!(name, "dt"),
                None => {}
            }
        }
        assert_eq!(said.end(), Some(Line::Group(Vec::new())));
        let short: Vec<(&str, &Verdict)> =
            all.iter().map(|r| (r.path.as_str(), &r.verdict)).collect();
        assert_eq!(
            short,
            [
                ("src/lib.rs - (line 2)", &Verdict::Passed),
                (
                    "src/lib.rs - one (line 15)",
                    &Verdict::Ignored(String::new())
                ),
                ("src/lib.rs - one (line 19)", &Verdict::Compiled),
                ("src/lib.rs - one (line 7)", &Verdict::Failed),
                ("src/lib.rs - one (line 23)", &Verdict::Passed),
            ]
        );
        assert!(all[3].output.starts_with("test src/lib.rs - forged"));
    }

    #[test]
    fn a_group_that_does_not_end_is_told_as_far_as_it_got() {
        let mut said = Said::default();
        for line in TEXT.lines().take(6) {
            said.line(line);
        }
        let Some(Line::Group(results)) = said.end() else {
            panic!("a group");
        };
        assert_eq!(results.len(), 2);
    }
}
