//! The console: results for people on stdout, everything about the run on stderr; the same
//! results in a file.
//!
//! Piped or in CI: a dot a test, no colour, no cursor movement. On a terminal:
//! a bar where the dots are. Failures come in full at the end, in the order of
//! the plan, whatever the workers did.

use super::failure::{Styles, marks};
use super::frames::Functions;
use super::output::Output;
use super::{Notes, Options, ReportKind, Reporter};
use crate::event::{Event, Interrupt, Level, ModuleError, Outcome, Summary, TestEnd, TestInfo};
use crate::exit;
use crate::settings::Verbosity;
use crate::text::{Escaped, duration, one_line, shortened, tell};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A test that runs for longer is named in the bar.
const NAMED_AFTER: Duration = Duration::from_secs(1);

/// As `--report` knows it.
pub(super) const KIND: ReportKind = ReportKind {
    name: "console",
    open: |out, options| Box::new(Console::new(out, options)),
};

/// Prints to the console.
pub struct Console<W> {
    out: Output<W>,
    notes: Notes,
    verbosity: Verbosity,
    styles: Styles,
    bar: Option<ProgressBar>,
    /// Whether it is known how many tests there will be; until then modules compile.
    planned: bool,
    /// Whether a line of dots has no end yet.
    in_dots: bool,
    running: Vec<(Arc<TestInfo>, Instant)>,
    failed: Vec<((usize, usize), String)>,
    /// What tests wrote that passed, if that is shown.
    outputs: Option<Vec<((usize, usize), String)>>,
    /// Tests that were not run, and why.
    not_run: Vec<((usize, usize), String)>,
    /// What is told of host fixtures: before the failures that they explain, and after.
    fixtures: (Vec<String>, Vec<String>),
    /// Targets that did not build, and why.
    not_built: Vec<String>,
    bad: usize,
    /// Why tests were skipped or expected to fail, each reason with how many.
    reasons: Vec<(&'static str, String, usize)>,
}

/// Reasons shown of tests that were skipped or expected to fail.
const REASONS: usize = 10;
/// Reasons told apart.
const MOST_REASONS: usize = 200;

impl<W: Write> Console<W> {
    /// A console that prints results to `out`.
    pub fn new(out: W, options: &Options) -> Self {
        let bar = options.progress.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {msg}").expect("a fixed template"),
            );
            bar
        });
        let functions = match options.verbosity {
            Verbosity::Verbose => Functions::All,
            Verbosity::Normal | Verbosity::Quiet => Functions::Own,
        };
        Console {
            out: Output::new(out),
            notes: options.notes,
            verbosity: options.verbosity,
            styles: Styles::new(options.color, functions),
            bar,
            planned: false,
            in_dots: false,
            running: Vec::new(),
            failed: Vec::new(),
            outputs: options.show_passed.then(Vec::new),
            not_run: Vec::new(),
            fixtures: (Vec::new(), Vec::new()),
            not_built: Vec::new(),
            bad: 0,
            reasons: Vec::new(),
        }
    }

    /// Writes to stdout.
    fn print(&mut self, text: &str) {
        let out = &mut self.out;
        let mut write = || out.write(text.as_bytes());
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn end_dots(&mut self) {
        if std::mem::take(&mut self.in_dots) {
            self.print("\n");
        }
    }

    /// Whether what is of this level is said.
    fn is_for(&self, level: Level) -> bool {
        match level {
            Level::Normal => self.verbosity != Verbosity::Quiet,
            Level::Verbose => self.verbosity == Verbosity::Verbose,
        }
    }

    /// Writes to stderr.
    fn tell(&mut self, text: &str) {
        if self.notes == Notes::Nowhere {
            return;
        }
        self.end_dots();
        let write = || tell(text);
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn ended(&mut self, end: &TestEnd) {
        self.running.retain(|(t, _)| !Arc::ptr_eq(t, &end.test));
        if let Outcome::NotRun { reason } = &end.outcome {
            let id = one_line(&end.test.id.to_string());
            let line = format!("{id}  ({})", one_line(reason));
            self.not_run.push((end.order, line));
        } else if !end.outcome.is_good() {
            self.bad += 1;
            let text = self.styles.failure(end);
            self.failed.push((end.order, text));
        } else if let Some(outputs) = &mut self.outputs {
            outputs.extend(self.styles.output(end).map(|text| (end.order, text)));
        }
        self.remember_reason(&end.outcome);
        match (self.verbosity, &self.bar) {
            (Verbosity::Quiet, _) => {}
            (Verbosity::Verbose, _) => {
                let mut text = self.line(end);
                if end.outcome.is_good() {
                    self.styles.write_extras(&mut text, end);
                }
                self.print(&text);
            }
            (Verbosity::Normal, None) => {
                let (dot, style) = match &end.outcome {
                    Outcome::Passed => (".", &self.styles.good),
                    Outcome::Skipped { .. } => ("s", &self.styles.skipped),
                    Outcome::ExpectedFailure { .. } => ("x", &self.styles.skipped),
                    Outcome::Failed(_) => ("F", &self.styles.bad),
                    Outcome::TimedOut(_) => ("t", &self.styles.bad),
                    Outcome::Interrupted => ("I", &self.styles.bad),
                    Outcome::NotRun { .. } => ("-", &self.styles.skipped),
                    _ => ("E", &self.styles.bad),
                };
                let dot = style.apply_to(dot).to_string();
                self.in_dots = true;
                self.print(&dot);
            }
            (Verbosity::Normal, Some(_)) => {}
        }
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        self.show_running();
    }

    fn remember_reason(&mut self, outcome: &Outcome) {
        let (word, reason) = match outcome {
            Outcome::Skipped { reason } => ("skipped", reason),
            Outcome::ExpectedFailure { reason, .. } => ("todo", reason),
            _ => return,
        };
        if reason.is_empty() {
            return;
        }
        // a guest can make up as many as it likes
        let full = self.reasons.len() >= MOST_REASONS;
        let known = self
            .reasons
            .iter_mut()
            .find(|(w, r, _)| *w == word && r == reason);
        match known {
            Some((_, _, count)) => *count += 1,
            None if full => {}
            None => self.reasons.push((word, reason.clone(), 1)),
        }
    }

    /// The reasons, the most frequent first: with `-v` each stands beside its test.
    fn write_reasons(&mut self, text: &mut String) {
        self.reasons
            .sort_by(|a, b| (a.0, b.2, &a.1).cmp(&(b.0, a.2, &b.1)));
        for (word, reason, count) in self.reasons.iter().take(REASONS) {
            let word = self.styles.skipped.apply_to(format!("{word:<7}"));
            let _ = writeln!(text, "{word} {count:>3} × {}", one_line(&shortened(reason)));
        }
        if let Some(more) = self.reasons.len().checked_sub(REASONS + 1) {
            let _ = writeln!(text, "        and {} reasons more (-v shows all)", more + 1);
        }
        if !self.reasons.is_empty() {
            text.push('\n');
        }
    }

    fn show_running(&self) {
        let Some(bar) = self.bar.as_ref().filter(|_| self.planned) else {
            return;
        };
        let mut message = match self.bad {
            0 => String::new(),
            n => self
                .styles
                .bad
                .apply_to(format!("{n} failed   "))
                .to_string(),
        };
        let slow: Vec<String> = self
            .running
            .iter()
            .filter(|(_, since)| since.elapsed() >= NAMED_AFTER)
            .map(|(test, since)| {
                format!(
                    "{} {:.1}s",
                    one_line(&test.id.path),
                    since.elapsed().as_secs_f64()
                )
            })
            .collect();
        message.push_str(&slow.join(", "));
        bar.set_message(message);
    }

    /// `-v`: `PASS   module path   1.2ms   worker 1`.
    fn line(&self, end: &TestEnd) -> String {
        let (word, style) = self.styles.word(&end.outcome);
        let id = one_line(&end.test.id.to_string());
        let mut line = format!("{} {id}", style.apply_to(format!("{word:<6}")));
        if let Some(ran) = &end.ran {
            let _ = write!(line, "  {}", duration(ran.duration));
            if ran.worker > 0 {
                let _ = write!(
                    line,
                    "{}",
                    self.styles.dim.apply_to(format!("  worker {}", ran.worker))
                );
            }
        }
        let marks = marks(&end.test);
        if !marks.is_empty() {
            let _ = write!(line, "{}", self.styles.dim.apply_to(format!("  {marks}")));
        }
        if let Outcome::Skipped { reason }
        | Outcome::NotRun { reason }
        | Outcome::ExpectedFailure { reason, .. } = &end.outcome
            && !reason.is_empty()
        {
            let _ = write!(line, "  ({})", one_line(&shortened(reason)));
        }
        if let Outcome::ExpectedFailure { cause, .. } = &end.outcome {
            let how = cause.message.replace('\n', ": ");
            let _ = write!(line, "  {}", one_line(&shortened(&how)));
        }
        if let Some(description) = &end.test.description {
            let text = format!("  {}", one_line(&shortened(description)));
            let _ = write!(line, "{}", self.styles.dim.apply_to(text));
        }
        line.push('\n');
        line
    }

    fn module_failed(&mut self, error: &ModuleError) {
        let text = self.styles.module_failure(error);
        self.failed.push(((error.order, 0), text));
        self.error();
    }

    /// An error that is no test's own.
    fn error(&mut self) {
        self.bad += 1;
        if self.verbosity == Verbosity::Normal && self.bar.is_none() {
            self.in_dots = true;
            let dot = self.styles.bad.apply_to("E").to_string();
            self.print(&dot);
        }
    }

    fn finish(&mut self, summary: &Summary) {
        self.end_dots();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let mut text = String::new();
        self.failed.sort_by_key(|(order, _)| *order);
        self.not_run.sort_by_key(|(order, _)| *order);
        if self.verbosity != Verbosity::Quiet {
            // whichever came first: by their names
            self.fixtures.0.sort();
            let failed = self.failed.iter().map(|(_, failure)| failure);
            let mut outputs = self.outputs.take().unwrap_or_default();
            outputs.sort_by_key(|(order, _)| *order);
            let outputs = outputs.iter().map(|(_, output)| output);
            for part in outputs
                .chain(&self.fixtures.0)
                .chain(failed)
                .chain(&self.fixtures.1)
            {
                text.push_str(part);
                text.push('\n');
            }
            let not_run: Vec<String> = self.not_run.drain(..).map(|(_, line)| line).collect();
            if !not_run.is_empty() {
                text.push_str(&self.styles.not_run(&not_run));
                text.push('\n');
            }
        }
        for line in &self.not_built {
            let word = self.styles.bad.apply_to("NOT BUILT");
            let _ = writeln!(text, "{word} {line}");
        }
        if !self.not_built.is_empty() {
            text.push('\n');
        }
        if self.verbosity == Verbosity::Normal {
            self.write_reasons(&mut text);
        }
        let tests = if summary.ran() == 1 { "test" } else { "tests" };
        let place = match summary.processes {
            0 => "in the primary".to_owned(),
            1 => "on 1 process".to_owned(),
            n => format!("on {n} processes"),
        };
        let _ = writeln!(
            text,
            "Ran {} {tests} in {:.3}s {place}",
            summary.ran(),
            summary.elapsed.as_secs_f64()
        );
        let counts: Vec<String> = [
            ("failures", summary.failures),
            ("errors", summary.errors),
            ("timeouts", summary.timeouts),
            ("interrupted", summary.interrupted),
            ("not run", summary.not_run),
            ("not built", summary.not_built),
            ("expected failures", summary.expected_failures),
            ("skipped", summary.skipped),
            // worth a word where it explains why nothing ran
            (
                "filtered out",
                if summary.ran() == 0 {
                    summary.filtered_out
                } else {
                    0
                },
            ),
        ]
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(word, n)| format!("{word}={n}"))
        .collect();
        let counts = match counts.is_empty() {
            true => String::new(),
            false => format!(" ({})", counts.join(", ")),
        };
        let (word, style) = match summary.interrupt {
            Some(Interrupt::Interrupted) => ("INTERRUPTED", &self.styles.bad),
            Some(Interrupt::HungUp) => ("HUNG UP", &self.styles.bad),
            Some(Interrupt::Terminated) => ("TERMINATED", &self.styles.bad),
            Some(Interrupt::OutOfTime) => ("OUT OF TIME", &self.styles.bad),
            None if exit::of(summary) == exit::NOT_BUILT => ("INCOMPLETE", &self.styles.bad),
            None if !summary.is_green() => ("FAILED", &self.styles.bad),
            None if summary.ran() == 0 => ("NOTHING TO RUN", &self.styles.skipped),
            None if summary.ran() == summary.skipped => ("NOTHING WAS RUN", &self.styles.skipped),
            None => ("OK", &self.styles.good),
        };
        let _ = writeln!(text, "{}{counts}", style.apply_to(word));
        self.print(&text);
    }
}

impl<W: Write> Reporter for Console<W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Compiling { left } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("compiling, {left} left"));
                    bar.tick();
                }
            }
            Event::Planned { tests, .. } => {
                self.planned = true;
                if let Some(bar) = &self.bar {
                    bar.set_length(*tests as u64);
                    let style = " {bar:24.green/dim}  {pos}/{len}  {msg}";
                    bar.set_style(ProgressStyle::with_template(style).expect("a fixed template"));
                }
            }
            Event::Started(test) if self.bar.is_some() => {
                self.running.push((test.clone(), Instant::now()));
            }
            Event::Ended(end) => self.ended(end),
            Event::NeverBegun(end) if self.verbosity == Verbosity::Verbose => {
                let text = self.line(end);
                self.print(&text);
            }
            Event::NotBuilt(target) => {
                let why = one_line(&shortened(&target.why));
                self.not_built
                    .push(format!("{}  {why}", one_line(&target.name)));
            }
            Event::ModuleFailed(error) | Event::SuiteFailed(error) => self.module_failed(error),
            Event::FixtureFailed(error) => {
                self.fixtures.0.push(self.styles.fixture_failure(error));
                self.error();
            }
            Event::FixtureEnded(end) => {
                self.fixtures.1.push(self.styles.fixture_end(end));
            }
            Event::Progress(progress) if self.is_for(progress.level) => {
                self.tell(&progress.text);
            }
            Event::Note(note) if self.verbosity != Verbosity::Quiet => {
                let note = format!("note: {}", Escaped(note));
                self.tell(&note);
            }
            Event::Tick => {
                self.show_running();
                if let Some(bar) = &self.bar {
                    bar.tick();
                }
            }
            Event::Finished(summary) => self.finish(summary),
            Event::Started(_) | Event::NeverBegun(_) | Event::Progress(_) | Event::Note(_) => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        self.out.result()
    }
}
