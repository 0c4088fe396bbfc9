//! What takes too long: limits, notices, and when to look again.

use super::slots::{Job, LISTING, TAKE_OVER, Worker, blocked_too_long};
use super::{Run, SLOW, TICK};
use crate::event::{Event, Outcome};
use crate::protocol::{Stop, ToWorker};
use std::time::{Duration, Instant};

/// What a worker is given beyond a test's limit to stop it by itself.
const GRACE: Duration = Duration::from_millis(250);
/// How often a worker is asked to give up a test that should have ended.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A worker that has not answered for so long is ended by force.
const LAST_GRACE: Duration = Duration::from_secs(5);
/// What is in flight at an interrupt has so long to be accounted for.
const AT_INTERRUPT: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// When the loop has to look at the clock again, if nothing happens before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let busy = self
            .slots
            .iter()
            .filter_map(|s| s.worker.as_ref())
            .filter(|w| !w.jobs.is_empty());
        let mut wake: Option<Instant> = None;
        let mut at = |when: Instant| wake = Some(wake.map_or(when, |w| w.min(when)));
        let idle = self.queue.is_empty() && self.someone_is_idle();
        for worker in busy {
            match worker.asked {
                _ if worker.killed.is_some() => {}
                Some((_, last)) => at(last + ASK_AGAIN),
                None => at(worker.since + self.limit(worker) + GRACE),
            }
            if !worker.slow_said {
                at(worker.since + SLOW);
            }
            if idle && worker.jobs.len() > 1 && !worker.revoking {
                at(worker.since.max(Instant::now()) + TAKE_OVER);
            }
        }
        if self.settings.progress {
            at(Instant::now() + TICK);
        }
        if let Some(interrupted) = self.interrupted_at {
            at(interrupted + AT_INTERRUPT);
        }
        wake
    }

    fn limit(&self, worker: &Worker) -> Duration {
        match worker.jobs.front() {
            // at most three calls
            Some(Job::List(_)) => self.settings.timeout.max(LISTING) * 3,
            Some(Job::Test(task)) => match self.given.get(task) {
                Some(test) => self.timeout_of(test),
                None => self.settings.timeout,
            },
            None => self.settings.timeout,
        }
    }

    /// Deals with what takes too long.
    pub(super) fn look_at_clocks(&mut self) {
        for number in 0..self.slots.len() {
            let Some(worker) = &self.slots[number].worker else {
                continue;
            };
            let Some(job) = worker.jobs.front().copied() else {
                continue;
            };
            let (elapsed, limit) = (worker.since.elapsed(), self.limit(worker));
            let slow = elapsed > SLOW && !worker.slow_said;
            if elapsed > limit + GRACE && worker.killed.is_none() {
                self.too_late(number, job, limit);
            } else if slow {
                let Some(worker) = &mut self.slots[number].worker else {
                    continue;
                };
                worker.slow_said = true;
                if let Job::Test(task) = job
                    && let Some(test) = self.given.get(&task)
                {
                    let slow = Event::Slow {
                        test: test.info.clone(),
                        elapsed,
                    };
                    self.ledger.say(&slow);
                }
            }
        }
        if let Some(at) = self.interrupted_at
            && at.elapsed() > AT_INTERRUPT
        {
            self.abandon_all();
        }
        if self.settings.progress {
            self.ledger.say(&Event::Tick);
        }
    }

    /// A job should have ended: its worker is asked to give it up, then ended by force.
    fn too_late(&mut self, number: usize, job: Job, limit: Duration) {
        let now = Instant::now();
        let Some(worker) = &mut self.slots[number].worker else {
            return;
        };
        let (first, last) = worker.asked.unwrap_or((now, now));
        let Job::Test(task) = job else {
            // a list is asked for again by nobody
            worker.killed = Some(limit);
            return worker.peer.kill();
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
            let why = Stop::Limit;
            // one that is gone says so itself
            let _ = worker.peer.send(&[ToWorker::Stop { task, why }]);
        }
    }

    /// A thread that does not answer cannot be ended: it is left to itself.
    fn leave_thread(&mut self, number: usize) {
        for (test, ran) in self.abandon(number) {
            match ran {
                Some(ran) => {
                    let limit = self.timeout_of(&test);
                    let outcome = test.given_up(blocked_too_long(limit));
                    self.ledger.ended_as(&test, outcome, Some(ran));
                }
                None => self.queue_again(test),
            }
        }
    }

    /// Asks every worker to account for the test that it runs, once the run is interrupted.
    pub(super) fn ask_all(&mut self) {
        for number in 0..self.slots.len() {
            let Some(worker) = &mut self.slots[number].worker else {
                continue;
            };
            match worker.jobs.front() {
                Some(Job::Test(task)) if worker.ready => {
                    let (task, why) = (*task, Stop::Interrupt);
                    let _ = worker.peer.send(&[ToWorker::Stop { task, why }]);
                }
                _ => self.abandon_one(number),
            }
        }
    }

    /// Ends everything at once, accounted for or not.
    pub(super) fn abandon_all(&mut self) {
        for number in 0..self.slots.len() {
            self.abandon_one(number);
        }
    }

    fn abandon_one(&mut self, number: usize) {
        for (test, ran) in self.abandon(number) {
            match ran {
                Some(ran) => self.ledger.ended_as(&test, Outcome::Interrupted, Some(ran)),
                None => self.ledger.not_run(1),
            }
        }
        for module in std::mem::take(&mut self.to_list) {
            let name = self.modules[module.0].spec.name.clone();
            self.ledger
                .note(format!("interrupted while {name} listed its tests"));
        }
    }
}
