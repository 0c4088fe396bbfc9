//! `--list`: which tests there are, in libtest's three forms.
//!
//! nextest reads the terse one, with `--ignored` and without. Tests that
//! cannot run here are in the list of the ignored ones, so that nobody takes
//! them for tests that passed.

use crate::cli::libtest::{Format, Parsed};
use crate::event::Event;
use crate::exit::{LIBTEST_FAILED, OK};
use crate::plan::PlannedTest;
use crate::primary;
use crate::report::Reporter;
use crate::report::libtest::json::{self, Discovered};
use crate::report::libtest::result::Audience;
use crate::report::libtest::{log_line, tell_module_failure};
use crate::report::output::Output;
use crate::settings::Settings;
use crate::text::{Escaped, tell};
use anyhow::Context as _;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _};

/// Lists the tests; gives the exit code.
pub fn list(settings: &Settings, parsed: &Parsed, log: Option<&mut File>) -> anyhow::Result<u8> {
    let (summary, mut found) = primary::list(settings, &mut Trouble)?;
    // who reads a list takes what is missing from it for what is not there
    if summary.modules_failed > 0 || summary.interrupt.is_some() {
        return Ok(LIBTEST_FAILED);
    }
    found.sort_by_key(|t| t.order);
    let audience = Audience {
        terminal: io::stdout().is_terminal(),
        color: false,
    };
    let mut out = Output::new(BufWriter::new(io::stdout()));
    out.write(text(&found, parsed.format, audience).as_bytes());
    out.result().context("the list cannot be written")?;
    if let Some(log) = log {
        let mut log = log.try_clone().ok();
        for test in &found {
            log_line(&mut log, &format!("{} {}\n", kind(test), test.info.id.path));
        }
    }
    Ok(OK)
}

fn kind(test: &PlannedTest) -> &'static str {
    match test.listed.benchmark {
        true => "benchmark",
        false => "test",
    }
}

fn text(found: &[PlannedTest], format: Format, audience: Audience) -> String {
    let mut text = String::new();
    let benchmarks = found.iter().filter(|t| t.listed.benchmark).count();
    let tests = found.len() - benchmarks;
    if format == Format::Json {
        let discovered = found.iter().map(|test| Discovered {
            name: &test.info.id.path,
            benchmark: test.listed.benchmark,
            ignored: test.listed.ignored.as_deref(),
            source: (
                test.listed.file.as_deref().unwrap_or_default(),
                test.listed.line.unwrap_or(0),
            ),
        });
        return json::list(&discovered.collect::<Vec<_>>());
    }
    for test in found {
        let _ = writeln!(
            text,
            "{}: {}",
            audience.show(&test.info.id.path),
            kind(test)
        );
    }
    // libtest has no list for junit and prints this one
    if matches!(format, Format::Pretty | Format::Junit) {
        if !found.is_empty() {
            text.push('\n');
        }
        let count = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        let _ = writeln!(
            text,
            "{}, {}",
            count(tests, "test"),
            count(benchmarks, "benchmark")
        );
    }
    text
}

/// Tells on stderr what keeps a list from being made.
struct Trouble;

impl Reporter for Trouble {
    fn event(&mut self, event: &Event) {
        match event {
            Event::ModuleFailed(error) => tell_module_failure(error),
            Event::Note(note) => tell(&format!("note: {}", Escaped(note))),
            _ => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        Ok(())
    }
}
