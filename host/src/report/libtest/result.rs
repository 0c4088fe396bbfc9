//! A test's end in libtest's words, and who writes them.
//!
//! A [`LibtestFormat`] is pure: it takes what happened and gives the text to write.

use crate::event::{Captured, Cause, Outcome, TestEnd};
use crate::report::frames::{self, Functions, Told};
use crate::text::{Escaped, MARK, one_line};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// What the call of a libtest binary asked of its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Whether tests' output is not captured.
    pub nocapture: bool,
    /// Whether what tests wrote that passed is shown.
    pub show_output: bool,
    /// Whether it is told how long each took.
    pub report_time: bool,
    /// Whether one that took too long fails.
    pub ensure_time: bool,
    /// Whether tests run one after the other.
    pub serial: bool,
    /// The seed of their order, if that has one.
    pub seed: Option<u64>,
}

/// Who reads stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Whether it is a terminal: nothing of a guest's reaches it unescaped.
    pub terminal: bool,
    /// Whether it likes colours.
    pub color: bool,
}

impl Audience {
    /// A guest's text as this audience may see it; a program gets it as it is.
    pub fn show<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.terminal {
            true => Cow::Owned(Escaped(text).to_string()),
            false => Cow::Borrowed(text),
        }
    }

    /// A word in a colour.
    pub fn paint(&self, word: &str, color: Paint) -> String {
        match self.color {
            true => format!("\x1b[{}m{word}\x1b[0m", color as u8),
            false => word.to_owned(),
        }
    }
}

/// libtest's colours, by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// What failed.
    Red = 31,
    /// What passed.
    Green = 32,
    /// What was ignored.
    Yellow = 33,
    /// What was measured.
    Cyan = 36,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LibtestStatus {
    /// It passed.
    Ok,
    /// It did not.
    Failed,
    /// It passed, but took longer than it may.
    TooSlow,
    /// It was not run.
    Ignored {
        /// Why, if that was said.
        reason: Option<String>,
    },
    /// A benchmark was measured.
    Measured(Measure),
}

/// What libtest found out of a benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// In libtest's words: `       6.01 ns/iter (+/- 0.43)`.
    pub text: String,
    /// Its median, in nanoseconds, as it is printed.
    pub median: String,
    /// Its deviation likewise.
    pub deviation: String,
    /// Its megabytes a second.
    pub throughput: Option<String>,
}

impl Measure {
    /// Takes libtest's line out of the end of a benchmark's stdout.
    fn take(stdout: &mut String) -> Option<Measure> {
        let at = stdout.rfind("bench: ")?;
        let text = stdout[at + "bench:".len()..].to_owned();
        let plain = |number: &str| {
            let number = number.trim().replace(',', "");
            number.parse::<f64>().ok().map(|_| number)
        };
        let (median, rest) = text.split_once(" ns/iter (+/- ")?;
        let (deviation, rest) = rest.split_once(')')?;
        let throughput = rest.strip_prefix(" = ").and_then(|r| r.split_once(' '));
        let measure = Measure {
            median: plain(median)?,
            deviation: plain(deviation)?,
            throughput: throughput.and_then(|(number, _)| plain(number)),
            text,
        };
        stdout.truncate(at);
        Some(measure)
    }
}

/// A test that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibtestResult {
    pub name: String,
    /// Its place in the plan.
    pub order: (usize, usize),
    /// Its source file, if that is known.
    pub file: Option<String>,
    /// Set if libtest puts ` - should panic` behind its name.
    pub should_panic: bool,
    /// Set if it could not be run here, whoever asked for it.
    pub unable: bool,
    /// How it ended.
    pub status: LibtestStatus,
    /// How long it took, if it ran.
    pub time: Option<Duration>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// What is known beyond its own words, each line marked as the runner's.
    pub host: String,
}

/// What is done with a test that libtest cannot run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// It counts as ignored.
    Ignored,
    /// It counts as failed: somebody asked for it by its name.
    Failed,
}

/// Whether it was not run because it should panic, which no test can on wasm.
fn is_unable(end: &TestEnd) -> bool {
    let why = end.test.unable.as_ref().filter(|_| end.test.should_panic);
    matches!(&end.outcome, Outcome::Skipped { reason } if Some(reason) == why)
}

impl LibtestResult {
    /// What libtest would say of this end.
    pub fn of(end: &TestEnd, unsupported: Unsupported) -> LibtestResult {
        let test = &end.test;
        let mut stdout = end.output.stdout.text();
        let mut host = String::new();
        let status = match &end.outcome {
            Outcome::Passed | Outcome::ExpectedFailure { .. } => {
                let measure = test.benchmark.then(|| Measure::take(&mut stdout));
                measure
                    .flatten()
                    .map_or(LibtestStatus::Ok, LibtestStatus::Measured)
            }
            _ if is_unable(end) && unsupported == Unsupported::Failed => {
                say(
                    &mut host,
                    "it was asked for by its name and cannot be run: libtest runs no test on wasm that should panic, since a panic ends the program there",
                );
                LibtestStatus::Failed
            }
            Outcome::Skipped { reason } => LibtestStatus::Ignored {
                reason: match &test.ignore_reason {
                    Some(reason) => Some(reason.clone()).filter(|r| !r.is_empty()),
                    None if end.ran.is_none() => None,
                    None => Some(reason.clone()),
                },
            },
            Outcome::NotRun { reason } => {
                say(&mut host, &format!("it was not run: {reason}"));
                LibtestStatus::Failed
            }
            Outcome::Interrupted => {
                say(&mut host, "in flight when the run was interrupted");
                LibtestStatus::Failed
            }
            _ => LibtestStatus::Failed,
        };
        let stderr = end.output.stderr.text();
        if let Some(cause) = end.outcome.cause() {
            say_cause(&mut host, cause, &stderr);
        }
        for denied in end.output.denied.told() {
            say(&mut host, &one_line(&denied.to_string()));
        }
        for setup in &end.output.setups {
            say(&mut host, &one_line(&setup.heading()));
            for output in [&setup.stdout, &setup.stderr] {
                for line in output.text().lines() {
                    say(&mut host, &format!("  {line}"));
                }
            }
        }
        for log in &end.output.logs {
            say(&mut host, &format!("log: {log}"));
        }
        for attached in &end.output.attachments {
            let what = format!(
                "attached: {} ({}, {} bytes)",
                attached.name,
                attached.media_type,
                attached.content.len()
            );
            say(&mut host, &what);
        }
        for note in &end.output.notes {
            say(&mut host, &format!("note: {note}"));
        }
        let unable_here = is_unable(end);
        let skipped = matches!(end.outcome, Outcome::Skipped { .. });
        // of a test that is ignored by its mark libtest says no more than that
        let marked = skipped && !unable_here && test.ignore_reason.is_some();
        LibtestResult {
            name: test.id.path.to_string(),
            order: end.order,
            file: test
                .source
                .as_ref()
                .map(|s| s.rsplit_once(':').map_or(s.as_str(), |(f, _)| f).to_owned()),
            should_panic: test.should_panic && !marked,
            unable: unable_here,
            status,
            time: end.ran.map(|ran| ran.duration),
            stdout,
            stderr,
            host,
        }
    }

    /// An end that is no test's: of a suite, a fixture.
    pub fn failure(
        name: String,
        what: &str,
        cause: &Cause,
        out: (&Captured, &Captured),
    ) -> LibtestResult {
        let (stdout, stderr) = (out.0.text(), out.1.text());
        let mut host = String::new();
        say(&mut host, &format!("{name} {what}"));
        say_cause(&mut host, cause, &stderr);
        LibtestResult {
            name,
            order: (0, 0),
            file: None,
            should_panic: false,
            unable: false,
            status: LibtestStatus::Failed,
            time: None,
            stdout,
            stderr,
            host,
        }
    }

    /// One that wrote nothing.
    #[cfg(test)]
    pub(super) fn example(name: &str, status: LibtestStatus) -> LibtestResult {
        LibtestResult {
            name: name.to_owned(),
            order: (0, 0),
            file: None,
            should_panic: false,
            unable: false,
            status,
            time: None,
            stdout: String::new(),
            stderr: String::new(),
            host: String::new(),
        }
    }

    /// All that is captured of it: its own words, then the runner's.
    pub fn captured(&self) -> String {
        let mut text = self.stdout.clone();
        for more in [&self.stderr, &self.host] {
            if !text.is_empty() && !text.ends_with('\n') && !more.is_empty() {
                text.push('\n');
            }
            text.push_str(more);
        }
        text
    }
}

fn say(text: &mut String, what: &str) {
    for line in what.lines() {
        let _ = writeln!(text, "{MARK}{line}");
    }
}

fn say_cause(text: &mut String, cause: &Cause, stderr: &str) {
    // of several lines the first alone is ours; what the guest said need not be said again
    let said = match cause.message.split_once('\n') {
        Some((_, words)) => stderr.contains(words.trim_end()),
        None => false,
    };
    if !said {
        say(text, &cause.message);
    }
    for line in frames::told(&cause.frames, Functions::Own) {
        say(
            text,
            &match line {
                Told::Function { location, name } if location.is_empty() => format!("  {name}"),
                Told::Function { location, name } => format!("  {location}  {name}"),
                Told::Several(several) => format!("  {several}"),
            },
        );
    }
    if let Some(hint) = &cause.hint {
        say(text, &format!("hint: {hint}"));
    }
}

/// What came of a run, in libtest's counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that are meant.
    pub total: usize,
    /// Tests that passed.
    pub passed: usize,
    /// Tests that did not.
    pub failed: usize,
    /// Tests that were not run.
    pub ignored: usize,
    /// Benchmarks that were measured.
    pub measured: usize,
    /// Tests that the filters left out.
    pub filtered_out: usize,
    /// Whether something went wrong that is no test's.
    pub broken: bool,
    /// How long the run took.
    pub elapsed: Duration,
    /// Tests that failed, in the order of the plan.
    pub failures: Vec<LibtestResult>,
    /// Tests that passed too late, likewise.
    pub too_slow: Vec<LibtestResult>,
    /// Tests that passed, likewise; kept only if somebody wants their output.
    pub successes: Vec<LibtestResult>,
}

impl Tally {
    /// Whether all is good.
    pub fn is_good(&self) -> bool {
        self.failed == 0 && !self.broken
    }
}

/// One of libtest's formats.
pub trait LibtestFormat {
    /// The tests are known.
    fn begin(&mut self, total: usize) -> String;
    /// A test has begun.
    fn started(&mut self, _name: &str) -> String {
        String::new()
    }
    /// A test has ended.
    fn ended(&mut self, result: &LibtestResult) -> String;
    /// The run is over.
    fn finish(&mut self, tally: &Tally) -> String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_benchmark_measured_is_read_from_libtests_line() {
        let mut stdout = "said\nbench:       3,085.46 ns/iter (+/- 1,734.49) = 324 MB/s".to_owned();
        let measure = Measure::take(&mut stdout).expect("a line");
        assert_eq!(stdout, "said\n");
        assert_eq!(
            (measure.median.as_str(), measure.deviation.as_str()),
            ("3085.46", "1734.49")
        );
        assert_eq!(measure.throughput.as_deref(), Some("324"));
        assert_eq!(Measure::take(&mut "bench: no".to_owned()), None);
    }

    #[test]
    fn the_runner_repeats_no_word_of_the_guests() {
        let host = |message: &str, stderr: &str| {
            let mut text = String::new();
            say_cause(&mut text, &Cause::new(message), stderr);
            text
        };
        assert_eq!(host("panicked at a.rs:1:2\nno", "x a.rs:1:2:\nno\n"), "");
        assert_eq!(host("aborted", "aborted"), "wasmtest: aborted\n");
        assert_eq!(host("a\nb", ""), "wasmtest: a\nwasmtest: b\n");
    }

    #[test]
    fn a_terminal_sees_escapes_and_a_pipe_the_text() {
        let audience = |terminal| Audience {
            terminal,
            color: false,
        };
        assert_eq!(audience(true).show("a\x1b[2J"), "a\\u{1b}[2J");
        assert_eq!(audience(false).show("a\x1b[2J"), "a\x1b[2J");
    }
}
