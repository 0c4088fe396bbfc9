//! An instance that stays for several calls, and what stands in it.

use crate::event::denials::Denials;
use crate::event::{SetupOutput, SetupRun, SuiteFailure, TestOutput};
use crate::protocol::suites::{FixtureStep, ValueNumber};
use crate::protocol::{Done, LoadError, ModuleNumber, SharedSetupError, Task};
use crate::sandbox::live::Live;
use std::sync::Arc;
use std::time::Duration;

/// An instance and what stands in it.
pub struct FixtureInstance {
    pub(super) live: Live,
    pub(super) module: ModuleNumber,
    /// What was set up, in order.
    pub(super) active: Vec<FixtureStep>,
    /// What was written while that was set up, in order.
    pub(super) wrote: Vec<SetupOutput>,
    /// Whether a trap left it in the middle of something.
    pub(super) poisoned: bool,
    /// How long calls in it took, until somebody takes that.
    pub(super) spent: Duration,
    /// What calls in it left for the report, until somebody takes that.
    pub(super) report: TestOutput,
}

/// Why something is not there that a test needs.
#[derive(Clone, Debug)]
pub enum SetupError {
    /// Its module cannot be loaded.
    Load(LoadError),
    /// It could not be set up.
    Failed(Box<SuiteFailure>),
    /// It asked for its tests to be skipped.
    Skipped {
        /// The path of the function that did.
        path: String,
        reason: String,
    },
    /// The run was interrupted.
    Interrupted,
}

/// What is left of an instance.
#[derive(Default)]
pub struct TeardownReport {
    /// What could not be taken down.
    pub failures: Vec<SuiteFailure>,
    /// What was left for the report while it was taken down; its notes say what was not even
    /// tried.
    pub report: TestOutput,
}

impl TeardownReport {
    /// Tells of them with a test.
    pub(super) fn add_to(mut self, done: &mut Done) {
        done.suites.extend(self.failures);
        self.report.denied = Denials::default();
        done.output.take_report(&mut self.report);
    }
}

impl FixtureInstance {
    /// How long calls in it took since this was asked for last.
    pub(super) fn take_spent(&mut self) -> Duration {
        std::mem::take(&mut self.spent)
    }

    /// What calls in it left for the report since this was asked for last.
    pub(super) fn take_report(&mut self) -> TestOutput {
        std::mem::take(&mut self.report)
    }

    /// What was written while what stands here for this test was set up.
    pub(super) fn wrote_for(&self, task: &Task) -> Vec<SetupOutput> {
        let is_around = |w: &&SetupOutput| task.steps().iter().any(|s| s.path == w.path);
        self.wrote.iter().filter(is_around).cloned().collect()
    }

    /// All of that, for those to whom it came about in this way.
    pub(super) fn wrote(&self, run: SetupRun) -> Vec<SetupOutput> {
        let wrote = self.wrote.iter().cloned();
        wrote.map(|w| SetupOutput { run, ..w }).collect()
    }

    /// Its instance.
    pub(super) fn live(&mut self) -> &mut Live {
        &mut self.live
    }

    /// Whether a trap left it in the middle of something.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

/// A shared fixture that stands.
pub struct SharedFixture {
    pub(super) number: ValueNumber,
    pub(super) task: Arc<Task>,
    pub(super) instance: FixtureInstance,
}

impl From<SetupError> for SharedSetupError {
    fn from(why: SetupError) -> Self {
        match why {
            SetupError::Load(e) => SharedSetupError::Load(e),
            SetupError::Failed(failure) => SharedSetupError::Failed(failure),
            SetupError::Skipped { reason, .. } => SharedSetupError::Skipped(reason),
            SetupError::Interrupted => SharedSetupError::Interrupted,
        }
    }
}
