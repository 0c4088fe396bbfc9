//! What takes too long: limits, notices, and when to look again.

use super::slots::{Job, LISTING, TAKE_OVER, Worker};
use super::{Run, SLOW, TICK};
use crate::event::Event;
use std::time::{Duration, Instant};

/// What a worker is given beyond a test's limit to stop it by itself.
const GRACE: Duration = Duration::from_secs(2);

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
            if worker.killed.is_none() && worker.peer.can_be_killed() {
                at(worker.since + self.limit(worker) + GRACE);
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
        wake
    }

    fn limit(&self, worker: &Worker) -> Duration {
        match worker.jobs.front() {
            // at most three calls
            Some(Job::List(_)) => self.settings.timeout.max(LISTING) * 3,
            _ => self.settings.timeout + self.settings.timeout / 10,
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
            let late = elapsed > limit + GRACE && worker.killed.is_none();
            let slow = elapsed > SLOW && !worker.slow_said;
            let Some(worker) = &mut self.slots[number].worker else {
                continue;
            };
            if late && worker.peer.can_be_killed() {
                worker.killed = Some(match job {
                    Job::Test(_) => self.settings.timeout,
                    Job::List(_) => limit,
                });
                worker.peer.kill();
            } else if slow {
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
        if self.settings.progress {
            self.ledger.say(&Event::Tick);
        }
    }
}
