//! Shared fixtures: set up once, in one process beside the workers.
//!
//! The process is started when the first of them is needed and lives to the end
//! of the run. It is no worker: it runs no test. What it gives travels to the tests by way
//! of the primary. After all tasks everything is taken down, in reverse order; if
//! the process dies, what stood in it is an error by name, and it is started again
//! for what has not begun.

use super::host_fixtures::Readiness;
use super::peer::{Peer, Role};
use super::{Message, Run};
use crate::event::{
    Cause, FixtureKind, FixtureName, Outcome, Progress, SetupOutput, SuiteFailure, SuitePart,
    SuiteStep,
};
use crate::harness::limit;
use crate::plan::{PlannedShared, PlannedTask, PlannedTest, reached};
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    FixtureNumber, FromWorker, LoadError, ModuleNumber, SetUp, SharedSetupError, SharedTask,
    ToWorker,
};
use serde_bytes::ByteBuf;
use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

/// What its process is given beyond the limits of its calls.
const GRACE: Duration = Duration::from_secs(2);

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

/// The process in which they stand.
#[derive(Default)]
pub(super) struct FixtureHost {
    peer: Option<Peer>,
    life: u64,
    told: HashSet<ModuleNumber>,
    values: HashSet<ValueNumber>,
    /// What it is doing, since when, and how long that may take.
    busy: Option<(ValueNumber, Instant, Duration)>,
    /// Whose teardown runs in it, as it has told at an interrupt.
    taking_down: Option<String>,
    killed: bool,
    pub(super) ready: bool,
    /// Whether it is setting up what it is busy with, or taking that down.
    pub(super) sets_up: bool,
    /// Whether it has told what that logs.
    pub(super) logged: bool,
    /// How often it has told whose teardown runs.
    pub(super) told_down: usize,
    /// Whether it was interrupted, and has not said yet that it has nothing to give back.
    pub(super) gives_back: bool,
    /// What it should not have said, if it did, or why it could not be set up: nothing more of
    /// it is heard.
    unheard: Option<String>,
}

impl FixtureHost {
    /// When what it does has taken too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let (_, since, limit) = self.busy.as_ref()?;
        since.checked_add(*limit + GRACE).filter(|_| !self.killed)
    }

    /// Whether what it does has taken longer than one call may.
    pub(super) fn is_late(&self, limit: Duration) -> bool {
        let since = self.busy.as_ref().map(|(_, since, _)| since.elapsed());
        since.is_some_and(|elapsed| elapsed >= limit)
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        self.life += 1;
        self.busy = None;
        if let Some(mut peer) = self.peer.take() {
            peer.kill();
        }
    }
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

    fn order(&mut self, messages: &[ToWorker], number: ValueNumber, calls: u32) {
        let limit = self.settings.timeout.saturating_mul(calls);
        let host = &mut self.fixture_host;
        host.busy = Some((number, Instant::now(), limit));
        host.sets_up = matches!(self.shared[number.0].phase, SharedPhase::SettingUp);
        host.logged = false;
        if let Some(peer) = &mut self.fixture_host.peer {
            // if it is gone its end of the channel says so
            let _ = peer.send(messages);
        }
    }

    /// A fixture without a process to stand in.
    fn no_host(&self, number: ValueNumber, why: String) -> SharedSetupError {
        let plan = &self.shared[number.0].plan;
        let (of, path) = (&plan.of, plan.path.clone());
        let failure = SuiteFailure::new(of, path, SuitePart::Setup, Cause::new(why));
        SharedSetupError::Failed(Box::new(failure))
    }

    fn start_fixture_host(&mut self) -> io::Result<()> {
        let host = &mut self.fixture_host;
        *host = FixtureHost {
            life: host.life + 1,
            ..FixtureHost::default()
        };
        let (life, tx) = (host.life, self.tx.clone());
        let started = Peer::start::<FromWorker>(Role::FixtureHost, self.home, move |messages| {
            let _ = tx.send(match messages {
                Some(messages) => Message::FixtureHost(life, messages),
                None => Message::FixtureHostEnded(life),
            });
        });
        let mut peer = started?;
        // one that is gone already says so by the end of its channel
        let _ = peer.send(&[ToWorker::Setup(self.setup.clone())]);
        host.peer = Some(peer);
        Ok(())
    }

    /// The process has something to say.
    pub(super) fn fixture_host_said(&mut self, life: u64, message: FromWorker) {
        if life != self.fixture_host.life || self.fixture_host.unheard.is_some() {
            return;
        }
        let busy_with = self.fixture_host.busy.as_ref().map(|(n, _, _)| *n);
        if let Err(lie) = self.admit_of_host(busy_with, &message) {
            self.ledger
                .internal_error(format!("the fixture host sent {lie}"));
            return self.hear_no_more(format!("it sent {lie}"));
        }
        match message {
            FromWorker::Ready => self.fixture_host.ready = true,
            FromWorker::Revoked(_) => self.fixture_host.gives_back = false,
            FromWorker::Logged(number, logs) => {
                const SHOWN: usize = 20;
                self.fixture_host.logged = true;
                let shared = &self.shared[number.0];
                let module = &self.modules[shared.module.0].spec.name;
                let of = format!("{module} {}", shared.plan.of);
                for log in logs.iter().take(SHOWN) {
                    self.ledger.note(format!("{of} logs: {log}"));
                }
                if logs.len() > SHOWN {
                    let more = logs.len() - SHOWN;
                    self.ledger.note(format!("{of} logs {more} lines more"));
                }
            }
            // what it calls does not come back
            FromWorker::Stopped(_) => {
                self.fixture_host.killed = true;
                if let Some(peer) = &mut self.fixture_host.peer {
                    peer.kill();
                }
            }
            FromWorker::TakingDown(of, kind) => {
                self.fixture_host.told_down += 1;
                let module = busy_with.map(|n| self.shared[n.0].module);
                self.fixture_host.taking_down = Some(of.clone());
                self.waits_for_teardown(module, of, kind);
            }
            FromWorker::SetupFailed(why) => {
                self.hear_no_more(format!("it could not be set up: {why}"));
            }
            FromWorker::SetUp(number, result) => {
                self.fixture_host.busy = None;
                self.was_set_up(number, *result);
            }
            FromWorker::TornDown(number, failures) => {
                self.fixture_host.busy = None;
                let shared = &mut self.shared[number.0];
                shared.phase = SharedPhase::Gone(not_run(&shared.plan.of, "was taken down"));
                let module = shared.module;
                self.fixture_host.taking_down = None;
                self.say_fixture(number, SuiteStep::TornDown);
                for failure in failures {
                    self.suite_failed(module, failure);
                }
            }
            // never admitted
            _ => {}
        }
    }

    /// The process is of no use any more, for this reason.
    fn hear_no_more(&mut self, why: String) {
        self.fixture_host.unheard = Some(why);
        if let Some(peer) = &mut self.fixture_host.peer {
            peer.kill();
        }
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

    fn was_set_up(&mut self, number: ValueNumber, result: Result<SetUp, SharedSetupError>) {
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
    fn shared_is_gone(&mut self, number: ValueNumber, outcome: Outcome) {
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

    /// The process is gone: with it what stood in it.
    pub(super) fn fixture_host_ended(&mut self, life: u64) {
        if life != self.fixture_host.life {
            return;
        }
        let Some(mut peer) = self.fixture_host.peer.take() else {
            return;
        };
        let mut how = peer.post_mortem();
        if let Some(why) = self.fixture_host.unheard.take() {
            how = why;
        }
        let busy = self.fixture_host.busy.take();
        let killed = std::mem::take(&mut self.fixture_host.killed);
        let lost: Vec<ValueNumber> = self
            .shared
            .iter()
            .filter(|s| {
                matches!(
                    s.phase,
                    SharedPhase::SettingUp | SharedPhase::Ready(_) | SharedPhase::TearingDown
                )
            })
            .filter(|s| s.plan.host.is_none())
            .map(|s| s.plan.number)
            .collect();
        for number in lost {
            let shared = &self.shared[number.0];
            let part = match shared.phase {
                // what stood was set up, and is lost
                SharedPhase::TearingDown | SharedPhase::Ready(_) => SuitePart::Teardown,
                _ => SuitePart::Setup,
            };
            let was_it = busy.as_ref().is_some_and(|(n, _, _)| *n == number);
            let cause = match (&busy, was_it && killed) {
                (Some((_, _, limit)), true) => limit::passed(*limit, Some(self.settings.limit_of)),
                _ => Cause::new(format!("the process in which it stood died: {how}")),
            };
            let (module, of) = (shared.module, shared.plan.of.clone());
            let path = shared.plan.path.clone();
            self.suite_failed(module, SuiteFailure::new(&of, path, part, cause));
            self.shared_is_gone(number, not_run(&of, "is gone: its process died"));
        }
        self.check_max_fail();
    }

    /// What takes too long is ended by force.
    pub(super) fn look_at_fixture_host(&mut self) {
        if self
            .fixture_host
            .due()
            .is_some_and(|due| due <= Instant::now())
        {
            self.fixture_host.killed = true;
            if let Some(peer) = &mut self.fixture_host.peer {
                peer.kill();
            }
        }
    }

    /// Ends the process at once; what stands in it is left standing.
    pub(super) fn abandon_fixture_host(&mut self) {
        self.fixture_host.kill();
        let running = self.fixture_host.taking_down.take();
        for number in 0..self.shared.len() {
            let shared = &mut self.shared[number];
            let how = match &shared.phase {
                SharedPhase::TearingDown => "did not come to its end",
                SharedPhase::Ready(_) => "was not begun",
                SharedPhase::SettingUp => {
                    // nobody is left who could tell of its end
                    shared.phase = SharedPhase::Gone(not_run(&shared.plan.of, "was not set up"));
                    continue;
                }
                SharedPhase::Waiting | SharedPhase::Gone(_) => continue,
            };
            shared.phase = SharedPhase::Gone(not_run(&shared.plan.of, "was left standing"));
            // what a host fixture gave is ended with that
            if !shared.plan.tears_down() || shared.plan.host.is_some() {
                continue;
            }
            let of = match how {
                "was not begun" => None,
                _ => running.clone(),
            };
            let of = of.unwrap_or_else(|| shared.plan.of.clone());
            let name = self.modules[shared.module.0].spec.name.clone();
            self.ledger
                .note(format!("the teardown of `{of}` in {name} {how}"));
        }
    }

    /// The run is interrupted: what is being set up stops.
    pub(super) fn interrupt_fixture_host(&mut self) {
        if let Some(peer) = &mut self.fixture_host.peer {
            self.fixture_host.gives_back = true;
            let _ = peer.send(&[ToWorker::Interrupt]);
        }
    }

    fn say_fixture(&mut self, number: ValueNumber, step: SuiteStep) {
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

fn not_run(of: &str, what: &str) -> Outcome {
    Outcome::NotRun {
        reason: format!("`{of}` {what}"),
    }
}
