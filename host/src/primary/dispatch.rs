//! Who gets which work, and when.
//!
//! Enough jobs wait in each worker that it never waits for the pipe between two
//! tests; what waits behind a long test is taken back when another worker has
//! nothing left to do. Hot path: runs after every message.

use super::Run;
use super::slots::{Job, LISTING, TAKE_OVER};
use crate::event::Event;
use crate::plan::{Action, PlannedTest};
use crate::protocol::{Expect, Task, TaskNumber, ToWorker};
use std::time::{Duration, Instant};

/// Work that a worker should hold, so that it never waits: at least two jobs,
/// and as many as last this long.
const AHEAD: Duration = Duration::from_millis(4);
const MOST_AHEAD: u32 = 64;

impl Run<'_> {
    /// Gives work to whoever has room for it, evenly.
    pub(super) fn dispatch(&mut self) {
        let mut messages: Vec<Vec<ToWorker>> = self.slots.iter().map(|_| Vec::new()).collect();
        let ahead = self.ahead();
        // half empty is soon enough, and saves most of the messages
        let wanting: Vec<bool> = self.slots.iter().map(|s| s.held() <= ahead / 2).collect();
        'filling: for room in 1..=ahead {
            for (number, messages) in messages.iter_mut().enumerate() {
                if self.to_list.is_empty() && self.queue.is_empty() {
                    break 'filling;
                }
                let slot = &self.slots[number];
                if !wanting[number] || slot.held() >= room || slot.is_given_up() {
                    continue;
                }
                if self.slots[number].worker.is_none() {
                    self.start_worker(number);
                }
                self.give_next(number, messages);
            }
        }
        for (slot, messages) in self.slots.iter_mut().zip(messages) {
            if let (Some(worker), false) = (&mut slot.worker, messages.is_empty()) {
                // if it is gone its end of the channel says so, and its jobs go to others
                let _ = worker.peer.send(&messages);
            }
        }
        self.take_over();
    }

    fn give_next(&mut self, number: usize, messages: &mut Vec<ToWorker>) {
        let Some(worker) = &mut self.slots[number].worker else {
            return;
        };
        let was_idle = worker.jobs.is_empty();
        let (module, message, job) = if let Some(module) = self.to_list.pop_front() {
            let timeout = self.settings.timeout.max(LISTING);
            (
                module,
                ToWorker::List { module, timeout },
                Job::List(module),
            )
        } else {
            let Some(test) = self.queue.pop_front() else {
                return;
            };
            let fixtures = self.host_fixtures.of(&test);
            for number in &fixtures {
                if worker.told_fixtures.insert(*number)
                    && let Some(grant) = self.host_fixtures.grant(*number)
                {
                    messages.push(ToWorker::Fixture(grant.clone()));
                }
            }
            let Some(module) = self.module_of(&test) else {
                return;
            };
            let task = TaskNumber(self.next_task);
            self.next_task += 1;
            let listed = &test.listed;
            let message = ToWorker::Run(Task {
                number: task,
                module,
                path: test.info.id.path.to_string(),
                harness: listed.harness,
                export: listed.export.clone(),
                ignored: test.action == Action::Run { ignored: true },
                expect: match (&listed.should_panic, &listed.todo) {
                    (Some(text), _) => Expect::Panic(text.clone()),
                    (None, Some(reason)) => Expect::Failure(reason.clone()),
                    (None, None) => Expect::Pass,
                },
                timeout: self.timeout_of(&test),
                max_memory: listed.max_memory,
                fixtures,
            });
            self.given.insert(task, test);
            (module, message, Job::Test(task))
        };
        let Some(worker) = &mut self.slots[number].worker else {
            return;
        };
        if worker.told.insert(module) {
            messages.push(ToWorker::Module(self.modules[module.0].spec.clone()));
        }
        messages.push(message);
        worker.jobs.push_back(job);
        if was_idle {
            self.first_job_begins(number);
        }
    }

    /// How long a test may run: its own limit comes before the run's.
    pub(super) fn timeout_of(&self, test: &PlannedTest) -> Duration {
        test.listed.timeout.unwrap_or(self.settings.timeout)
    }

    /// How many jobs a worker should hold.
    fn ahead(&self) -> usize {
        let (total, count) = self.pace;
        match total.checked_div(count) {
            None => 4,
            Some(each) => (AHEAD.as_nanos() / each.as_nanos().max(1))
                .clamp(2, u128::from(MOST_AHEAD)) as usize,
        }
    }

    pub(super) fn first_job_begins(&mut self, number: usize) {
        let Some(worker) = &mut self.slots[number].worker else {
            return;
        };
        worker.since = Instant::now();
        worker.slow_said = false;
        worker.asked = None;
        if worker.ready
            && let Some(Job::Test(task)) = worker.jobs.front()
            && let Some(test) = self.given.get_mut(task)
            && !std::mem::replace(&mut test.announced, true)
        {
            let info = test.info.clone();
            self.ledger.say(&Event::Started(info));
        }
    }

    /// Whoever has nothing to do takes over what waits behind somebody's long test.
    fn take_over(&mut self) {
        if !self.queue.is_empty() || !self.someone_is_idle() {
            return;
        }
        let longest = self
            .slots
            .iter_mut()
            .filter_map(|s| s.worker.as_mut())
            .filter(|w| w.jobs.len() > 1 && !w.revoking && w.since.elapsed() >= TAKE_OVER)
            .max_by_key(|w| w.jobs.len());
        if let Some(worker) = longest {
            worker.revoking = true;
            let half = worker.jobs.len() / 2;
            let _ = worker.peer.send(&[ToWorker::Revoke(half.max(1))]);
        }
    }

    pub(super) fn someone_is_idle(&self) -> bool {
        self.slots.iter().any(|s| s.is_idle() && !s.is_given_up())
    }

    /// Takes back everything that has not begun.
    pub(super) fn revoke_all(&mut self) {
        for worker in self.slots.iter_mut().filter_map(|s| s.worker.as_mut()) {
            if worker.jobs.len() > 1 {
                worker.revoking = true;
                let _ = worker.peer.send(&[ToWorker::Revoke(usize::MAX)]);
            }
        }
    }

    pub(super) fn take_back(&mut self, number: usize, task: TaskNumber) -> Option<PlannedTest> {
        let worker = self.slots[number].worker.as_mut()?;
        let at = worker.jobs.iter().position(|j| *j == Job::Test(task))?;
        worker.jobs.remove(at);
        self.given.remove(&task)
    }
}
