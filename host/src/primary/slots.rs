//! The workers: started, given work, replaced, stopped.
//!
//! Each slot holds at most one worker and the jobs that it was given, in order:
//! the first is the one that runs. Enough jobs wait there that a worker never
//! waits for the pipe between two tests; what waits behind a long test is taken
//! back when another worker has nothing left to do.

use super::peer::{Home, Peer, Role};
use super::{Happened, Run, SLOW, TICK};
use crate::event::{Cause, Event, Outcome, Ran, TestEnd};
use crate::module::verdict;
use crate::plan::{Action, PlannedTest};
use crate::protocol::{
    AfterFailure, Done, FromWorker, LoadError, ModuleNumber, Task, TaskNumber, ToWorker,
};
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Work that a worker should hold, so that it never waits: at least two jobs,
/// and as many as last this long.
const AHEAD: Duration = Duration::from_millis(4);
const MOST_AHEAD: u32 = 64;
/// Listing is not one test: it may take this long even where tests may not.
const LISTING: Duration = Duration::from_secs(10);
/// What a worker is given beyond a test's limit to stop it by itself.
const GRACE: Duration = Duration::from_secs(2);
/// When an idle worker may take over what waits behind another's test.
const TAKE_OVER: Duration = Duration::from_millis(3);
/// Workers that die before they are ready, in a row, until a slot is given up.
const MAX_FALSE_STARTS: u32 = 3;

/// A place for a worker.
#[derive(Default)]
pub(super) struct Slot {
    /// Raised with every worker: what an earlier one still says is ignored.
    life: u64,
    worker: Option<Worker>,
    false_starts: u32,
}

struct Worker {
    peer: Peer,
    told: HashSet<ModuleNumber>,
    jobs: VecDeque<Job>,
    ready: bool,
    /// When the first job began, as far as is known.
    since: Instant,
    slow_said: bool,
    revoking: bool,
    killed: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    List(ModuleNumber),
    Test(TaskNumber),
}

impl Slot {
    /// Whether its worker, if any, has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.held() == 0
    }

    fn held(&self) -> usize {
        self.worker.as_ref().map_or(0, |w| w.jobs.len())
    }

    fn is_given_up(&self) -> bool {
        self.false_starts >= MAX_FALSE_STARTS
    }

    /// Its worker has to be told of this module anew.
    pub(super) fn forget(&mut self, module: ModuleNumber) {
        if let Some(worker) = &mut self.worker {
            worker.told.remove(&module);
        }
    }

    /// Asks its worker to end.
    pub(super) fn close(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.peer.close();
        }
    }
}

impl Run<'_> {
    /// Starts a worker in a slot.
    pub(super) fn start_worker(&mut self, number: usize) {
        let slot = &mut self.slots[number];
        slot.life += 1;
        let (life, tx) = (slot.life, self.tx.clone());
        let started = Peer::start::<FromWorker>(Role::Worker, self.home, move |message| {
            let _ = tx.send(match message {
                Some(message) => Happened::Worker(number, life, message),
                None => Happened::WorkerEnded(number, life),
            });
        });
        match started {
            Ok(mut peer) => {
                // a worker that died already is noticed by its end of the channel
                let _ = peer.send(&[ToWorker::Setup(self.setup.clone())]);
                slot.worker = Some(Worker {
                    peer,
                    told: HashSet::new(),
                    jobs: VecDeque::new(),
                    ready: false,
                    since: Instant::now(),
                    slow_said: false,
                    revoking: false,
                    killed: None,
                });
            }
            Err(e) => {
                slot.false_starts = MAX_FALSE_STARTS;
                if self.slots.iter().all(Slot::is_given_up) {
                    self.fatal = Some(anyhow::anyhow!("no worker process can be started: {e}"));
                }
            }
        }
    }

    /// Gives work to whoever has room for it, evenly.
    pub(super) fn dispatch(&mut self) {
        let mut messages: Vec<Vec<ToWorker>> = self.slots.iter().map(|_| Vec::new()).collect();
        'filling: for room in 1..=self.ahead() {
            for (number, messages) in messages.iter_mut().enumerate() {
                if self.to_list.is_empty() && self.queue.is_empty() {
                    break 'filling;
                }
                if self.slots[number].held() >= room || self.slots[number].is_given_up() {
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
            let Some(module) = self.module_of(&test) else {
                return;
            };
            let task = TaskNumber(self.next_task);
            self.next_task += 1;
            let message = ToWorker::Run(Task {
                number: task,
                module,
                path: test.info.id.path.to_string(),
                ignored: test.action == Action::Run { ignored: true },
                timeout: self.settings.timeout,
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

    /// How many jobs a worker should hold.
    fn ahead(&self) -> usize {
        let (total, count) = self.pace;
        match total.checked_div(count) {
            None => 4,
            Some(each) => (AHEAD.as_nanos() / each.as_nanos().max(1))
                .clamp(2, u128::from(MOST_AHEAD)) as usize,
        }
    }

    fn first_job_begins(&mut self, number: usize) {
        let Some(worker) = &mut self.slots[number].worker else {
            return;
        };
        worker.since = Instant::now();
        worker.slow_said = false;
        if worker.ready
            && let Some(Job::Test(task)) = worker.jobs.front()
            && let Some(test) = self.given.get_mut(task)
            && !std::mem::replace(&mut test.announced, true)
        {
            let info = test.info.clone();
            self.ledger.say(&Event::Started(info));
        }
    }

    /// A worker has something to say.
    pub(super) fn heard(&mut self, number: usize, life: u64, message: FromWorker) {
        let slot = &mut self.slots[number];
        let Some(worker) = slot.worker.as_mut().filter(|_| slot.life == life) else {
            return;
        };
        match message {
            FromWorker::Ready => {
                worker.ready = true;
                slot.false_starts = 0;
                self.first_job_begins(number);
            }
            FromWorker::SetupFailed(why) => {
                self.fatal = Some(anyhow::anyhow!("workers cannot be set up: {why}"));
            }
            FromWorker::Listed { module, tests } => {
                if worker.jobs.front() != Some(&Job::List(module)) {
                    return self.unexpected(number, "a listing that nobody asked for");
                }
                worker.jobs.pop_front();
                if !self.stopping {
                    self.listing_came(module, tests);
                }
                self.first_job_begins(number);
            }
            FromWorker::Done(done) => {
                if worker.jobs.front() != Some(&Job::Test(done.task)) {
                    return self.unexpected(number, "a result that nobody asked for");
                }
                worker.jobs.pop_front();
                let gives_back = self.setup.after_failure == AfterFailure::GiveBack
                    && !done.outcome.as_ref().is_ok_and(Outcome::is_good);
                self.done(number, *done);
                if !gives_back {
                    self.first_job_begins(number);
                }
            }
            FromWorker::Revoked(tasks) => {
                worker.revoking = false;
                for task in tasks {
                    if let Some(test) = self.take_back(number, task) {
                        self.queue_again(test);
                    }
                }
            }
        }
    }

    /// A worker that says what makes no sense is not to be trusted with anything else.
    fn unexpected(&mut self, number: usize, what: &str) {
        self.ledger
            .internal_error(format!("worker {} sent {what}", number + 1));
        if let Some(worker) = &mut self.slots[number].worker {
            worker.peer.kill();
        }
    }

    fn done(&mut self, number: usize, done: Done) {
        let Some(test) = self.given.remove(&done.task) else {
            return self.unexpected(number, "a result that nobody asked for");
        };
        let outcome = match done.outcome {
            Ok(outcome) => outcome,
            Err(error) => return self.not_loadable(test, error),
        };
        self.pace.0 += done.duration;
        self.pace.1 += 1;
        self.kept_scratch |= done.scratch.is_some();
        let is_good = outcome.is_good();
        self.ledger.ended(TestEnd {
            test: test.info,
            order: test.order,
            outcome,
            ran: Some(Ran {
                worker: self.worker_number(number),
                start: UNIX_EPOCH + done.start,
                duration: done.duration,
            }),
            stdout: done.stdout,
            stderr: done.stderr,
            scratch: done.scratch.map(|s| s.display().to_string()),
        });
        if !is_good {
            self.check_max_fail();
        }
    }

    fn not_loadable(&mut self, test: PlannedTest, error: LoadError) {
        let Some(module) = self.module_of(&test) else {
            return;
        };
        if let LoadError::Artefact(why) = error {
            self.compile_again(module, why);
            self.queue_again(test);
        } else {
            self.ledger.not_run(1);
            self.module_failed(module, error);
        }
    }

    /// A test that was given to a worker and did not begin there.
    fn queue_again(&mut self, test: PlannedTest) {
        if self.stopping {
            return self.ledger.not_run(1);
        }
        let Some(module) = self.module_of(&test) else {
            return;
        };
        if let Some(test) = self.hold(module, test) {
            self.queue.push_front(test);
        }
    }

    fn take_back(&mut self, number: usize, task: TaskNumber) -> Option<PlannedTest> {
        let worker = self.slots[number].worker.as_mut()?;
        let at = worker.jobs.iter().position(|j| *j == Job::Test(task))?;
        worker.jobs.remove(at);
        self.given.remove(&task)
    }

    fn worker_number(&self, slot: usize) -> usize {
        match self.home {
            Home::Process => slot + 1,
            Home::Thread => 0,
        }
    }

    /// A worker is gone: as it should be, or with a test on its hands.
    pub(super) fn worker_ended(&mut self, number: usize, life: u64) {
        if self.slots[number].life != life {
            return;
        }
        let Some(mut worker) = self.slots[number].worker.take() else {
            return;
        };
        let how = worker.peer.post_mortem();
        let mut jobs = std::mem::take(&mut worker.jobs);
        if worker.ready {
            self.blame(number, &worker, jobs.pop_front(), &how);
        } else {
            let slot = &mut self.slots[number];
            slot.false_starts += 1;
            if self.slots.iter().all(Slot::is_given_up) {
                self.fatal = Some(anyhow::anyhow!(
                    "worker processes die before they are ready: {how}"
                ));
                return;
            }
        }
        for job in jobs.into_iter().rev() {
            match job {
                Job::List(module) => self.to_list.push_front(module),
                Job::Test(task) => {
                    if let Some(test) = self.given.remove(&task) {
                        self.queue_again(test);
                    }
                }
            }
        }
    }

    /// The job that was running when a worker died.
    fn blame(&mut self, number: usize, worker: &Worker, job: Option<Job>, how: &str) {
        match job {
            None => {}
            Some(Job::List(module)) => {
                let cause = match worker.killed {
                    Some(limit) => verdict::stopped_at_limit(limit),
                    None => Cause::new(format!("its worker died while it listed its tests: {how}")),
                };
                self.module_failed(module, LoadError::List(cause, Box::default()));
            }
            Some(Job::Test(task)) => {
                let Some(test) = self.given.remove(&task) else {
                    return;
                };
                let outcome = match worker.killed {
                    Some(limit) => {
                        let mut cause = verdict::stopped_at_limit(limit);
                        cause
                            .message
                            .push_str("; it was blocked in a host call, so its worker was ended");
                        Outcome::TimedOut(cause)
                    }
                    None => Outcome::Crashed(Cause::new(format!("its worker died: {how}"))),
                };
                let ran = Some(self.ran(number, worker.since));
                self.ledger.ended_as(&test, outcome, ran);
                self.check_max_fail();
            }
        }
    }

    fn ran(&self, number: usize, since: Instant) -> Ran {
        let duration = since.elapsed();
        Ran {
            worker: self.worker_number(number),
            start: SystemTime::now() - duration,
            duration,
        }
    }

    /// Ends a slot's worker at once; gives the tests it had, the one that ran with its times.
    pub(super) fn abandon(&mut self, number: usize) -> Vec<(PlannedTest, Option<Ran>)> {
        let slot = &mut self.slots[number];
        slot.life += 1;
        let Some(mut worker) = slot.worker.take() else {
            return Vec::new();
        };
        worker.peer.kill();
        let jobs = std::mem::take(&mut worker.jobs);
        let mut tests = Vec::new();
        for (i, job) in jobs.into_iter().enumerate() {
            if let Job::Test(task) = job
                && let Some(test) = self.given.remove(&task)
            {
                let running = i == 0 && worker.ready;
                tests.push((test, running.then(|| self.ran(number, worker.since))));
            }
        }
        tests
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

    fn someone_is_idle(&self) -> bool {
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
