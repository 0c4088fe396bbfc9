//! What is to be dispatched: now, when a shared fixture is there, or alone at the end.

use super::Run;
use super::host_fixtures::Readiness;
use super::shared::SharedPhase;
use crate::event::Outcome;
use crate::plan::{PlannedTask, PlannedTest, PlannedUnit};
use crate::protocol::{FixtureNumber, ModuleNumber};
use std::collections::VecDeque;

/// Tasks that no worker has been given.
#[derive(Default)]
pub(super) struct Queue {
    /// For whoever has room.
    pub(super) ready: VecDeque<PlannedTask>,
    /// For one worker at a time, once nothing else is left.
    pub(super) serial: VecDeque<PlannedTask>,
    /// Until what they need is there.
    pub(super) blocked: Vec<PlannedTask>,
}

impl Queue {
    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.serial.is_empty() && self.blocked.is_empty()
    }

    /// Everything that is left.
    pub(super) fn iter(&self) -> impl Iterator<Item = &PlannedTask> {
        let queues = self.ready.iter().chain(&self.serial);
        queues.chain(&self.blocked)
    }

    /// Takes out everything for which this holds.
    pub(super) fn extract(&mut self, which: impl Fn(&PlannedTask) -> bool) -> Vec<PlannedTask> {
        let mut out = Vec::new();
        for queue in [&mut self.ready, &mut self.serial] {
            for task in std::mem::take(queue) {
                match which(&task) {
                    true => out.push(task),
                    false => queue.push_back(task),
                }
            }
        }
        out.extend(self.blocked.extract_if(.., |task| which(task)));
        out
    }
}

impl Run<'_> {
    /// A task is to be run: as soon as it can be.
    pub(super) fn enqueue(&mut self, task: PlannedTask) {
        let fixtures = self.fixtures_of_all(task.tests());
        self.want_fixtures(&fixtures);
        if let Some(outcome) = self.is_hopeless(&task, &fixtures) {
            for test in task.into_tests() {
                self.ledger.ended_as(&test, outcome.clone(), None);
            }
        } else if self.is_blocked(&task, &fixtures) {
            self.queue.blocked.push(task);
        } else if task.is_serial() {
            self.queue.serial.push_back(task);
        } else {
            self.queue.ready.push_back(task);
        }
    }

    /// How its tests end if something that they need will never be there.
    fn is_hopeless(&self, task: &PlannedTask, fixtures: &[FixtureNumber]) -> Option<Outcome> {
        let mut needed = task.tests().iter().flat_map(|t| &t.place.shared);
        let gone = needed.find_map(|n| match &self.shared[n.0].phase {
            SharedPhase::Gone(outcome) => Some(outcome.clone()),
            _ => None,
        });
        if gone.is_some() {
            return gone;
        }
        match self.host_fixtures.verdict(fixtures) {
            Readiness::Never(reason) => Some(Outcome::NotRun { reason }),
            Readiness::Now | Readiness::Later => None,
        }
    }

    /// The host fixtures that any of these tests needs.
    pub(super) fn fixtures_of_all(&self, tests: &[PlannedTest]) -> Vec<FixtureNumber> {
        let mut fixtures: Vec<FixtureNumber> = Vec::new();
        for number in tests.iter().flat_map(|t| self.fixtures_of(t)) {
            if !fixtures.contains(&number) {
                fixtures.push(number);
            }
        }
        fixtures
    }

    fn is_blocked(&self, task: &PlannedTask, fixtures: &[FixtureNumber]) -> bool {
        let mut needed = task.tests().iter().flat_map(|t| &t.place.shared);
        needed.any(|n| !matches!(self.shared[n.0].phase, SharedPhase::Ready(_)))
            || matches!(self.host_fixtures.verdict(fixtures), Readiness::Later)
            || self.awaits_better(task)
    }

    /// Lets go on what waited for something that is there now.
    pub(super) fn unblock(&mut self) {
        for task in std::mem::take(&mut self.queue.blocked) {
            self.enqueue(task);
        }
    }

    /// Once everything parallel has drained, the serial ones follow, one at a time.
    pub(super) fn next_serial(&mut self) {
        let drained = self.queue.ready.is_empty()
            && self.queue.blocked.is_empty()
            && self.to_list.is_empty()
            && self.modules.iter().all(super::pipeline::Module::is_settled)
            && self.workers.iter().all(super::workers::WorkerSlot::is_idle);
        if drained && let Some(task) = self.queue.serial.pop_front() {
            self.queue.ready.push_front(task);
        }
    }

    /// Where tests that did not begin belong now; those of a unit stay together.
    pub(super) fn queue_again(&mut self, tests: Vec<PlannedTest>) {
        let mut tasks: Vec<PlannedTask> = Vec::new();
        for test in tests {
            let Some(suite) = test.place.unit.clone() else {
                tasks.push(PlannedTask::Test(test));
                continue;
            };
            match tasks.last_mut() {
                Some(PlannedTask::Unit(unit))
                    if unit.suite == suite && unit.tests[0].module == test.module =>
                {
                    unit.tests.push(test);
                }
                _ => tasks.push(PlannedTask::Unit(PlannedUnit {
                    suite,
                    tests: vec![test],
                })),
            }
        }
        // the first of them is to be the first again
        for task in tasks.into_iter().rev() {
            if self.stopping {
                for test in task.into_tests() {
                    // one that was said to have started is accounted for by name
                    match test.announced && self.interrupted_at.is_some() {
                        true => self.ledger.ended_as(&test, self.cut_short(), None),
                        false => self.never_begun(&[test]),
                    }
                }
                continue;
            }
            let Some(module) = task.module() else {
                continue;
            };
            let Some(task) = self.hold(module, task) else {
                continue;
            };
            let fixtures = self.fixtures_of_all(task.tests());
            match self.is_hopeless(&task, &fixtures) {
                Some(_) => self.enqueue(task),
                None => self.queue.ready.push_front(task),
            }
        }
    }

    /// Everything that waits for this module.
    pub(super) fn take_waiting(&mut self, module: ModuleNumber) -> Vec<PlannedTask> {
        self.queue.extract(|task| task.module() == Some(module))
    }

    /// Nothing that waits is run any more.
    pub(super) fn drop_waiting(&mut self) {
        for task in self.queue.extract(|_| true) {
            self.never_begun(task.tests());
        }
    }
}
