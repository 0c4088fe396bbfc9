//! A run's events, told as libtest tells them.
//!
//! Counts, keeps what the end needs, and has a [`Form`] write the rest. The first
//! line says how many tests there are, so what ends before that is known
//! waits for it. Tests are told as they end.

pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod pretty;
pub mod result;
pub(crate) mod sections;
pub(crate) mod terse;

use self::result::{Audience, Form, Seen, Tally, Unable, Verdict};
use crate::cli::libtest::Parsed;
use crate::event::{Event, FixtureError, ModuleError, Summary, TestEnd};
use crate::report::Reporter;
use crate::report::output::Output;
use crate::settings::Marks;
use crate::text::{Escaped, tell};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::mem;
use std::path::Path;
use std::time::Duration;

/// What is told in place of how a test ended.
pub type Retold<'a> = &'a dyn Fn(&TestEnd) -> TestEnd;

/// Tells a run in one of libtest's formats.
pub struct Face<'a, W> {
    out: Output<W>,
    retold: Retold<'a>,
    marks: Option<Marks>,
    form: Box<dyn Form>,
    log: Option<File>,
    unable: Unable,
    show_output: bool,
    report_time: bool,
    ensure_time: bool,
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
    Ended(Box<Seen>),
    Note(String),
}

impl<'a, W: Write> Face<'a, W> {
    /// A face that writes to `out`.
    pub fn new(
        out: W,
        form: Box<dyn Form>,
        audience: Audience,
        parsed: &Parsed,
        log: Option<File>,
        retold: Retold<'a>,
    ) -> Self {
        Face {
            out: Output::new(out),
            retold,
            marks: None,
            form,
            log,
            unable: match parsed.is_single()
                && parsed.ignored == crate::cli::libtest::RunIgnored::Only
            {
                true => Unable::Failed,
                false => Unable::Ignored,
            },
            show_output: parsed.show_output,
            report_time: parsed.report_time,
            ensure_time: parsed.ensure_time,
            stderr: parsed.nocapture.then(|| Audience {
                terminal: io::stderr().is_terminal(),
                ..audience
            }),
            waiting: Some(Vec::new()),
            tally: Tally::default(),
            not_able: 0,
        }
    }

    /// The same, with a test's words marked as these.
    pub fn marked(self, marks: Option<Marks>) -> Self {
        Face { marks, ..self }
    }

    /// Whether all that was meant passed or was ignored.
    pub fn is_good(&self) -> bool {
        self.tally.is_good()
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
                let text = self.form.started(&name);
                self.out.write(text.as_bytes());
            }
            Told::Ended(seen) => self.ended(*seen),
            Told::Note(note) => tell(&format!("note: {}", Escaped(&note))),
        }
    }

    fn planned(&mut self, tests: usize, filtered_out: usize) {
        self.tally.total = tests;
        self.tally.filtered_out = filtered_out;
        let waiting = self.waiting.take().unwrap_or_default();
        if self.tally.broken {
            return;
        }
        let text = self.form.begin(tests);
        self.out.write(text.as_bytes());
        let empty = tests + filtered_out == 0;
        for told in waiting {
            // libtest says nothing more of a file without tests
            if !(empty && matches!(told, Told::Note(_))) {
                self.tell_now(told);
            }
        }
    }

    fn ended(&mut self, mut seen: Seen) {
        if self.ensure_time && seen.verdict == Verdict::Ok && is_too_slow(&seen) {
            seen.verdict = Verdict::TooSlow;
        }
        if let Some(audience) = &self.stderr
            && !seen.stderr.is_empty()
        {
            let _ = io::stderr().write_all(audience.show(&seen.stderr).as_bytes());
        }
        let text = self.form.ended(&seen);
        self.out.write(text.as_bytes());
        self.write_log(&seen);
        match &seen.verdict {
            Verdict::Ok => self.tally.passed += 1,
            Verdict::Failed | Verdict::TooSlow => self.tally.failed += 1,
            Verdict::Ignored { .. } => {
                self.tally.ignored += 1;
                self.not_able += usize::from(seen.unable);
            }
            Verdict::Measured(_) => self.tally.measured += 1,
        }
        match &seen.verdict {
            Verdict::Failed => self.tally.failures.push(seen),
            Verdict::TooSlow => self.tally.too_slow.push(seen),
            Verdict::Ok if self.show_output => self.tally.successes.push(seen),
            _ => {}
        }
    }

    fn write_log(&mut self, seen: &Seen) {
        if self.log.is_none() {
            return;
        }
        let word = match &seen.verdict {
            Verdict::Ok => "ok".to_owned(),
            Verdict::Failed => "failed".to_owned(),
            Verdict::TooSlow => "failed (time limit exceeded)".to_owned(),
            Verdict::Ignored { reason: None } => "ignored".to_owned(),
            Verdict::Ignored {
                reason: Some(reason),
            } => format!("ignored: {reason}"),
            Verdict::Measured(measure) => measure.text.clone(),
        };
        let time = match seen.time.filter(|_| self.report_time) {
            Some(time) => format!(" <{:.3}s>", time.as_secs_f64()),
            None => String::new(),
        };
        log_line(&mut self.log, &format!("{word} {}{time}\n", seen.name));
    }

    fn module_failed(&mut self, error: &ModuleError) {
        tell_module_failure(error);
        self.tally.broken = true;
    }

    fn suite_failed(&mut self, error: &ModuleError) {
        let out = (&error.output.stdout, &error.output.stderr);
        let seen = Seen::failure(error.module.to_string(), error.what, &error.cause, out);
        self.tell(Told::Ended(Box::new(seen)));
    }

    fn fixture_failed(&mut self, error: &FixtureError) {
        let out = (&error.stdout, &error.stderr);
        let name = format!("fixture {}", error.name);
        let seen = Seen::failure(name, error.what, &error.cause, out);
        self.tell(Told::Ended(Box::new(seen)));
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
        let text = self.form.finish(&tally);
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

impl<W: Write> Reporter for Face<'_, W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Planned {
                tests,
                filtered_out,
            } => self.planned(*tests, *filtered_out),
            Event::Started(test) => self.tell(Told::Started(test.id.path.to_string())),
            Event::Ended(end) => {
                let mut seen = Seen::of(&(self.retold)(end), self.unable);
                if let Some(marks) = &self.marks {
                    seen.stdout = marks.mark(&seen.stdout);
                    seen.stderr = marks.mark(&seen.stderr);
                }
                self.tell(Told::Ended(Box::new(seen)));
            }
            Event::ModuleFailed(error) => self.module_failed(error),
            Event::SuiteFailed(error) => self.suite_failed(error),
            Event::FixtureFailed(error) => self.fixture_failed(error),
            Event::Note(note) => self.tell(Told::Note(note.clone())),
            Event::Finished(summary) => self.finish(summary),
            // libtest has no word for these
            Event::Compiling { .. }
            | Event::Compiled { .. }
            | Event::NotBuilt(_)
            | Event::LeftOut(_)
            | Event::Slow { .. }
            | Event::NeverBegun(_)
            | Event::SuiteStep { .. }
            | Event::Fixture { .. }
            | Event::FixtureEnded(_)
            | Event::Snapshot { .. }
            | Event::Tick => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        self.out.result()
    }
}

/// libtest's limits for `--ensure-time`, by where a test's source lies.
fn is_too_slow(seen: &Seen) -> bool {
    let folders = seen.file.as_deref().and_then(|f| Path::new(f).parent());
    let lies_in = |name: &str| folders.is_some_and(|f| f.iter().any(|part| part == name));
    let limit = match (lies_in("src"), lies_in("tests")) {
        (true, _) => Duration::from_millis(100),
        (false, true) => Duration::from_secs(1),
        (false, false) => Duration::from_secs(120),
    };
    seen.time.is_some_and(|time| time >= limit)
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
