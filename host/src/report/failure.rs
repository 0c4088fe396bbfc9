//! A failure in full, as the console shows it.

use super::text::{Escaped, duration, one_line};
use crate::event::{Cause, Frame, Harness, ModuleError, Outcome, TestEnd};
use console::Style;
use std::fmt::Write as _;

const INDENT: &str = "       ";
/// Where the duration of a failure stands.
const WIDTH: usize = 72;

/// Colours by meaning, and what is written with them.
pub struct Styles {
    pub good: Style,
    pub bad: Style,
    pub skipped: Style,
    pub dim: Style,
    pub bold: Style,
}

impl Styles {
    pub fn new(color: bool) -> Self {
        let style = || Style::new().force_styling(color);
        Styles {
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
        match end.outcome.cause() {
            Some(cause) => self.write_cause(&mut text, cause),
            None => {
                let _ = writeln!(text, "{INDENT}in flight when the run was interrupted");
            }
        }
        let repeated = end.outcome.cause().map_or("", |c| c.message.as_str());
        self.write_output(&mut text, "stdout", &end.stdout.text());
        self.write_output(
            &mut text,
            "stderr",
            without_repetition(&end.stderr.text(), repeated),
        );
        if let Some(scratch) = &end.scratch {
            let _ = writeln!(text, "{INDENT}its /tmp is kept: {scratch}");
        }
        if end.test.harness != Harness::Command || end.outcome != Outcome::Interrupted {
            let again = format!("again: {}", one_line(&end.test.again));
            let _ = writeln!(text, "{INDENT}{}", self.dim.apply_to(again));
        }
        text
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
        let stderr = error.stderr.text();
        let own = without_repetition(&stderr, &error.cause.message);
        self.write_output(&mut text, "stderr", own);
        text
    }

    fn write_cause(&self, text: &mut String, cause: &Cause) {
        for line in cause.message.lines() {
            let _ = writeln!(text, "{INDENT}{}", Escaped(line));
        }
        let width = cause
            .frames
            .iter()
            .filter_map(|f| match f {
                Frame::Function { location, .. } => location.as_ref().map(|l| l.chars().count()),
                _ => None,
            })
            .max()
            .unwrap_or(0)
            .min(40);
        for frame in &cause.frames {
            let line = match frame {
                Frame::Function { name, location } => {
                    let location = location.as_deref().unwrap_or_default();
                    format!("{:<width$}  {}", one_line(location), one_line(name))
                }
                Frame::Repeated { length: 1, times } => format!("… {times} times more"),
                Frame::Repeated { length, times } => format!("… these {length} {times} times more"),
                Frame::Folded { count } => format!("… {count} frames"),
            };
            let _ = writeln!(text, "{INDENT}  {}", self.dim.apply_to(line.trim_end()));
        }
        if let Some(hint) = &cause.hint {
            let _ = writeln!(text, "{INDENT}hint: {}", Escaped(hint));
        }
    }

    /// What was captured, marked so that it cannot be mistaken for ours.
    fn write_output(&self, text: &mut String, stream: &str, output: &str) {
        let mut mark = stream;
        for line in output
            .trim_end()
            .lines()
            .skip_while(|l| l.trim().is_empty())
        {
            let _ = writeln!(
                text,
                "{INDENT}{} {}",
                self.dim.apply_to(format!("{mark:>6} │")),
                Escaped(line)
            );
            mark = "";
        }
    }
}

/// A guest's stderr without what its cause has said already: the last panic, `Error: ...`.
fn without_repetition<'a>(stderr: &'a str, message: &str) -> &'a str {
    let said = message
        .lines()
        .nth(1)
        .or_else(|| message.lines().next())
        .unwrap_or_default();
    let said = said.strip_prefix("out of memory: ").unwrap_or(said);
    if said.is_empty() {
        return stderr;
    }
    match stderr.rfind(said) {
        // what precedes the panic's own line
        Some(at) => {
            let before = &stderr[..at];
            let header = before.trim_end().rfind('\n').map_or(0, |n| n + 1);
            match before[header..].starts_with("thread '") {
                true => &stderr[..header],
                false => before,
            }
        }
        None => stderr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stderr_does_not_repeat_the_cause() {
        let stderr =
            "hello\n\nthread 'main' (1) panicked at src/lib.rs:1:2:\nit broke\nnote: run with\n";
        assert_eq!(
            without_repetition(stderr, "panicked at src/lib.rs:1:2\nit broke").trim(),
            "hello"
        );
        assert_eq!(
            without_repetition("a\nError: \"x\"\n", "returned an error\nError: \"x\""),
            "a\n"
        );
        assert_eq!(without_repetition("all of it", "aborted"), "all of it");
    }
}
