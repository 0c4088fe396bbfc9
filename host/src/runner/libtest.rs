//! The face of a libtest binary: its command line, its output, its exit codes.
//!
//! Behind it each test runs isolated, as with `wasmtest run`. `cli::libtest` reads the
//! command line, `report::libtest` tells the run in one of libtest's formats, `list` answers
//! `--list`. docs/libtest.md has what differs, flag by flag.

use super::{RunnerCall, list};
use crate::cli::libtest::{Environment, Format, Parsed, RunIgnored};
use crate::cli::{CargoRunnerArgs, libtest as args};
use crate::event::Summary;
use crate::exit::{LIBTEST_FAILED, OK};
use crate::report::libtest::result::{Audience, Flags, LibtestFormat, Unsupported};
use crate::report::libtest::{self, Mapped, json, junit, pretty, terse};
use crate::report::output::Output;
use crate::report::{self, Reporter as _, Stdout};
use crate::settings::{Settings, TestFile};
use crate::text::{Escaped, tell};
use crate::{primary, runner};
use anyhow::Context as _;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal as _};

/// Runs or lists the tests of a libtest binary as its arguments ask; gives the exit code.
pub(super) fn run(
    call: &RunnerCall<'_>,
    file: TestFile,
    args: &[OsString],
    own: &CargoRunnerArgs,
) -> u8 {
    run_mapped(call, file, args, own, &Clone::clone)
}

/// The same, with each test's end told in another way.
pub(super) fn run_mapped(
    call: &RunnerCall<'_>,
    file: TestFile,
    args: &[OsString],
    own: &CargoRunnerArgs,
    mapped: Mapped<'_>,
) -> u8 {
    match called(call, file, args, own, mapped) {
        Ok(code) => code,
        Err(error) => {
            tell(&format!("error: {}", Escaped(&format!("{error:#}"))));
            LIBTEST_FAILED
        }
    }
}

fn called(
    call: &RunnerCall<'_>,
    file: TestFile,
    args: &[OsString],
    own: &CargoRunnerArgs,
    mapped: Mapped<'_>,
) -> anyhow::Result<u8> {
    let words: Option<Vec<String>> = args.iter().map(|a| a.to_str().map(str::to_owned)).collect();
    let words = words.context("an argument of the test binary is not Unicode")?;
    let environment = Environment::of_process(call.process);
    let parsed = args::parse(&words, &environment).map_err(anyhow::Error::msg)?;
    if parsed.help {
        let mut out = Output::new(io::stdout());
        out.write(HELP.as_bytes());
        out.result().context("the help cannot be written")?;
        return Ok(OK);
    }
    let mut log = match &parsed.logfile {
        None => None,
        Some(path) => {
            tell("warning: `--logfile` is deprecated");
            let made = File::create(path);
            Some(made.with_context(|| format!("{} cannot be written", path.display()))?)
        }
    };
    let settings = Settings::for_libtest(&parsed, file, own, call.config.clone(), call.process)?;
    if parsed.list {
        return list::list(&settings, &parsed, log.as_mut());
    }
    let audience = Audience {
        terminal: io::stdout().is_terminal(),
        color: settings.color,
    };
    let marks = runner::marks(own);
    let mark = |text: &str| {
        marks
            .as_ref()
            .map_or_else(|| text.to_owned(), |m| m.mark(text))
    };
    let flags = flags(&parsed, &settings);
    let told = libtest::Options {
        format: format(parsed.format, audience, flags),
        audience,
        flags,
        unsupported: match parsed.is_single() && parsed.ignored == RunIgnored::Only {
            true => Unsupported::Failed,
            false => Unsupported::Ignored,
        },
        log,
        mapped,
        marked: marks.is_some().then_some(&mark),
    };
    let mut reporters = report::open(&settings.reporting(), Stdout::Libtest(told))?;
    let summary = primary::run(&settings, &mut reporters)?;
    reporters.result()?;
    if environment.nextest && parsed.is_single() && is_empty(&summary) {
        anyhow::bail!(
            "no test here has the name `{}`: nothing was run",
            parsed.filters[0]
        );
    }
    if environment.nextest && parsed.is_single() && summary.passed == 0 && summary.skipped > 0 {
        tell("error: it was skipped, which is no pass, and cargo-nextest knows no third");
        return Ok(LIBTEST_FAILED);
    }
    Ok(match reporters.is_good() && summary.is_green() {
        true => OK,
        false => LIBTEST_FAILED,
    })
}

/// Whether not one test was meant.
fn is_empty(summary: &Summary) -> bool {
    summary.ran() == 0 && summary.not_run + summary.interrupted == 0
}

fn flags(parsed: &Parsed, settings: &Settings) -> Flags {
    Flags {
        nocapture: parsed.nocapture,
        show_output: parsed.show_output,
        report_time: parsed.report_time,
        ensure_time: parsed.ensure_time,
        serial: parsed.threads == Some(1) || parsed.is_single(),
        seed: settings.shuffle,
    }
}

fn format(format: Format, audience: Audience, flags: Flags) -> Box<dyn LibtestFormat> {
    match format {
        Format::Pretty => Box::new(pretty::Pretty::new(audience, flags)),
        Format::Terse => Box::new(terse::Terse::new(audience, flags)),
        Format::Json => Box::new(json::Json::new(flags)),
        Format::Junit => Box::new(junit::Junit::new(flags)),
    }
}

const HELP: &str = "\
Usage: wasmtest cargo-runner BIN [OPTIONS] [FILTERS...]

These are the options of a Rust test binary (libtest's), as wasmtest follows them: each
test runs in an instance of its own, on worker processes. FILTERS choose the tests whose
names contain one of them.

Choosing:
    --exact               FILTERS are whole names
    --skip FILTER         Leave out tests whose names contain this; may be repeated
    --ignored             Only the tests that are marked as ignored
    --include-ignored     The tests that are marked as ignored too
    --test                Tests (the default)
    --bench               Benchmarks, measured; tests only with --test
    --list                Say which tests there are, and run none

Running:
    --test-threads N      So many worker processes [default: one for each CPU]

Reporting:
    --format FORMAT       pretty, terse, and with -Z unstable-options json or junit
    -q, --quiet           --format terse
    --no-capture          Print what tests write, each test's when it has ended
    --show-output         Print what tests wrote that passed, at the end
    --color WHEN          auto, always or never
    --logfile PATH        Write a line for each test to this file
    -h, --help            This text; `wasmtest cargo-runner --help` has our own options

With -Z unstable-options:
    --exclude-should-panic  Leave out tests that are expected to panic
    --fail-fast             Begin no test after the first that failed
    --report-time           How long each test took
    --ensure-time           The same; tests that take longer than they may fail
    --shuffle               In an order that follows from a seed
    --shuffle-seed SEED     In the order that follows from this seed
    --force-run-in-process  Nothing: each test has an instance of its own anyway
";
