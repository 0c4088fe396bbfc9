//! Shared fixtures: set up once, in one process beside the workers (`fixture_host`).
//!
//! Each is set up when a test that waits needs it, after what it needs itself. What it gives
//! travels to the tests by way of the primary. After all tasks everything is taken down, in
//! reverse order.

use super::Run;
use super::host_fixtures::Readiness;
use crate::event::{
    Cause, FixtureKind, FixtureName, Outcome, Progress, SetupOutput, SuiteFailure, SuitePart,
    SuiteStep,
};
use crate::plan::{PlannedShared, PlannedTask, PlannedTest, reached};
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    FixtureNumber, LoadError, ModuleNumber, SetUp, SharedSetupError, SharedTask, ToWorker,
};
use serde_bytes::ByteBuf;
use std::collections::HashSet;

/// A shared fixture of the run.
pub(super) struct Shared {
    pub(super) plan: PlannedShared,
    pub(super) module: ModuleNumber,
    pub(super) phase: SharedPhase,
    /// What was written in its instance while it was set up.
    wrote: Vec<SetupOutput>,
}

impl Shared {
    /// The host fixture that it stands for.
    pub(super) fn host_fixture(&self) -> Option<&str> {
        self.plan.host.as_deref()
    }
}

/// How far a shared fixture is.
#[derive(Debug)]
pub(super) enum SharedPhase {
    /// Not begun.
    Waiting,
    /// Being set up.
    SettingUp,
    /// There, with its value as CBOR.
    Ready(Option<Vec<u8>>),
    /// Being taken down.
    TearingDown,
    /// Gone, or never there; its tests end like this.
    Gone(Outcome),
}

impl Run<'_> {
    /// Takes up what a module's plan wants to be shared.
    pub(super) fn add_shared(&mut self, module: ModuleNumber, shared: Vec<PlannedShared>) {
        self.shared.extend(shared.into_iter().map(|plan| Shared {
            plan,
            module,
            phase: SharedPhase::Waiting,
            wrote: Vec::new(),
        }));
    }

    /// Whether any of them still stands.
    pub(super) fn anything_stands(&self) -> bool {
        let stands = |s: &Shared| {
            matches!(
                s.phase,
                SharedPhase::SettingUp | SharedPhase::Ready(_) | SharedPhase::TearingDown
            )
        };
        self.shared.iter().any(stands)
    }

    /// Sets up what can be, or takes down what is left, one at a time.
    pub(super) fn tend_shared(&mut self) {
        while self.fixture_host.busy.is_none() && self.tend_next() {}
    }

    /// Whether there may be more to tend.
    fn tend_next(&mut self) -> bool {
        if self.shared.is_empty() {
            return false;
        }
        if self.no_test_is_left() {
            return self.take_last_down();
        }
        if self.stopping {
            return false;
        }
        let Some(number) = self.next_to_set_up() else {
            return false;
        };
        match self.shared[number.0].plan.host.clone() {
            None => self.set_up(number),
            Some(name) => self.take_from_host(number, &name),
        }
        !matches!(self.shared[number.0].phase, SharedPhase::Waiting)
    }

    /// Whether there was one.
    fn take_last_down(&mut self) -> bool {
        let stands = |s: &&mut Shared| matches!(s.phase, SharedPhase::Ready(_));
        let Some(shared) = self.shared.iter_mut().rev().find(stands) else {
            return false;
        };
        if shared.plan.host.is_some() {
            // ended with the host's own
            shared.phase = SharedPhase::Gone(not_run(&shared.plan.of, "was ended"));
            return true;
        }
        shared.phase = SharedPhase::TearingDown;
        let (number, calls) = (shared.plan.number, shared.plan.around.calls());
        self.order(&[ToWorker::TearDown(number)], number, calls);
        true
    }

    /// The first that can be set up and that a test which waits needs.
    fn next_to_set_up(&self) -> Option<ValueNumber> {
        let can_be = |shared: &&Shared| {
            // one that waits for a host fixture must not keep the others waiting
            let host = shared.host_fixture();
            let host = host.and_then(|name| self.host_fixtures.number_of(name));
            let waits = host.is_some_and(|n| self.host_fixtures.is_setting_up(n));
            let stands = |n: &ValueNumber| matches!(self.shared[n.0].phase, SharedPhase::Ready(_));
            matches!(shared.phase, SharedPhase::Waiting)
                && !waits
                && shared.plan.after.iter().all(stands)
                && self.modules[shared.module.0].is_settled()
        };
        let mut can_be = self.shared.iter().filter(can_be).peekable();
        can_be.peek()?;
        let blocked = self.queue.blocked.iter().flat_map(PlannedTask::tests);
        let needed: HashSet<ValueNumber> = blocked
            .flat_map(|t| t.place.shared.iter().copied())
            .collect();
        let needed: Vec<ValueNumber> = needed.into_iter().collect();
        let after = |number: ValueNumber| self.shared[number.0].plan.after.as_slice();
        let wanted: HashSet<ValueNumber> = reached(&needed, after).into_iter().collect();
        let mut numbers = can_be.map(|s| s.plan.number);
        numbers.find(|number| wanted.contains(number))
    }

    /// One that stands for a host fixture has that one's value.
    fn take_from_host(&mut self, number: ValueNumber, name: &str) {
        let (module, of) = {
            let shared = &self.shared[number.0];
            (shared.module, shared.plan.of.clone())
        };
        let Some(fixture) = self.host_fixtures.number_of(name) else {
            let cause = Cause::new(format!("there is no host fixture `{name}`"))
                .hint(format!("describe it in wasmtest.toml: [fixture.{name}]"));
            let path = self.shared[number.0].plan.path.clone();
            self.suite_failed(
                module,
                SuiteFailure::new(&of, path, SuitePart::Setup, cause),
            );
            self.shared_is_gone(number, not_run(&of, "could not be set up"));
            return self.check_max_fail();
        };
        self.want_fixtures(&[fixture]);
        match self.host_fixtures.verdict(&[fixture]) {
            Readiness::Later => {}
            Readiness::Never(reason) => self.shared_is_gone(number, Outcome::NotRun { reason }),
            Readiness::Now => {
                let value = self.host_fixtures.value(fixture);
                self.shared[number.0].phase = SharedPhase::Ready(value);
                self.unblock();
            }
        }
    }

    /// A module cannot be run: nothing of it is set up any more.
    pub(super) fn forget_shared(&mut self, module: ModuleNumber) {
        for shared in self.shared.iter_mut().filter(|s| s.module == module) {
            if matches!(shared.phase, SharedPhase::Waiting) {
                shared.phase = SharedPhase::Gone(not_run(&shared.plan.of, "was never set up"));
            }
        }
    }

    fn set_up(&mut self, number: ValueNumber) {
        if self.fixture_host.peer.is_none()
            && let Err(e) = self.start_fixture_host()
        {
            let why = format!("no process for shared fixtures can be started: {e}");
            return self.was_set_up(number, Err(self.no_host(number, why)));
        }
        let shared = &mut self.shared[number.0];
        shared.phase = SharedPhase::SettingUp;
        let (module, plan) = (shared.module, shared.plan.clone());
        let mut messages = Vec::new();
        if self.fixture_host.told.insert(module) {
            messages.push(ToWorker::Module(self.modules[module.0].spec.clone()));
        }
        for needed in &plan.after {
            if let SharedPhase::Ready(Some(value)) = &self.shared[needed.0].phase
                && self.fixture_host.values.insert(*needed)
            {
                messages.push(ToWorker::Value(*needed, value.clone()));
            }
        }
        let needed = plan.after.iter();
        let needed = needed.filter_map(|n| self.shared[n.0].host_fixture());
        let fixtures: Vec<FixtureNumber> = needed
            .filter_map(|name| self.host_fixtures.number_of(name))
            .collect();
        for fixture in &fixtures {
            if let Some(grant) = self.host_fixtures.grant(*fixture) {
                messages.push(ToWorker::Fixture(grant.clone()));
            }
        }
        let calls = plan.around.calls();
        messages.push(ToWorker::SetUp(Box::new(SharedTask {
            number,
            module,
            of: plan.of,
            around: plan.around,
            travels: plan.travels,
            timeout: self.settings.timeout,
            limit_of: self.settings.limit_of,
            fixtures,
        })));
        self.order(&messages, number, calls);
    }

    /// A fixture without a process to stand in.
    fn no_host(&self, number: ValueNumber, why: String) -> SharedSetupError {
        let plan = &self.shared[number.0].plan;
        let (of, path) = (&plan.of, plan.path.clone());
        let failure = SuiteFailure::new(of, path, SuitePart::Setup, Cause::new(why));
        SharedSetupError::Failed(Box::new(failure))
    }

    /// What was written while all that is shared and that a test needs was set up.
    pub(super) fn shared_wrote(&self, test: &PlannedTest) -> Vec<SetupOutput> {
        let after = |number: ValueNumber| self.shared[number.0].plan.after.as_slice();
        let mut needed = reached(&test.place.shared, after);
        // each was planned after what it needs
        needed.sort_unstable();
        let wrote = needed.iter().flat_map(|n| &self.shared[n.0].wrote);
        wrote.cloned().collect()
    }

    pub(super) fn was_set_up(
        &mut self,
        number: ValueNumber,
        result: Result<SetUp, SharedSetupError>,
    ) {
        let shared = &self.shared[number.0];
        let (module, of) = (shared.module, shared.plan.of.clone());
        let outcome = match result {
            Ok(SetUp { value, wrote }) => {
                self.shared[number.0].phase = SharedPhase::Ready(value.map(ByteBuf::into_vec));
                self.shared[number.0].wrote = wrote;
                self.say_fixture(number, SuiteStep::SetUp);
                return self.unblock();
            }
            Err(SharedSetupError::Load(LoadError::Artefact(why))) => {
                // made again, and then this is asked for again
                self.shared[number.0].phase = SharedPhase::Waiting;
                self.fixture_host.told.remove(&module);
                return self.compile_again(module, why);
            }
            Err(SharedSetupError::Load(error)) => {
                self.module_failed(module, error);
                not_run(&of, "could not be set up")
            }
            Err(SharedSetupError::Failed(failure)) => {
                self.suite_failed(module, *failure);
                not_run(&of, "could not be set up")
            }
            Err(SharedSetupError::Skipped(reason)) => Outcome::Skipped { reason },
            Err(SharedSetupError::Interrupted) => not_run(&of, "was interrupted"),
        };
        self.shared_is_gone(number, outcome);
        self.check_max_fail();
    }

    /// What needs it is not run.
    pub(super) fn shared_is_gone(&mut self, number: ValueNumber, outcome: Outcome) {
        self.shared[number.0].phase = SharedPhase::Gone(outcome.clone());
        let mut gone = HashSet::from([number]);
        // each was planned after what it needs
        for shared in &mut self.shared[number.0..] {
            if matches!(shared.phase, SharedPhase::Waiting)
                && shared.plan.after.iter().any(|n| gone.contains(n))
            {
                shared.phase = SharedPhase::Gone(outcome.clone());
                gone.insert(shared.plan.number);
            }
        }
        let tasks = self.queue.extract(|task| {
            let mut tests = task.tests().iter();
            tests.any(|t| t.place.shared.iter().any(|n| gone.contains(n)))
        });
        for test in tasks.into_iter().flat_map(PlannedTask::into_tests) {
            self.ledger.ended_as(&test, outcome.clone(), None);
        }
    }

    pub(super) fn say_fixture(&mut self, number: ValueNumber, step: SuiteStep) {
        let shared = &self.shared[number.0];
        let of = self.fixture_name(shared.module, shared.plan.of.clone(), shared.plan.kind());
        self.ledger.progress(Progress::suite(&of, step));
    }

    /// A suite or a fixture of a module's, as events name it.
    pub(super) fn fixture_name(
        &self,
        module: ModuleNumber,
        path: String,
        kind: FixtureKind,
    ) -> FixtureName {
        FixtureName {
            module: self.modules[module.0].spec.name.as_str().into(),
            path,
            kind,
        }
    }
}

pub(super) fn not_run(of: &str, what: &str) -> Outcome {
    Outcome::NotRun {
        reason: format!("`{of}` {what}"),
    }
}
