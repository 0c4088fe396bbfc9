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
mod setup;
mod suite;
mod test;

pub use capture::Capture;
pub use frame::{BACKTRACE, Frame, Library, Line, Other, Others, unfolded};
pub use outcome::{Cause, Outcome};
pub use output::{Attachment, Captured, TestOutput};
pub use setup::{SetupKind, SetupOutput, SetupRun};
pub use suite::{FixtureKind, SuiteFailure, SuitePart};
pub use test::{Format, HarnessName, InUnit, Ran, TestEnd, TestId, TestInfo};

use std::fmt;
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
}

/// A dependency that is not all there in what was built, since it does not build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its package and version.
    pub name: String,
    /// What is not there.
    pub without: Without,
}

/// What of a dependency is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// All of it: nothing that was built names it.
    All {
        /// The first error, as one line.
        error: String,
        /// Dependencies that were left out because they need it.
        others: Vec<String>,
    },
    /// Some of its features.
    Features {
        /// Which.
        names: Vec<String>,
        /// What they are for.
        why: String,
    },
}

/// A host fixture that failed its tests.
#[derive(Clone, Debug)]
pub struct HostFixtureError {
    /// Its name.
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
    /// Its name.
    pub name: Arc<str>,
    /// How it ended, in words.
    pub how: String,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
}

/// A step in the life of a host fixture.
#[derive(Clone, Debug)]
pub enum HostFixtureStep {
    /// It is being started.
    Started {
        /// By this command.
        command: String,
    },
    /// It is ready.
    Ready {
        /// So long after it was started.
        elapsed: Duration,
    },
    /// It has ended.
    Ended {
        /// How, in words.
        how: String,
    },
}

/// A suite or a fixture of a module's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureName {
    /// The module's name.
    pub module: Arc<str>,
    /// Its path in the module.
    pub path: String,
    /// Which of the two it is.
    pub kind: FixtureKind,
}

impl fmt::Display for FixtureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.module, self.path)
    }
}

/// What is done with a suite or a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuiteStep {
    /// It was set up.
    SetUp,
    /// Its teardown runs, and an interrupted run waits for it.
    TearingDown,
    /// It was taken down.
    TornDown,
}

/// How the fixtures of a split suite's tests come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotStep {
    /// Their state is large, and is being written to where all workers can map it.
    Keeping {
        /// The size of its memory.
        bytes: u64,
    },
    /// Their state is kept, and each further test begins from it.
    Kept {
        /// The size of its memory.
        bytes: u64,
    },
    /// They are run again for each test.
    Rerun {
        /// Why.
        why: String,
    },
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Modules are being compiled: how many are still to come.
    Compiling {
        /// Modules not yet compiled.
        left: usize,
    },
    /// All compiling is done.
    Compiled {
        /// Modules compiled now.
        compiled: usize,
        /// Modules that the cache had.
        cached: usize,
        /// How long it took from the start of the run.
        elapsed: Duration,
    },
    /// All modules are listed: how many tests there will be.
    Planned {
        /// Tests selected, skipped ones included.
        tests: usize,
        /// Tests that the filters left out.
        filtered_out: usize,
    },
    /// A worker has begun a test.
    Started(Arc<TestInfo>),
    /// A test runs for longer than usual.
    Slow {
        /// Whether the time is also that of what is set up for it.
        set_up: bool,
        /// Which test.
        test: Arc<TestInfo>,
        /// For how long already.
        elapsed: Duration,
    },
    /// A test has ended.
    Ended(Box<TestEnd>),
    /// A test will not be begun, since the run was stopped or interrupted: it is not run,
    /// for the reason in its outcome.
    NeverBegun(Box<TestEnd>),
    /// A module could not be loaded or listed.
    ModuleFailed(Box<ModuleError>),
    /// A target did not build, and the others run without it.
    NotBuilt(NotBuilt),
    /// A dependency does not build, and what runs does without it.
    LeftOut(LeftOut),
    /// A suite or a fixture of a module's could not be set up or taken down.
    SuiteFailed(Box<ModuleError>),
    /// A shared suite or fixture of a module's was set up or taken down; or any is being
    /// taken down while an interrupted run waits for it.
    SuiteStep {
        /// Which it is.
        of: FixtureName,
        /// What is done with it.
        step: SuiteStep,
    },
    /// A host fixture could not be set up, or ended too soon.
    FixtureFailed(Box<HostFixtureError>),
    /// A step of a host fixture; sent only to who wants to know everything.
    Fixture {
        /// The fixture's name.
        name: Arc<str>,
        /// The step.
        step: HostFixtureStep,
    },
    /// What a host fixture wrote, where that matters: a test that was bound to it did
    /// not pass, or everything is of interest.
    FixtureEnded(Box<HostFixtureEnd>),
    /// Whether a split suite's or fixture's state is replayed, or made anew for each test.
    Snapshot {
        /// Which it is.
        of: FixtureName,
        /// What is known of that.
        step: SnapshotStep,
    },
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
    /// SIGTERM.
    Terminated,
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
