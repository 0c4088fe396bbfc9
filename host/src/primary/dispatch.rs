//! Who gets which work, and when.
//!
//! Enough jobs wait in each worker that it never waits for the pipe between two
//! tests; what waits behind a long test is taken back when another worker has
//! nothing left to do. Hot path: runs after every message.

use super::peer::Home;
use super::shared::SharedPhase;
use super::workers::{Doing, Job, LISTING, TAKE_OVER};
use super::{Goal, Run};
use crate::event::Event;
use crate::plan::{Action, PlannedTask, PlannedTest, PlannedUnit};
use crate::protocol::suites::StepAction;
use crate::protocol::{
    FixtureNumber, LimitOf, MOST_UNREAD, ModuleNumber, Task, TaskNumber, Tasks, ToWorker,
};
use std::time::Duration;

/// Work that a worker should hold, so that it never waits: at least two jobs,
/// and as many as last this long.
const AHEAD: Duration = Duration::from_millis(4);
/// Towards the end it is at least this much: less is not worth the messages.
const AT_THE_END: Duration = Duration::from_micros(500);
const LEAST_AHEAD: usize = 2;
/// As long as it is not known how long tests take.
const AT_FIRST: usize = 64;
const MOST_AHEAD: usize = 256;
const _: () = assert!(MOST_AHEAD < MOST_UNREAD, "room for each result");

impl Run<'_> {
    /// Gives work to whoever has room for it, evenly.
    pub(super) fn dispatch(&mut self) {
        let mut messages: Vec<Vec<ToWorker>> = self.workers.iter().map(|_| Vec::new()).collect();
        let ahead = self.ahead();
        // half empty is soon enough, and saves most of the messages
        let wanting: Vec<bool> = self.workers.iter().map(|s| s.held() <= ahead / 2).collect();
        let kept_free = self.kept_free();
        'filling: for room in 1..=ahead {
            for (number, messages) in messages.iter_mut().enumerate() {
                if self.to_list.is_empty() && self.queue.ready.is_empty() {
                    break 'filling;
                }
                let slot = &self.workers[number];
                if !wanting[number] || slot.held() >= room || slot.is_given_up() {
                    continue;
                }
                let lists = !self.to_list.is_empty();
                if lists && (slot.is_idle() || matches!(self.home, Home::Thread)) {
                    self.give_list(number, messages);
                } else if !(lists && kept_free.contains(&number)) {
                    self.give_task(number, messages);
                }
            }
        }
        for (slot, messages) in self.workers.iter_mut().zip(messages) {
            if let (Some(worker), false) = (&mut slot.worker, messages.is_empty()) {
                // if it is gone its end of the channel says so, and its jobs go to others
                let _ = worker.peer.send(&messages);
            }
        }
        self.take_over();
    }

    /// The workers that get no more tests while there are modules to list: as many as there are
    /// of these, those that are done first.
    fn kept_free(&self) -> Vec<usize> {
        if self.to_list.is_empty() {
            return Vec::new();
        }
        let mut all: Vec<usize> = (0..self.workers.len()).collect();
        all.retain(|number| !self.workers[*number].is_given_up());
        all.sort_by_key(|number| self.workers[*number].held());
        all.truncate(self.to_list.len());
        all
    }

    /// A list is kept for all later runs, so nobody tells it who has run another module's code,
    /// which may have taken it over: such a worker, which has nothing to do, is replaced.
    fn give_list(&mut self, number: usize, messages: &mut Vec<ToWorker>) {
        let Some(module) = self.to_list.pop_front() else {
            return;
        };
        if !matches!(self.home, Home::Thread) && self.has_run_another(number, module) {
            self.retire(number);
        }
        if !self.has_worker(number) {
            return self.to_list.push_front(module);
        }
        let was_idle = self.workers[number].is_idle();
        let timeout = self.settings.timeout.max(LISTING);
        let message = ToWorker::List { module, timeout };
        self.hand(number, module, &[Job::List(module)], message, messages);
        if was_idle {
            self.first_job_begins(number);
        }
    }

    /// Gives a worker the task that is next.
    pub(super) fn give_task(&mut self, number: usize, messages: &mut Vec<ToWorker>) {
        if self.queue.ready.is_empty() || !self.has_worker(number) {
            return;
        }
        let was_idle = self.workers[number].is_idle();
        match self.queue.ready.pop_front() {
            None => return,
            Some(PlannedTask::Test(test)) => {
                let module = test.module;
                let fixtures = self.fixtures_of(&test);
                let task = self.task(test, fixtures);
                self.tell_needs(number, &task, messages);
                let job = Job::Test(task.number, None);
                self.hand(number, module, &[job], ToWorker::Run(task), messages);
            }
            Some(PlannedTask::Unit(unit)) => self.give_unit(number, unit, messages),
        }
        if was_idle {
            self.first_job_begins(number);
        }
    }

    /// Whether there is a worker in a slot, which is started if there is none.
    fn has_worker(&mut self, number: usize) -> bool {
        if self.workers[number].worker.is_none() {
            self.start_worker(number);
        }
        self.workers[number].worker.is_some()
    }

    /// A whole suite: its tests, and then what is taken down.
    fn give_unit(&mut self, number: usize, unit: PlannedUnit, messages: &mut Vec<ToWorker>) {
        let name = TaskNumber(self.next_task);
        let limits = unit.tests.iter().map(|test| self.timeout_of(test));
        // as its worker has it: that of the test which may take longest
        let limit = limits.max().unwrap_or(self.settings.timeout);
        let calls = unit.tests.iter().map(|t| t.place.around.calls()).max();
        let limit = limit.saturating_mul(calls.unwrap_or(1));
        let Some(module) = unit.tests.first().map(|t| t.module) else {
            return;
        };
        // they share an instance, and so what that is granted
        let fixtures = self.fixtures_of_all(&unit.tests);
        let mut jobs = Vec::new();
        let mut tasks = Vec::new();
        for test in unit.tests {
            let task = self.task(test, fixtures.clone());
            self.tell_needs(number, &task, messages);
            jobs.push(Job::Test(task.number, Some(name)));
            tasks.push(task);
        }
        self.units.insert(name, (module, unit.suite));
        jobs.push(Job::Teardown(name, limit));
        self.hand(number, module, &jobs, ToWorker::Unit(tasks), messages);
    }

    fn hand(
        &mut self,
        number: usize,
        module: ModuleNumber,
        jobs: &[Job],
        message: ToWorker,
        messages: &mut Vec<ToWorker>,
    ) {
        let Some(worker) = &mut self.workers[number].worker else {
            return;
        };
        if worker.told.insert(module) {
            messages.push(ToWorker::Module(self.modules[module.0].spec.clone()));
        }
        if jobs.iter().any(|job| matches!(job, Job::List(_))) {
            worker.peer.may_list(true);
        }
        push(messages, message);
        worker.jobs.extend(jobs);
    }

    /// Has the workers that were started load the only module while its tests are planned.
    pub(super) fn tell_early(&mut self, module: ModuleNumber) {
        if self.goal != Goal::Run || self.modules.len() != 1 {
            return;
        }
        for slot in &mut self.workers {
            if let Some(worker) = &mut slot.worker
                && worker.told.insert(module)
            {
                let spec = self.modules[module.0].spec.clone();
                // one that is gone says so itself
                let _ = worker.peer.send(&[ToWorker::Module(spec)]);
            }
        }
    }

    /// Values, grants and states go to a worker once, before the first test that needs them.
    fn tell_needs(&mut self, number: usize, task: &Task, messages: &mut Vec<ToWorker>) {
        let state = task.snapshot.and_then(|of| self.tell_snapshot(of.number));
        let Some(worker) = &mut self.workers[number].worker else {
            return;
        };
        for step in task.steps() {
            if let StepAction::Receive(value) = step.action
                && let SharedPhase::Ready(Some(bytes)) = &self.shared[value.0].phase
                && worker.values.insert(value)
            {
                messages.push(ToWorker::Value(value, bytes.clone()));
            }
        }
        for fixture in &task.fixtures {
            if worker.told_fixtures.insert(*fixture)
                && let Some(grant) = self.host_fixtures.grant(*fixture)
            {
                messages.push(ToWorker::Fixture(grant.clone()));
            }
        }
        if let (Some(of), Some(state)) = (task.snapshot, state)
            && worker.told_snapshots.insert(of.number)
        {
            messages.push(state);
        }
    }

    /// A test as a worker is told of it; from now on it is given.
    fn task(&mut self, mut test: PlannedTest, fixtures: Vec<FixtureNumber>) -> Task {
        let snapshot = self.snapshot_of(&test, &fixtures);
        let number = TaskNumber(self.next_task);
        self.next_task += 1;
        let listed = &test.listed;
        let task = Task {
            number,
            module: test.module,
            path: test.info.id.path.to_string(),
            harness: listed.harness,
            export: listed.export.clone(),
            ignored: test.action == Action::Run { ignored: true },
            data: listed.data.clone(),
            expect: listed.expect(),
            timeout: self.timeout_of(&test),
            limit_of: self.limit_of(&test),
            max_memory: listed.max_memory,
            fixtures,
            snapshot,
            around: match test.place.around.is_empty() && test.place.unit.is_none() {
                true => None,
                false => Some(Box::new(test.place.around.clone())),
            },
        };
        test.compiler = Some(self.modules[test.module.0].spec.compiler);
        self.given.insert(number, test);
        task
    }

    /// How long a test may run: as it says itself, but not beyond what the user allows.
    pub(super) fn timeout_of(&self, test: &PlannedTest) -> Duration {
        let own = test.listed.timeout.unwrap_or(self.settings.timeout);
        own.min(self.settings.max_timeout)
    }

    /// Who set that limit.
    pub(super) fn limit_of(&self, test: &PlannedTest) -> LimitOf {
        match test.listed.timeout {
            Some(own) if own <= self.settings.max_timeout => LimitOf::Test,
            _ => self.settings.limit_of,
        }
    }

    /// How many jobs a worker should hold. Towards the end that is less and less, so that no worker
    /// has much left when the others have nothing (guided self-scheduling, Polychronopoulos and
    /// Kuck 1987).
    fn ahead(&self) -> usize {
        let (total, count) = self.pace;
        let share = self.queue.ready.len() / (2 * self.workers.len());
        let Some(each) = total.checked_div(count) else {
            return share.clamp(LEAST_AHEAD, AT_FIRST);
        };
        let lasting = |time: Duration| {
            let number = time.as_nanos() / each.as_nanos().max(1);
            usize::try_from(number).map_or(MOST_AHEAD, |n| n.clamp(LEAST_AHEAD, MOST_AHEAD))
        };
        share.clamp(lasting(AT_THE_END), lasting(AHEAD))
    }

    pub(super) fn first_job_begins(&mut self, number: usize) {
        let Some(worker) = &mut self.workers[number].worker else {
            return;
        };
        worker.begins(Doing::Jobs);
        // at an interrupt a worker begins nothing more: what follows comes back
        if worker.ready
            && self.interrupted_at.is_none()
            && let Some(Job::Test(task, _)) = worker.jobs.front()
            && let Some(test) = self.given.get_mut(task)
            && !std::mem::replace(&mut test.announced, true)
        {
            let info = test.info.clone();
            self.ledger.emit(&Event::Started(info));
        }
    }

    /// Whoever has nothing to do takes over what waits behind somebody's long test.
    fn take_over(&mut self) {
        if !self.queue.ready.is_empty() || !self.someone_is_idle() {
            return;
        }
        let longest = self
            .workers
            .iter_mut()
            .filter_map(|s| s.worker.as_mut())
            .filter(|w| w.revocable() > 0 && !w.revoking && w.since.elapsed() >= TAKE_OVER)
            .max_by_key(|w| w.revocable());
        if let Some(worker) = longest {
            let half = worker.revocable().div_ceil(2);
            worker.revoke(half.max(1));
        }
    }

    pub(super) fn someone_is_idle(&self) -> bool {
        self.workers.iter().any(|s| s.is_idle() && !s.is_given_up())
    }

    /// Takes back everything that has not begun.
    pub(super) fn revoke_all(&mut self) {
        for worker in self.workers.iter_mut().filter_map(|s| s.worker.as_mut()) {
            if worker.revocable() > 0 {
                worker.revoke(usize::MAX);
            }
        }
    }

    pub(super) fn take_back(&mut self, number: usize, task: TaskNumber) -> Option<PlannedTest> {
        let worker = self.workers[number].worker.as_mut()?;
        let at = worker.jobs.iter().position(|j| j.task() == Some(task))?;
        let job = worker.jobs.remove(at);
        // nothing of the unit is left: there is nothing to take down either
        if let Some(Job::Test(_, Some(unit))) = job
            && !worker.began.contains(&unit)
            && !worker
                .jobs
                .iter()
                .any(|j| matches!(j, Job::Test(_, u) if *u == Some(unit)))
        {
            worker
                .jobs
                .retain(|j| !matches!(j, Job::Teardown(u, _) if *u == unit));
        }
        self.given.remove(&task)
    }
}

/// Adds a message, or what is new in it to the one before.
fn push(messages: &mut Vec<ToWorker>, message: ToWorker) {
    let message = match (messages.last_mut(), message) {
        (Some(ToWorker::Runs(tasks)), ToWorker::Run(task)) => match tasks.push(task) {
            None => return,
            Some(task) => ToWorker::Runs(Box::new(Tasks::of(task))),
        },
        (_, ToWorker::Run(task)) => ToWorker::Runs(Box::new(Tasks::of(task))),
        (_, other) => other,
    };
    messages.push(message);
}
