//! What takes too long: limits, notices, and when to look again.

use super::pipeline::ModulePhase;
use super::workers::{Doing, Job, LISTING, TAKE_OVER, Worker};
use super::{Run, SLOW, TICK};
use crate::event::{Cause, Event, Interrupt, Outcome, Progress};
use crate::harness::limit;
use crate::module::cache::KEEPING;
use crate::protocol::suites::StepAction;
use crate::protocol::{LoadError, ModuleNumber, Stop};
use std::time::{Duration, Instant};

/// What a worker is given beyond a test's limit to stop it by itself.
const GRACE: Duration = Duration::from_millis(250);
/// How often a worker is asked to give up a test that should have ended.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A worker that has not answered for so long is ended by force.
const LAST_GRACE: Duration = Duration::from_secs(5);
/// What is in flight at an interrupt has so long to stop by itself ...
const AT_INTERRUPT: Duration = Duration::from_millis(500);
/// ... and to be accounted for, unless something is to be taken down.
const LAST_AT_INTERRUPT: Duration = Duration::from_millis(1500);

impl Run<'_> {
    /// When the loop has to look at the clock again, if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        if self.catching_up.is_some() {
            return self.catching_up;
        }
        let busy = self
            .workers
            .iter()
            .filter_map(|s| s.worker.as_ref())
            .filter(|w| !w.jobs.is_empty());
        let mut wake: Option<Instant> = None;
        let mut at = |when: Instant| wake = Some(wake.map_or(when, |w| w.min(when)));
        let idle = self.queue.ready.is_empty() && self.someone_is_idle();
        for worker in busy {
            match worker.asked {
                _ if worker.killed.is_some() => {}
                Some((_, last)) => at(last + ASK_AGAIN),
                None => at(worker.since + self.limit(worker) + GRACE),
            }
            if !worker.slow_said && worker.doing == Doing::Jobs {
                at(worker.since + SLOW);
            }
            if let Some(due) = worker.read_at {
                at(due);
            }
            if idle && worker.revocable() > 0 && !worker.revoking {
                at(worker.since.max(Instant::now()) + TAKE_OVER);
            }
        }
        if self.settings.progress {
            at(Instant::now() + TICK);
        }
        if let Some(interrupted) = self.interrupted_at {
            if !self.asked_all {
                at(interrupted + AT_INTERRUPT);
            }
            at(interrupted + self.patience());
        }
        if let Some(due) = self.fixture_host.due() {
            at(due);
        }
        if let (None, Some(over)) = (self.interrupted_at, self.out_of_time_at()) {
            at(over);
        }
        if let Some(due) = self.compilers.due() {
            at(due);
        }
        if let Some(due) = self.planned_due() {
            at(due);
        }
        if let Some(due) = self.waited_until() {
            at(due);
        }
        wake
    }

    fn limit(&self, worker: &Worker) -> Duration {
        if worker.doing == Doing::Keeping {
            return KEEPING;
        }
        match worker.jobs.front() {
            // what is asked of libtest, at most
            Some(Job::List(_)) => self.settings.timeout.max(LISTING).saturating_mul(5),
            // each call has the limit to itself
            Some(Job::Test(task, _)) => match self.given.get(task) {
                Some(test) => {
                    let calls = test.place.around.calls();
                    self.timeout_of(test).saturating_mul(calls)
                }
                None => self.settings.timeout,
            },
            Some(Job::Teardown(_, limit)) => *limit,
            None => self.settings.timeout,
        }
    }

    /// Deals with what takes too long.
    pub(super) fn look_at_clocks(&mut self) {
        self.look_for_results();
        self.compilers.end_late(self.settings.compile);
        self.wait_no_longer();
        for number in 0..self.workers.len() {
            let Some(worker) = &self.workers[number].worker else {
                continue;
            };
            let Some(job) = worker.jobs.front().copied() else {
                continue;
            };
            let (elapsed, limit) = (worker.since.elapsed(), self.limit(worker));
            let slow = elapsed > SLOW && !worker.slow_said && worker.doing == Doing::Jobs;
            if elapsed > limit + GRACE && worker.killed.is_none() {
                // never for want of looking
                self.read_results(number);
                let worker = self.workers[number].worker.as_ref();
                if worker.and_then(|worker| worker.jobs.front()) == Some(&job) {
                    self.too_late(number, job, limit);
                }
            } else if slow {
                let Some(worker) = &mut self.workers[number].worker else {
                    continue;
                };
                worker.slow_said = true;
                if let Some(task) = job.task()
                    && let Some(test) = self.given.get(&task)
                {
                    let mut steps = test.place.around.steps.iter();
                    let set_up = steps.any(|s| !s.of_one_test && s.action == StepAction::Run);
                    self.ledger
                        .progress(Progress::slow(&test.info, elapsed, set_up));
                }
            }
        }
        self.look_at_fixture_host();
        if self.interrupted_at.is_none()
            && let Some(over) = self.out_of_time_at()
            && over <= Instant::now()
        {
            self.out_of_time();
        }
        if let Some(at) = self.interrupted_at {
            if at.elapsed() > AT_INTERRUPT && !self.asked_all {
                self.asked_all = true;
                self.ask_all();
            }
            if at.elapsed() > self.patience() {
                self.abandon_all();
            }
        }
        if self.settings.progress {
            self.ledger.emit(&Event::Tick);
        }
    }

    /// A job should have ended: its worker is asked to give it up, then ended by force.
    fn too_late(&mut self, number: usize, job: Job, limit: Duration) {
        let now = Instant::now();
        let Some(worker) = &mut self.workers[number].worker else {
            return;
        };
        let (first, last) = worker.asked.unwrap_or((now, now));
        let task = match job {
            Job::Test(task, _) | Job::Teardown(task, _) => task,
            Job::List(_) => {
                // a list is asked for again by nobody
                worker.killed = Some(limit);
                return worker.peer.kill();
            }
        };
        if first.elapsed() > LAST_GRACE {
            if worker.peer.can_be_killed() {
                worker.killed = Some(limit);
                worker.peer.kill();
            } else {
                self.leave_thread(number);
            }
        } else if worker.asked.is_none() || last.elapsed() >= ASK_AGAIN {
            worker.asked = Some((first, now));
            worker.stop(task, Stop::Limit);
        }
    }

    /// A thread that does not answer cannot be ended: it is left to itself.
    fn leave_thread(&mut self, number: usize) {
        let mut rest = Vec::new();
        for (test, ran) in self.abandon(number) {
            match ran {
                Some(ran) => {
                    let limit = self.timeout_of(&test);
                    let cause = limit::passed_in_the_host(limit, self.limit_of(&test), None);
                    let outcome = test.given_up(cause);
                    self.ledger.ended_as(&test, outcome, Some(ran));
                }
                None => rest.push(test),
            }
        }
        self.queue_again(rest);
    }

    /// When the run has taken as long as it may, if that is limited.
    pub(super) fn out_of_time_at(&self) -> Option<Instant> {
        let limit = self.settings.run_timeout?;
        self.ledger.began().checked_add(limit)
    }

    /// The run has taken as long as it may: it ends as at an interrupt, and says why.
    fn out_of_time(&mut self) {
        self.in_time = None;
        self.interrupt(Interrupt::OutOfTime);
        let why = self.stopped_since.clone().unwrap_or_default();
        for number in 0..self.modules.len() {
            let error = match self.modules[number].phase {
                ModulePhase::Compiling => {
                    LoadError::Module(Cause::new(format!("it was not compiled yet when {why}")))
                }
                ModulePhase::Listing => LoadError::List(Cause::new(why.clone()), Box::default()),
                _ => continue,
            };
            self.module_failed(ModuleNumber(number), error);
        }
    }

    /// How a test ends that was in flight when the run was ended.
    pub(super) fn cut_short(&self) -> Outcome {
        match self.settings.run_timeout {
            Some(limit) if self.ledger.interrupt() == Some(Interrupt::OutOfTime) => {
                Outcome::TimedOut(Cause::new(format!(
                    "it was stopped when {}",
                    limit::of_the_run(limit)
                )))
            }
            _ => Outcome::Interrupted,
        }
    }

    /// Tells every worker that the run is interrupted: guests stop, and what was set
    /// up is taken down.
    pub(super) fn interrupt_all(&mut self) {
        for worker in self.workers.iter_mut().filter_map(|s| s.worker.as_mut()) {
            worker.interrupt();
        }
    }

    /// How long an interrupted run waits: for teardowns, as long as they may take.
    fn patience(&self) -> Duration {
        let mut patience = LAST_AT_INTERRUPT;
        for worker in self.workers.iter().filter_map(|s| s.worker.as_ref()) {
            if self.tears_down(worker) {
                patience = patience.max(self.limit(worker) + GRACE);
            }
        }
        if self.anything_stands() {
            let calls = self.shared.iter().map(|s| s.plan.around.calls()).sum();
            patience = patience.max(self.settings.timeout.saturating_mul(calls) + GRACE);
        }
        patience
    }

    /// Whether what a worker does ends in a teardown.
    fn tears_down(&self, worker: &Worker) -> bool {
        match worker.jobs.front() {
            Some(Job::Teardown(..)) => true,
            Some(Job::Test(task, _)) => self.given.get(task).is_some_and(|test| {
                let mut steps = test.place.around.steps.iter();
                steps.any(|s| s.teardown.is_some())
            }),
            Some(Job::List(_)) | None => false,
        }
    }

    /// Asks every worker that has not stopped by itself to account for what it runs.
    fn ask_all(&mut self) {
        for number in 0..self.workers.len() {
            let Some(worker) = &self.workers[number].worker else {
                continue;
            };
            let tears_down = self.tears_down(worker);
            let Some(worker) = &mut self.workers[number].worker else {
                continue;
            };
            match worker.jobs.front() {
                _ if tears_down => {}
                Some(Job::Test(task, _)) if worker.ready => {
                    let task = *task;
                    worker.stop(task, Stop::Interrupt);
                }
                _ => self.abandon_one(number),
            }
        }
    }

    /// Ends everything at once, accounted for or not.
    pub(super) fn abandon_all(&mut self) {
        for number in 0..self.workers.len() {
            self.abandon_one(number);
        }
        self.abandon_fixture_host();
    }

    fn abandon_one(&mut self, number: usize) {
        for (test, ran) in self.abandon(number) {
            match ran {
                Some(ran) => self.ledger.ended_as(&test, self.cut_short(), Some(ran)),
                None => self.never_begun(&[test]),
            }
        }
    }
}
