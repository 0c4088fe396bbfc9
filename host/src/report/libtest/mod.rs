//! A run's events, told as libtest tells them.
//!
//! Counts, keeps what the end needs, and has a [`LibtestFormat`] write the rest. The first
//! line says how many tests there are, so what ends before that is known
//! waits for it. Tests are told as they end.

pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod pretty;
pub mod result;
pub(crate) mod sections;
pub(crate) mod terse;

use self::result::{
    Audience, Flags, LibtestFormat, LibtestResult, LibtestStatus, Tally, Unsupported,
};
use crate::event::{Event, HostFixtureError, ModuleError, Summary, TestEnd};
use crate::report::Reporter;
use crate::report::output::Output;
use crate::text::{Escaped, tell};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::mem;
use std::path::Path;
use std::time::Duration;

/// What is told in place of how a test ended.
pub type Mapped<'a> = &'a dyn Fn(&TestEnd) -> TestEnd;

/// What is told in place of a test's own words.
pub type Marked<'a> = &'a dyn Fn(&str) -> String;

/// How a run is told in libtest's way.
pub struct Options<'a> {
    /// What writes it.
    pub format: Box<dyn LibtestFormat>,
    /// Who reads it.
    pub audience: Audience,
    /// What the call asked for.
    pub flags: Flags,
    /// What is done with tests that cannot run here.
    pub unsupported: Unsupported,
    /// Where a line for each test is written besides.
    pub log: Option<File>,
    /// What is told in place of how a test ended.
    pub mapped: Mapped<'a>,
    /// What is told in place of its words, if not they.
    pub marked: Option<Marked<'a>>,
}

/// Tells a run in one of libtest's formats.
pub struct LibtestReporter<'a, W> {
    out: Output<W>,
    asked: Options<'a>,
    /// Whether what tests write to stderr goes to ours, and how.
    stderr: Option<Audience>,
    /// What waits for the first line.
    waiting: Option<Vec<Told>>,
    tally: Tally,
    /// Tests that count as ignored since they cannot run here.
    not_able: usize,
}

/// Something that is told after the first line.
enum Told {
    Started(String),
    Ended(Box<LibtestResult>),
    Note(String),
}

impl<'a, W: Write> LibtestReporter<'a, W> {
    /// A reporter that writes to `out`.
    pub fn new(out: W, asked: Options<'a>) -> Self {
        LibtestReporter {
            out: Output::new(out),
            stderr: asked.flags.nocapture.then(|| Audience {
                terminal: io::stderr().is_terminal(),
                ..asked.audience
            }),
            asked,
            waiting: Some(Vec::new()),
            tally: Tally::default(),
            not_able: 0,
        }
    }

    fn tell(&mut self, told: Told) {
        match &mut self.waiting {
            Some(waiting) => waiting.push(told),
            None => self.tell_now(told),
        }
    }

    fn tell_now(&mut self, told: Told) {
        match told {
            Told::Started(name) => {
                let text = self.asked.format.started(&name);
                self.out.write(text.as_bytes());
            }
            Told::Ended(result) => self.ended(*result),
            Told::Note(note) => tell(&format!("note: {}", Escaped(&note))),
        }
    }

    fn planned(&mut self, tests: usize, filtered_out: usize) {
        self.tally.total = tests;
        self.tally.filtered_out = filtered_out;
        let Some(waiting) = self.waiting.take() else {
            return;
        };
        if self.tally.broken {
            return;
        }
        let text = self.asked.format.begin(tests);
        self.out.write(text.as_bytes());
        let empty = tests + filtered_out == 0;
        for told in waiting {
            // libtest says nothing more of a file without tests
            if !(empty && matches!(told, Told::Note(_))) {
                self.tell_now(told);
            }
        }
    }

    fn ended(&mut self, mut result: LibtestResult) {
        if self.asked.flags.ensure_time
            && result.status == LibtestStatus::Ok
            && is_too_slow(&result)
        {
            result.status = LibtestStatus::TooSlow;
        }
        if let Some(audience) = &self.stderr
            && !result.stderr.is_empty()
        {
            let _ = io::stderr().write_all(audience.show(&result.stderr).as_bytes());
        }
        let text = self.asked.format.ended(&result);
        self.out.write(text.as_bytes());
        self.write_log(&result);
        match &result.status {
            LibtestStatus::Ok => self.tally.passed += 1,
            LibtestStatus::Failed | LibtestStatus::TooSlow => self.tally.failed += 1,
            LibtestStatus::Ignored { .. } => {
                self.tally.ignored += 1;
                self.not_able += usize::from(result.unable);
            }
            LibtestStatus::Measured(_) => self.tally.measured += 1,
        }
        match &result.status {
            LibtestStatus::Failed => self.tally.failures.push(result),
            LibtestStatus::TooSlow => self.tally.too_slow.push(result),
            LibtestStatus::Ok if self.asked.flags.show_output => self.tally.successes.push(result),
            _ => {}
        }
    }

    fn write_log(&mut self, result: &LibtestResult) {
        if self.asked.log.is_none() {
            return;
        }
        let word = match &result.status {
            LibtestStatus::Ok => "ok".to_owned(),
            LibtestStatus::Failed => "failed".to_owned(),
            LibtestStatus::TooSlow => "failed (time limit exceeded)".to_owned(),
            LibtestStatus::Ignored { reason: None } => "ignored".to_owned(),
            LibtestStatus::Ignored {
                reason: Some(reason),
            } => format!("ignored: {reason}"),
            LibtestStatus::Measured(measure) => measure.text.clone(),
        };
        let time = match result.time.filter(|_| self.asked.flags.report_time) {
            Some(time) => format!(" <{:.3}s>", time.as_secs_f64()),
            None => String::new(),
        };
        log_line(
            &mut self.asked.log,
            &format!("{word} {}{time}\n", result.name),
        );
    }

    fn module_failed(&mut self, error: &ModuleError) {
        tell_module_failure(error);
        self.tally.broken = true;
    }

    fn suite_failed(&mut self, error: &ModuleError) {
        let out = (&error.output.stdout, &error.output.stderr);
        let result =
            LibtestResult::failure(error.module.to_string(), error.what, &error.cause, out);
        self.tell(Told::Ended(Box::new(result)));
    }

    fn fixture_failed(&mut self, error: &HostFixtureError) {
        let out = (&error.stdout, &error.stderr);
        let name = format!("fixture {}", error.name);
        let result = LibtestResult::failure(name, error.what, &error.cause, out);
        self.tell(Told::Ended(Box::new(result)));
    }

    fn finish(&mut self, summary: &Summary) {
        // a run that was stopped early never said how many tests there are
        if self.waiting.is_some() {
            self.planned(summary.ran() + summary.not_run, summary.filtered_out);
        }
        let nothing = self.tally.total == 0;
        if self.tally.broken && nothing {
            return;
        }
        self.tally.elapsed = summary.elapsed;
        self.tally.broken |= !summary.is_green();
        if summary.not_run > 0 {
            let tests = if summary.not_run == 1 {
                "test"
            } else {
                "tests"
            };
            tell(&format!("note: {} {tests} did not run", summary.not_run));
        }
        let tally = &mut self.tally;
        for tests in [
            &mut tally.failures,
            &mut tally.too_slow,
            &mut tally.successes,
        ] {
            tests.sort_by_key(|t| t.order);
        }
        let tally = mem::take(&mut self.tally);
        let text = self.asked.format.finish(&tally);
        self.tally = tally;
        self.out.write(text.as_bytes());
        if self.not_able > 0 {
            let tests = if self.not_able == 1 { "test" } else { "tests" };
            tell(&format!(
                "note: {} {tests} marked should_panic did not run: on wasm a panic ends the program, so libtest ignores them",
                self.not_able
            ));
        }
    }
}

impl<W: Write> Reporter for LibtestReporter<'_, W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Planned {
                tests,
                filtered_out,
            } => self.planned(*tests, *filtered_out),
            Event::Started(test) => self.tell(Told::Started(test.id.path.to_string())),
            Event::Ended(end) => {
                let mut result =
                    LibtestResult::of(&(self.asked.mapped)(end), self.asked.unsupported);
                if let Some(marked) = self.asked.marked {
                    result.stdout = marked(&result.stdout);
                    result.stderr = marked(&result.stderr);
                }
                self.tell(Told::Ended(Box::new(result)));
            }
            Event::ModuleFailed(error) => self.module_failed(error),
            Event::SuiteFailed(error) => self.suite_failed(error),
            Event::FixtureFailed(error) => self.fixture_failed(error),
            Event::Note(note) => self.tell(Told::Note(note.clone())),
            Event::Finished(summary) => self.finish(summary),
            // libtest has no word for these
            Event::Compiling { .. }
            | Event::NotBuilt(_)
            | Event::NeverBegun(_)
            | Event::Progress(_)
            | Event::FixtureEnded(_)
            | Event::Tick => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        self.out.result()
    }

    fn is_good(&self) -> bool {
        self.tally.is_good()
    }
}

/// libtest's limits for `--ensure-time`, by where a test's source lies.
fn is_too_slow(result: &LibtestResult) -> bool {
    let folders = result.file.as_deref().and_then(|f| Path::new(f).parent());
    let lies_in = |name: &str| folders.is_some_and(|f| f.iter().any(|part| part == name));
    let limit = match (lies_in("src"), lies_in("tests")) {
        (true, _) => Duration::from_millis(100),
        (false, true) => Duration::from_secs(1),
        (false, false) => Duration::from_secs(120),
    };
    result.time.is_some_and(|time| time >= limit)
}

/// Says on stderr that a module cannot be run, and why.
pub fn tell_module_failure(error: &ModuleError) {
    let file = error.file.as_deref().unwrap_or(&error.module);
    let mut text = format!("error: {file} {}: {}", error.what, error.cause.message);
    if let Some(hint) = &error.cause.hint {
        text.push_str(&format!("\nhint: {hint}"));
    }
    for output in [error.output.stdout.text(), error.output.stderr.text()] {
        let output = output.trim();
        if !output.is_empty() {
            text.push_str(&format!("\nit wrote:\n{output}"));
        }
    }
    tell(&Escaped(&text).to_string());
}

/// Writes a line to a log that was asked for; a log that cannot be written is told once.
pub(crate) fn log_line(log: &mut Option<File>, line: &str) {
    if let Some(file) = log
        && let Err(e) = file.write_all(line.as_bytes())
    {
        tell(&format!("warning: the logfile cannot be written: {e}"));
        *log = None;
    }
}
