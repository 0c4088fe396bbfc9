//! The process in which shared fixtures stand: what it is told, what it says, and its end.
//!
//! It is no worker: it runs no test. It is started when the first of them is needed and lives to the end of the run. If it dies,
//! what stood in it is an error by name, and it is started again for what has not begun.

use super::peer::{Peer, Role};
use super::shared::{SharedPhase, not_run};
use super::{Message, Run};
use crate::event::{Cause, SuiteFailure, SuitePart, SuiteStep};
use crate::harness::limit;
use crate::protocol::suites::ValueNumber;
use crate::protocol::{FromWorker, ModuleNumber, ToWorker};
use std::collections::HashSet;
use std::io;
use std::time::{Duration, Instant};

/// What its process is given beyond the limits of its calls.
const GRACE: Duration = Duration::from_secs(2);

/// The process in which they stand.
#[derive(Default)]
pub(super) struct FixtureHost {
    pub(super) peer: Option<Peer>,
    life: u64,
    pub(super) told: HashSet<ModuleNumber>,
    pub(super) values: HashSet<ValueNumber>,
    /// What it is doing, since when, and how long that may take.
    pub(super) busy: Option<(ValueNumber, Instant, Duration)>,
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
    pub(super) fn order(&mut self, messages: &[ToWorker], number: ValueNumber, calls: u32) {
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

    pub(super) fn start_fixture_host(&mut self) -> io::Result<()> {
        let host = &mut self.fixture_host;
        *host = FixtureHost {
            life: host.life + 1,
            ..FixtureHost::default()
        };
        let (life, tx) = (host.life, self.tx.clone());
        let started =
            Peer::start::<FromWorker>(Role::FixtureHost, self.home, None, move |messages| {
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
}
