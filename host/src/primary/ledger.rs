//! What has come of the run so far: every event passes through here, is counted and reported.

use crate::event::{
    Cause, Event, HostFixtureError, Interrupt, LeftOut, ModuleError, NotBuilt, Outcome, Progress,
    Ran, Summary, TestEnd, TestId, TestOutput,
};
use crate::plan::PlannedTest;
use crate::report::Reporter;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Counts and reports.
pub struct Ledger<'a> {
    reporter: &'a mut dyn Reporter,
    summary: Summary,
    began: Instant,
    has_results: bool,
    /// Tests planned so far, skipped ones included.
    pub planned: usize,
    /// The tests of each host fixture, and whether one of them did not pass.
    fixtures: Vec<(HashSet<TestId>, bool)>,
}

impl<'a> Ledger<'a> {
    /// An empty ledger.
    pub fn new(reporter: &'a mut dyn Reporter, processes: usize) -> Self {
        Ledger {
            reporter,
            summary: Summary {
                processes,
                ..Summary::default()
            },
            began: Instant::now(),
            has_results: false,
            planned: 0,
            fixtures: Vec::new(),
        }
    }

    /// Watches over a test that is bound to this host fixture, by its number.
    pub fn watch(&mut self, fixture: usize, test: &TestId) {
        if self.fixtures.len() <= fixture {
            self.fixtures.resize_with(fixture + 1, Default::default);
        }
        self.fixtures[fixture].0.insert(test.clone());
    }

    /// Whether a test that is bound to this host fixture ran and did not pass.
    pub fn is_implicated(&self, fixture: usize) -> bool {
        self.fixtures.get(fixture).is_some_and(|(_, is)| *is)
    }

    /// When the run began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether anything has come of the run.
    pub fn has_results(&self) -> bool {
        self.has_results
    }

    /// Reports what is no result.
    pub fn emit(&mut self, event: &Event) {
        self.reporter.event(event);
    }

    /// Reports a note.
    pub fn note(&mut self, note: impl Into<String>) {
        self.emit(&Event::Note(note.into()));
    }

    /// Records how a test ended.
    pub fn ended(&mut self, end: TestEnd) {
        self.has_results = true;
        self.summary.count(&end.outcome);
        if !end.outcome.is_good() && end.ran.is_some() {
            for (tests, implicated) in &mut self.fixtures {
                *implicated = *implicated || tests.contains(&end.test.id);
            }
        }
        self.emit(&Event::Ended(Box::new(end)));
    }

    /// Whether the run was interrupted.
    pub fn interrupt(&self) -> Option<Interrupt> {
        self.summary.interrupt
    }

    /// Records a test that ended without a worker's account of it.
    pub fn ended_as(&mut self, test: &PlannedTest, outcome: Outcome, ran: Option<Ran>) {
        self.ended(end_as(test, outcome, ran));
    }

    /// Records tests that will not be begun, for this reason.
    pub fn never_begun(&mut self, tests: &[PlannedTest], reason: &str) {
        for test in tests {
            let reason = reason.to_owned();
            let end = end_as(test, Outcome::NotRun { reason }, None);
            self.summary.count(&end.outcome);
            self.emit(&Event::NeverBegun(Box::new(end)));
        }
    }

    /// Records tests that the filters left out.
    pub fn filtered_out(&mut self, count: usize) {
        self.summary.filtered_out += count;
    }

    /// Records a target that did not build.
    pub fn not_built(&mut self, target: NotBuilt) {
        self.summary.not_built += 1;
        if target.missed {
            self.summary.missed += 1;
        }
        self.emit(&Event::NotBuilt(target));
    }

    /// Records a dependency that was left out: no verdict rests on it.
    pub fn left_out(&mut self, dependency: LeftOut) {
        self.progress(Progress::left_out(&dependency));
    }

    /// Records a module that could not be run.
    pub fn module_failed(&mut self, error: ModuleError) {
        self.has_results = true;
        self.summary.errors += 1;
        self.summary.modules_failed += 1;
        self.emit(&Event::ModuleFailed(Box::new(error)));
    }

    /// Records a suite or fixture that could not be set up or taken down.
    pub fn suite_failed(&mut self, error: ModuleError) {
        self.summary.errors += 1;
        self.summary.fixtures_failed += 1;
        self.emit(&Event::SuiteFailed(Box::new(error)));
    }

    /// Tells how the run gets on.
    pub fn progress(&mut self, progress: Progress) {
        self.emit(&Event::Progress(progress));
    }

    /// Records a host fixture that failed its tests.
    pub fn fixture_failed(&mut self, error: HostFixtureError) {
        self.summary.errors += 1;
        self.summary.fixtures_failed += 1;
        self.emit(&Event::FixtureFailed(Box::new(error)));
    }

    /// Records a fault of the runner's own: it is never counted as anything but an error.
    pub fn internal_error(&mut self, why: String) {
        self.module_failed(ModuleError {
            module: Arc::from("wasmtest"),
            file: None,
            order: usize::MAX,
            what: "had an internal error",
            cause: Cause::new(why).hint("please report this"),
            output: TestOutput::default(),
        });
    }

    /// Records that the run was interrupted.
    pub fn interrupted(&mut self, interrupt: Interrupt) {
        self.summary.interrupt = Some(interrupt);
    }

    /// How many tests and modules did not pass so far.
    pub fn bad(&self) -> u64 {
        (self.summary.failures + self.summary.errors + self.summary.timeouts) as u64
    }

    /// Tests left out by the filters so far.
    pub fn filtered(&self) -> usize {
        self.summary.filtered_out
    }

    /// Ends the run.
    pub fn finish(mut self) -> Summary {
        self.summary.elapsed = self.began.elapsed();
        let summary = self.summary.clone();
        self.emit(&Event::Finished(summary));
        self.summary
    }
}

/// The end of a test of which no more is known than this.
pub(super) fn end_as(test: &PlannedTest, outcome: Outcome, ran: Option<Ran>) -> TestEnd {
    TestEnd {
        test: test.info.clone(),
        order: test.order,
        outcome,
        ran,
        output: TestOutput::default(),
    }
}

/// A time since the Unix epoch; one that the system has no word for is the epoch.
pub(super) fn since_epoch(time: Duration) -> SystemTime {
    UNIX_EPOCH.checked_add(time).unwrap_or(UNIX_EPOCH)
}
