//! What happens in a run, and how each test ended.
//!
//! Takes nothing, knows nobody: these are the plain types that the primary
//! produces and every reporter reads. A reporter is a function of this stream
//! and of nothing else, so whatever a report needs has to be in here.

mod capture;
pub mod denials;
mod frame;
mod outcome;
mod output;
mod progress;
mod setup;
mod suite;
mod test;
mod written;

pub use capture::{Capture, Captured};
pub use frame::{BACKTRACE, Frame, FrameLine, Library, Other, Others, unfolded};
pub use outcome::{Cause, Outcome};
pub use output::{Attachment, TestOutput};
pub use progress::{
    FixtureName, HostFixtureStep, LeftOut, Level, Progress, SnapshotStep, SuiteStep, Without,
};
pub use setup::{SetupKind, SetupOutput, SetupRun};
pub use suite::{FixtureKind, SuiteFailure, SuitePart};
pub use test::{Format, HarnessName, InUnit, Ran, TestEnd, TestId, TestInfo};
pub use written::written;

use std::sync::Arc;
use std::time::Duration;

/// A module, or a suite of one, that could not be run.
#[derive(Clone, Debug)]
pub struct ModuleError {
    /// The module's name in the run; of a suite, a space and the suite's.
    pub module: Arc<str>,
    /// Its file, if there is one.
    pub file: Option<String>,
    /// Its place in the plan.
    pub order: usize,
    /// What failed: `cannot be loaded`, `cannot be listed`.
    pub what: &'static str,
    /// Why, and what to do.
    pub cause: Cause,
    /// What it left before it died.
    pub output: TestOutput,
}

/// A target that a build tool was asked for and that did not build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotBuilt {
    /// The name that its module would have in the run.
    pub name: String,
    /// The first error, as one line.
    pub why: String,
    /// Whether the run is not to be green without it.
    pub missed: bool,
}

/// A host fixture that failed its tests.
#[derive(Clone, Debug)]
pub struct HostFixtureError {
    pub name: Arc<str>,
    /// What happened: `could not be set up`, `ended while its tests ran`.
    pub what: &'static str,
    /// Why, and what to do.
    pub cause: Cause,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
}

/// A host fixture that has ended, as it should or not.
#[derive(Clone, Debug)]
pub struct HostFixtureEnd {
    pub name: Arc<str>,
    /// How it ended, in words.
    pub how: String,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Modules are being compiled: how many are still to come.
    Compiling {
        /// Modules not yet compiled.
        left: usize,
    },
    /// How many tests there will be: once all modules are listed, and before that once if what
    /// has ended would wait for it for too long.
    Planned {
        /// Tests selected, skipped ones included.
        tests: usize,
        /// Tests that the filters left out.
        filtered_out: usize,
    },
    /// A worker has begun a test.
    Started(Arc<TestInfo>),
    /// A test has ended.
    Ended(Box<TestEnd>),
    /// A test will not be begun, since the run was stopped or interrupted: it is not run,
    /// for the reason in its outcome.
    NeverBegun(Box<TestEnd>),
    /// A module could not be loaded or listed.
    ModuleFailed(Box<ModuleError>),
    /// A target did not build, and the others run without it.
    NotBuilt(NotBuilt),
    /// A suite or a fixture of a module's could not be set up or taken down.
    SuiteFailed(Box<ModuleError>),
    /// A host fixture could not be set up, or ended too soon.
    FixtureFailed(Box<HostFixtureError>),
    /// What a host fixture wrote, where that matters: a test that was bound to it did
    /// not pass, or everything is of interest.
    FixtureEnded(Box<HostFixtureEnd>),
    /// How the run gets on; it changes no verdict.
    Progress(Progress),
    /// Something that a user should know; it changes no verdict.
    Note(String),
    /// Time has passed; sent only where a person watches.
    Tick,
    /// The run is over.
    Finished(Summary),
}

/// Why a run ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT, as Ctrl-C sends it.
    Interrupted,
    /// SIGHUP: the terminal, or the connection to it, is gone.
    HungUp,
    /// SIGTERM.
    Terminated,
    /// It had run for as long as it may.
    OutOfTime,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Tests that passed.
    pub passed: usize,
    /// Tests whose assertion failed.
    pub failures: usize,
    /// Tests that ended in a trap, without memory or with their worker; modules that could not
    /// be run; host fixtures that failed.
    pub errors: usize,
    /// Tests stopped at their limit.
    pub timeouts: usize,
    /// Tests skipped.
    pub skipped: usize,
    /// Tests that failed as they were expected to.
    pub expected_failures: usize,
    /// Tests that were in flight at an interrupt.
    pub interrupted: usize,
    /// Tests never started.
    pub not_run: usize,
    /// Modules that could not be loaded or listed (part of `errors`).
    pub modules_failed: usize,
    /// Suites and fixtures, host fixtures included, that could not be set up or taken
    /// down, or ended too soon (part of `errors`).
    pub fixtures_failed: usize,
    /// Targets that did not build.
    pub not_built: usize,
    /// How many of them the run is not to be green without.
    pub missed: usize,
    /// Tests that the filters left out.
    pub filtered_out: usize,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// Number of worker processes; 0 when everything ran in the primary.
    pub processes: usize,
    /// Set when the run was interrupted.
    pub interrupt: Option<Interrupt>,
}

impl Summary {
    /// Counts one test.
    pub fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) => self.failures += 1,
            Outcome::Errored(_) | Outcome::OutOfMemory(_) | Outcome::Crashed(_) => self.errors += 1,
            Outcome::TimedOut(_) => self.timeouts += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::ExpectedFailure { .. } => self.expected_failures += 1,
            Outcome::NotRun { .. } => self.not_run += 1,
            Outcome::Interrupted => self.interrupted += 1,
        }
    }

    /// Tests that ran or were skipped: what `Ran N tests` counts.
    pub fn ran(&self) -> usize {
        self.passed
            + self.failures
            + self.timeouts
            + self.skipped
            + self.expected_failures
            + self.errors
            - self.modules_failed
            - self.fixtures_failed
    }

    /// Whether everything that was selected passed or was skipped.
    pub fn is_green(&self) -> bool {
        self.failures + self.errors + self.timeouts + self.interrupted + self.not_run + self.missed
            == 0
            && self.interrupt.is_none()
    }
}
