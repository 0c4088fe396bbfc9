//! A failure in full, as the console shows it.

use super::frames::{self, Functions, Told};
use crate::event::denials::Denials;
use crate::event::{
    BACKTRACE, Cause, HostFixtureEnd, HostFixtureError, ModuleError, Outcome, SetupOutput, TestEnd,
    TestInfo,
};
use crate::text::{Escaped, duration, one_line, shortened, size};
use console::Style;
use std::fmt::Write as _;

const INDENT: &str = "       ";
/// Where the duration of a failure stands.
const WIDTH: usize = 72;
/// Lines shown of a stream's beginning, and again of its end.
const OUTPUT_LINES: usize = 60;
/// Characters shown of one line.
const OUTPUT_WIDTH: usize = 1000;
/// Logs, and again attachments, shown of one test.
const EXTRAS: usize = 20;

/// Colours by meaning, and what is written with them.
pub struct Styles {
    functions: Functions,
    pub good: Style,
    pub bad: Style,
    pub skipped: Style,
    pub dim: Style,
    pub bold: Style,
}

impl Styles {
    pub fn new(color: bool, functions: Functions) -> Self {
        let style = || Style::new().force_styling(color);
        Styles {
            functions,
            good: style().green(),
            bad: style().red().bold(),
            skipped: style().yellow(),
            dim: style().dim(),
            bold: style().bold(),
        }
    }

    pub fn word(&self, outcome: &Outcome) -> (&'static str, &Style) {
        match outcome {
            Outcome::Passed => ("PASS", &self.good),
            Outcome::Failed(_) => ("FAIL", &self.bad),
            Outcome::Errored(_) => ("ERROR", &self.bad),
            Outcome::OutOfMemory(_) => ("MEMORY", &self.bad),
            Outcome::TimedOut(_) => ("TIME", &self.bad),
            Outcome::Crashed(_) => ("CRASH", &self.bad),
            Outcome::ExpectedFailure { .. } => ("TODO", &self.skipped),
            Outcome::Skipped { .. } => ("SKIP", &self.skipped),
            Outcome::NotRun { .. } => ("NOTRUN", &self.skipped),
            Outcome::Interrupted => ("INTR", &self.bad),
        }
    }

    /// A failure in full.
    pub fn failure(&self, end: &TestEnd) -> String {
        let (word, style) = self.word(&end.outcome);
        let id = one_line(&end.test.id.to_string());
        let mut text = format!(
            "{} {}",
            style.apply_to(format!("{word:<6}")),
            self.bold.apply_to(&id)
        );
        if let Some(ran) = &end.ran {
            let pad = WIDTH.saturating_sub(id.chars().count() + INDENT.len());
            let _ = write!(text, "{:pad$} {}", "", duration(ran.duration));
        }
        text.push('\n');
        if let Some(description) = &end.test.description {
            let what = one_line(&shortened(description));
            let _ = writeln!(text, "{INDENT}{}", self.dim.apply_to(what));
        }
        match end.outcome.cause() {
            Some(cause) => self.write_cause(&mut text, cause),
            None => {
                let _ = writeln!(text, "{INDENT}in flight when the run was interrupted");
            }
        }
        self.write_denied(&mut text, &end.output.denied);
        let stderr = without_repetition(&end.output.stderr.text(), end.outcome.cause());
        self.write_output(&mut text, "stdout", &end.output.stdout.text());
        self.write_output(&mut text, "stderr", &stderr);
        self.write_setups(&mut text, &end.output.setups);
        self.write_extras(&mut text, end);
        let marks = marks(&end.test);
        if !marks.is_empty() {
            let _ = writeln!(text, "{INDENT}{}", self.dim.apply_to(marks));
        }
        if let Some(scratch) = &end.output.scratch {
            let _ = writeln!(text, "{INDENT}its /tmp is kept: {}", one_line(scratch));
        }
        let rerun = format!("rerun: {}", one_line(&end.test.rerun()));
        let _ = writeln!(text, "{INDENT}{}", self.dim.apply_to(rerun));
        text
    }

    /// What a test wrote that passed or was expected to fail; `None` if it wrote nothing.
    pub fn output(&self, end: &TestEnd) -> Option<String> {
        if end.output.stdout.is_empty() && end.output.stderr.is_empty() {
            return None;
        }
        let (word, style) = self.word(&end.outcome);
        let id = one_line(&end.test.id.to_string());
        let word = style.apply_to(format!("{word:<6}"));
        let mut text = format!("{word} {}\n", self.bold.apply_to(&id));
        self.write_output(&mut text, "stdout", &end.output.stdout.text());
        self.write_output(&mut text, "stderr", &end.output.stderr.text());
        Some(text)
    }

    /// What was written before a test by what was set up for it, each under a heading.
    fn write_setups(&self, text: &mut String, setups: &[SetupOutput]) {
        for setup in setups.iter().take(EXTRAS) {
            let _ = writeln!(text, "{INDENT}{}", one_line(&setup.heading()));
            self.write_output(text, "stdout", &setup.stdout.text());
            self.write_output(text, "stderr", &setup.stderr.text());
        }
        if let Some(more) = setups.len().checked_sub(EXTRAS).filter(|n| *n > 0) {
            let all = "--message-format json has them";
            let _ = writeln!(text, "{INDENT}… {more} setups more wrote something ({all})");
        }
    }

    /// What a test logged and attached.
    pub fn write_extras(&self, text: &mut String, end: &TestEnd) {
        let more = |text: &mut String, all: usize, what: &str| {
            if let Some(more) = all.checked_sub(EXTRAS).filter(|n| *n > 0) {
                let all = "--message-format json has them";
                let _ = writeln!(text, "{INDENT}  … {more} {what} more ({all})");
            }
        };
        for log in end.output.logs.iter().take(EXTRAS) {
            self.write_output(text, "log", log);
        }
        more(text, end.output.logs.len(), "lines of log");
        for attached in end.output.attachments.iter().take(EXTRAS) {
            let line = format!(
                "{} ({}, {} bytes)",
                attached.name,
                attached.media_type,
                attached.content.len()
            );
            self.write_output(text, "attach", &line);
        }
        more(text, end.output.attachments.len(), "attachments");
        for note in &end.output.notes {
            let _ = writeln!(text, "{INDENT}note: {}", Escaped(note));
        }
    }

    /// A module that cannot be run.
    pub fn module_failure(&self, error: &ModuleError) -> String {
        let mut text = format!(
            "{} {} {}\n",
            self.bad.apply_to("ERROR "),
            self.bold.apply_to(one_line(&error.module)),
            error.what,
        );
        self.write_cause(&mut text, &error.cause);
        self.write_denied(&mut text, &error.output.denied);
        let stderr = without_repetition(&error.output.stderr.text(), Some(&error.cause));
        self.write_output(&mut text, "stdout", &error.output.stdout.text());
        self.write_output(&mut text, "stderr", &stderr);
        if let Some(file) = error.file.as_ref().filter(|f| **f != *error.module) {
            let file = format!("file: {}", one_line(file));
            let _ = writeln!(text, "{INDENT}{}", self.dim.apply_to(file));
        }
        text
    }

    /// A host fixture that failed its tests.
    pub fn fixture_failure(&self, error: &HostFixtureError) -> String {
        let mut text = format!(
            "{} {} {}\n",
            self.bad.apply_to("ERROR "),
            self.bold.apply_to(format!("fixture {}", error.name)),
            error.what,
        );
        self.write_cause(&mut text, &error.cause);
        self.write_output(&mut text, "stdout", &error.stdout.text());
        self.write_output(&mut text, "stderr", &error.stderr.text());
        text
    }

    /// What a host fixture wrote, if tests that are bound to it did not pass.
    pub fn fixture_end(&self, end: &HostFixtureEnd) -> String {
        let name = format!("fixture {}", end.name);
        let mut text = format!(
            "{} {}\n",
            self.dim.apply_to("OUTPUT"),
            self.bold.apply_to(name)
        );
        let _ = writeln!(text, "{INDENT}{}", Escaped(&end.how));
        self.write_output(&mut text, "stdout", &end.stdout.text());
        self.write_output(&mut text, "stderr", &end.stderr.text());
        text
    }

    /// Tests that were not run, each with its reason on one line.
    pub fn not_run(&self, lines: &[String]) -> String {
        const SHOWN: usize = 20;
        let mut text = String::new();
        for line in lines.iter().take(SHOWN) {
            let word = self.skipped.apply_to("NOTRUN");
            let _ = writeln!(text, "{word} {line}");
        }
        if let Some(more) = lines.len().checked_sub(SHOWN + 1) {
            let _ = writeln!(text, "{INDENT}… and {} more (-v names all)", more + 1);
        }
        text
    }

    /// A cause, with its frames and its hint.
    pub fn cause(&self, cause: &Cause) -> String {
        let mut text = String::new();
        self.write_cause(&mut text, cause);
        text
    }

    fn write_cause(&self, text: &mut String, cause: &Cause) {
        let mut lines = cause.message.lines();
        if let Some(first) = lines.next() {
            let _ = writeln!(text, "{INDENT}{}", Escaped(first));
        }
        // the guest's own words, marked so that they cannot be mistaken for ours
        let bar = self.dim.apply_to("│");
        for line in lines {
            let _ = writeln!(text, "{INDENT}{bar} {}", Escaped(line));
        }
        let lines = frames::told(&cause.frames, self.functions);
        let width = lines.iter().filter_map(|line| match line {
            Told::Function { location, .. } => Some(location.chars().count()),
            Told::Several(_) => None,
        });
        let width = width.max().unwrap_or(0).min(40);
        for line in lines {
            let line = match line {
                Told::Function { location, name } => format!("{location:<width$}  {name}"),
                Told::Several(several) => several,
            };
            let _ = writeln!(text, "{INDENT}  {}", self.dim.apply_to(line.trim_end()));
        }
        if let Some(hint) = &cause.hint {
            let _ = writeln!(text, "{INDENT}hint: {}", Escaped(hint));
        }
    }

    /// What was refused; paths are the guest's words.
    fn write_denied(&self, text: &mut String, denied: &Denials) {
        if denied.left_out > 0 {
            let before = format!(
                "… {} attempts at files refused before these",
                denied.left_out
            );
            let _ = writeln!(text, "{INDENT}{}", self.dim.apply_to(before));
        }
        for denied in denied.told() {
            let _ = writeln!(text, "{INDENT}{}", one_line(&denied.to_string()));
        }
    }

    /// What was captured, marked so that it cannot be mistaken for ours; of much
    /// of it, the beginning and the end.
    fn write_output(&self, text: &mut String, stream: &str, output: &str) {
        let lines: Vec<&str> = output
            .trim_end()
            .lines()
            .skip_while(|l| l.trim().is_empty())
            .collect();
        let left_out = lines.len().saturating_sub(2 * OUTPUT_LINES);
        let mut mark = stream;
        for (i, line) in lines.iter().enumerate() {
            let bar = self.dim.apply_to(format!("{mark:>6} │"));
            if left_out > 0 && i == OUTPUT_LINES {
                let all = "--message-format json has more";
                let _ = writeln!(text, "{INDENT}{bar} … {left_out} lines left out ({all})");
            }
            if left_out > 0 && (OUTPUT_LINES..OUTPUT_LINES + left_out).contains(&i) {
                continue;
            }
            let end = line.char_indices().nth(OUTPUT_WIDTH).map(|(at, _)| at);
            let (line, more) = match end {
                Some(end) => (&line[..end], " …"),
                None => (*line, ""),
            };
            let _ = writeln!(text, "{INDENT}{bar} {}{more}", Escaped(line));
            mark = "";
        }
    }
}

/// What a test's own marks say: `tags slow, db; limit 2.00s; memory 64.0 MiB`.
pub fn marks(test: &TestInfo) -> String {
    let mut marks = Vec::new();
    if !test.tags.is_empty() {
        marks.push(format!("tags {}", one_line(&test.tags.join(", "))));
    }
    if let Some(timeout) = test.timeout {
        marks.push(format!("its limit {}", duration(timeout)));
    }
    if let Some(bytes) = test.max_memory {
        marks.push(format!("its memory {}", size(bytes)));
    }
    marks.join("; ")
}

/// A guest's stderr without what its cause has said already: the panic, the error.
fn without_repetition(stderr: &str, cause: Option<&Cause>) -> String {
    let message = cause.map_or("", |c| c.message.as_str());
    let said = match message.split_once('\n') {
        Some((first, rest)) => match first.split_once("panicked at ") {
            Some((_, location)) => format!("panicked at {location}:\n{rest}"),
            None => rest.to_owned(),
        },
        None => match message.strip_prefix("out of memory: ") {
            Some(allocation) => allocation.to_owned(),
            None => return stderr.to_owned(),
        },
    };
    let Some(at) = stderr.rfind(&said) else {
        return stderr.to_owned();
    };
    let start = stderr[..at].rfind('\n').map_or(0, |n| n + 1);
    let mut after = stderr[at + said.len()..].trim_start_matches('\n');
    let of_std = |line: &str| {
        line == BACKTRACE
            || line.starts_with("note: run with `RUST_BACKTRACE=")
            || line.starts_with("note: Some details are omitted, run with `RUST_BACKTRACE=")
    };
    while after.lines().next().is_some_and(of_std) {
        after = after.split_once('\n').map_or("", |(_, after)| after);
    }
    format!("{}{after}", &stderr[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stderr_does_not_repeat_the_cause() {
        let without = |stderr: &str, message: &str| {
            without_repetition(stderr, Some(&Cause::new(message)))
                .trim()
                .to_owned()
        };
        let note =
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        let stderr =
            format!("hello\n\nthread 'main' (1) panicked at src/lib.rs:1:2:\ne\n{note}more\n");
        assert_eq!(
            without(&stderr, "panicked at src/lib.rs:1:2\ne"),
            "hello\n\nmore"
        );
        assert_eq!(
            without("a\nError: \"x\"\n", "returned an error\nError: \"x\""),
            "a"
        );
        assert_eq!(without("all of it", "aborted"), "all of it");
    }
}
