//! What becomes of what a worker had when it has given up a test, or died.
//!
//! Each of its tests ends with exactly one verdict: the one that ran is blamed, the others are
//! given to somebody else.

use super::Run;
use super::ledger::{end_as, since_epoch};
use super::workers::{Job, MAX_FALSE_STARTS, Worker, WorkerSlot};
use crate::event::{Cause, Outcome, Ran, SuiteFailure, SuitePart, TestEnd, TestOutput};
use crate::harness::limit;
use crate::plan::{PlannedTask, PlannedTest};
use crate::protocol::suites::without_crate;
use crate::protocol::{Compiler, LoadError, ModuleNumber, Stopped, TaskNumber};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

impl Run<'_> {
    /// A worker has given up the test that it ran, and is of no use any more.
    pub(super) fn stopped(&mut self, number: usize, stopped: Stopped) {
        let limit = match self.given.get(&stopped.task) {
            Some(test) => self.timeout_of(test),
            None => self.settings.timeout,
        };
        let outcome = match self.interrupted_at {
            Some(_) => self.cut_short(),
            None => match self.given.get(&stopped.task) {
                Some(test) => {
                    let (of, call) = (self.limit_of(test), stopped.in_host.as_deref());
                    test.given_up(Cause {
                        frames: stopped.frames,
                        ..limit::passed_in_the_host(limit, of, call)
                    })
                }
                None => return,
            },
        };
        let ran = Ran {
            worker: self.worker_number(number),
            start: since_epoch(stopped.start),
            duration: stopped.duration,
            compiler: self.compiler_of(stopped.task),
        };
        let mut tests = self.abandon(number).into_iter();
        if let Some((test, _)) = tests.next() {
            let mut output = stopped.output;
            output.setups.splice(0..0, self.shared_wrote(&test));
            output.notes = test.left_standing();
            self.ledger.ended(TestEnd {
                test: test.info,
                order: test.order,
                outcome: outcome.clone(),
                ran: Some(ran),
                output,
            });
        }
        self.queue_again(tests.map(|(test, _)| test).collect());
        self.check_max_fail();
    }

    /// Gives a test to a new worker in the place of the one that had it, and what else that had to
    /// whoever is next.
    pub(super) fn ask_another(&mut self, number: usize, test: PlannedTest) {
        if let Some(worker) = &mut self.workers[number].worker
            && let Some(Job::Teardown(unit, _)) = worker.jobs.front().copied()
        {
            // of its unit nothing else is left, and nothing was set up
            worker.jobs.pop_front();
            self.units.remove(&unit);
        }
        let mut tests = vec![test];
        tests.extend(self.abandon(number).into_iter().map(|(test, _)| test));
        self.queue_again(tests);
        let mut messages = Vec::new();
        self.give_task(number, &mut messages);
        if let Some(worker) = &mut self.workers[number].worker {
            // if it is gone its end of the channel says so
            let _ = worker.peer.send(&messages);
        }
    }

    /// A unit whose teardown did not come back.
    pub(super) fn unit_not_torn_down(&mut self, unit: TaskNumber, cause: Cause) {
        let Some((module, suite)) = self.units.remove(&unit) else {
            return;
        };
        let of = without_crate(&suite).to_owned();
        let failure = SuiteFailure::new(of, suite, SuitePart::Teardown, cause);
        self.suite_failed(module, failure);
    }

    /// A worker is gone: as it should be, or with a test on its hands.
    pub(super) fn worker_ended(&mut self, number: usize, life: u64) {
        // one that was retired is waited for now that it has closed its channel
        self.retired.retain(|(n, l, _)| (*n, *l) != (number, life));
        if self.workers[number].life != life {
            return;
        }
        self.read_results(number);
        let Some(mut worker) = self.workers[number].worker.take() else {
            return;
        };
        if let Some(why) = worker.peer.nonsense() {
            let who = self.worker_number(number);
            self.ledger
                .internal_error(format!("worker {who} sent what makes no sense: {why}"));
        }
        let mut how = worker.peer.post_mortem();
        if let Some(lie) = worker.lied {
            how = format!("it sent {lie}");
        }
        let between_tests = worker.died_between_tests();
        let mut jobs = std::mem::take(&mut worker.jobs);
        if worker.ready {
            // at a limit it is the guest's doing
            self.workers[number].deaths += u32::from(worker.killed.is_none());
            if !between_tests {
                self.blame(number, &worker, jobs.pop_front(), &how);
            }
        } else {
            self.workers[number].false_starts += 1;
            if let Some(why) = worker.not_set_up.take() {
                // the next will not be either
                self.workers[number].false_starts = MAX_FALSE_STARTS;
                how = format!("it could not be set up: {why}");
            }
        }
        let mut tests = Vec::new();
        for job in jobs {
            match job {
                Job::List(module) if !self.stopping => self.to_list.push_front(module),
                Job::List(_) => {}
                Job::Test(task, _) => tests.extend(self.given.remove(&task)),
                Job::Teardown(..) => {}
            }
        }
        self.queue_again(tests);
        if self.workers.iter().all(WorkerSlot::is_given_up) {
            let why = match worker.ready {
                true => "worker processes die one after the other, and no test ends",
                false => "worker processes die before they are ready",
            };
            self.no_worker_is_left(format!("{why}: {how}"));
        }
    }

    /// Nobody can run what is left: it is an error by name, and the run ends. Where nothing
    /// is known of any test yet there is nothing to be said but that.
    pub(super) fn no_worker_is_left(&mut self, why: String) {
        if self.ledger.planned == 0 {
            self.fatal = Some(anyhow::Error::msg(why));
            return;
        }
        let mut lost = self.queue.extract(|_| true);
        for module in &mut self.modules {
            lost.append(&mut module.held);
        }
        let cause = Cause::new(format!("it was not run: no worker is left: {why}"));
        for test in lost.into_iter().flat_map(PlannedTask::into_tests) {
            self.ledger
                .ended_as(&test, Outcome::Errored(cause.clone()), None);
        }
        for number in 0..self.modules.len() {
            if !self.modules[number].is_settled() {
                let cause = Cause::new(format!("no worker is left to list its tests: {why}"));
                let error = LoadError::List(cause, Box::default());
                self.module_failed(ModuleNumber(number), error);
            }
        }
        self.stop(format!("no worker is left: {why}"));
    }

    /// The job that was running when a worker died.
    fn blame(&mut self, number: usize, worker: &Worker, job: Option<Job>, how: &str) {
        match job {
            None => {}
            Some(Job::List(module)) => match worker.killed {
                Some(limit) => {
                    let cause = limit::passed(limit, None);
                    self.module_failed(module, LoadError::List(cause, Box::default()));
                }
                None => self.lister_died(module, how),
            },
            Some(Job::Teardown(unit, _)) => {
                let cause = match worker.killed {
                    Some(limit) => limit::passed(limit, Some(self.settings.limit_of)),
                    None => Cause::new(format!("its worker died: {how}")),
                };
                self.unit_not_torn_down(unit, cause);
                self.check_max_fail();
            }
            Some(Job::Test(task, _)) => {
                let Some(test) = self.given.remove(&task) else {
                    return;
                };
                let outcome = match worker.killed {
                    Some(_) => {
                        let (limit, of) = (self.timeout_of(&test), self.limit_of(&test));
                        let mut cause = limit::passed_in_the_host(limit, of, None);
                        cause.message.push_str(&format!(" ({how})"));
                        test.given_up(cause)
                    }
                    None => Outcome::Crashed(Cause::new(format!("its worker died: {how}"))),
                };
                let ran = Some(self.ran(number, &test, worker.since));
                self.ledger.ended(TestEnd {
                    output: TestOutput {
                        setups: self.shared_wrote(&test),
                        ..TestOutput::default()
                    },
                    ..end_as(&test, outcome, ran)
                });
                self.check_max_fail();
            }
        }
    }

    /// A worker has died while it listed, by nobody knows whose fault: of a module that is at fault
    /// the next will, too.
    fn lister_died(&mut self, number: ModuleNumber, how: &str) {
        let module = &mut self.modules[number.0];
        if std::mem::replace(&mut module.listed_again, true) {
            let cause = Cause::new(format!("its worker died while it listed its tests: {how}"));
            return self.module_failed(number, LoadError::List(cause, Box::default()));
        }
        if self.stopping {
            return;
        }
        let of = &module.spec.name;
        let how = how.lines().next().unwrap_or_default();
        let note = format!(
            "the worker that listed the tests of {of} died, and they are listed once more: {how}"
        );
        self.ledger.note(note);
        self.to_list.push_front(number);
    }

    /// What compiled the code of a test that was given to a worker.
    fn compiler_of(&self, task: TaskNumber) -> Option<&'static str> {
        let test = self.given.get(&task)?;
        test.compiler.map(Compiler::name)
    }

    pub(super) fn ran(&self, number: usize, test: &PlannedTest, since: Instant) -> Ran {
        let duration = since.elapsed();
        Ran {
            worker: self.worker_number(number),
            start: SystemTime::now()
                .checked_sub(duration)
                .unwrap_or(UNIX_EPOCH),
            duration,
            compiler: test.compiler.map(Compiler::name),
        }
    }

    /// Ends a slot's worker at once; gives the tests it had, the one that ran with its times.
    pub(super) fn abandon(&mut self, number: usize) -> Vec<(PlannedTest, Option<Ran>)> {
        self.read_results(number);
        let slot = &mut self.workers[number];
        slot.life += 1;
        let Some(mut worker) = slot.worker.take() else {
            return Vec::new();
        };
        worker.peer.kill();
        let jobs = std::mem::take(&mut worker.jobs);
        if let Some(of) = worker.taking_down {
            self.ledger
                .note(format!("the teardown of `{of}` did not come to its end"));
        } else if let Some(Job::Teardown(unit, _)) = jobs.front()
            && let Some((_, suite)) = self.units.get(unit)
        {
            // which one it was is not known
            let of = without_crate(suite);
            self.ledger
                .note(format!("`{of}` was not taken down to its end"));
        }
        for job in &jobs {
            if let Job::Teardown(unit, _) = job {
                self.units.remove(unit);
            }
        }
        let mut tests = Vec::new();
        for (i, job) in jobs.into_iter().enumerate() {
            if let Job::List(module) = job {
                if !self.stopping {
                    self.to_list.push_back(module);
                }
            } else if let Some(task) = job.task()
                && let Some(test) = self.given.remove(&task)
            {
                let running = i == 0 && worker.ready;
                let ran = running.then(|| self.ran(number, &test, worker.since));
                tests.push((test, ran));
            }
        }
        tests
    }
}
