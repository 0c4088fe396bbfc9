//! Host fixtures: which tests need which, what state each is in, what follows from it.
//!
//! A fixture is started, by a guardian of its own, once a test is to run that is
//! bound to it; until it is ready such tests wait here while others run. If it
//! cannot be set up, or ends too soon, its tests are not run and say why. All
//! fixtures are ended after the last test.

mod fixture;
mod group;

use super::child::died;
use super::peer::{Home, Peer, Role};
use super::{Message, Run};
use crate::config::fixture::{Fixture, Wanted};
use crate::event::{
    Captured, Cause, Event, HostFixtureEnd, HostFixtureError, HostFixtureStep, Interrupt, Progress,
};
use crate::guardian::{Ended, Force, FromGuardian, Spec, ToGuardian, Why};
use crate::plan::tree::BoundTests;
use crate::plan::{ModulePlan, PlannedTask, PlannedTest, reached};
use crate::protocol::suites::ValueNumber;
use crate::protocol::{FixtureGrant, FixtureNumber};
use crate::settings::{CAPTURE, Verbosity};
use fixture::{Assigned, HostFixture, HostFixtureState, fill, shown};
use group::{FixtureGroup, NoGroup};
use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What a guardian is given to end beyond the time that its fixture has for it.
const LATE: Duration = Duration::from_secs(10);
/// Nobody waits for longer, whatever `stop-timeout` says: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// All host fixtures of a run.
#[derive(Default)]
pub(super) struct HostFixtures {
    all: Vec<HostFixture>,
    /// Ports that were given to one of them.
    ports: HashSet<u16>,
    /// How they are ended.
    force: Option<Force>,
}

/// Whether a test can run as far as its fixtures are concerned.
pub(super) enum Readiness {
    /// It can.
    Now,
    /// Once they are ready.
    Later,
    /// It cannot, for this reason.
    Never(String),
}

impl HostFixtures {
    /// Those of a configuration.
    pub(super) fn new(fixtures: Vec<Fixture>) -> Self {
        HostFixtures {
            all: fixtures.into_iter().map(HostFixture::new).collect(),
            ..HostFixtures::default()
        }
    }

    /// The number of the fixture of this name.
    pub(super) fn number_of(&self, name: &str) -> Option<FixtureNumber> {
        let at = self.all.iter().position(|f| &*f.name == name);
        at.map(FixtureNumber)
    }

    /// What a fixture is to tests that ask for it by name, as CBOR; none until it is ready.
    pub(super) fn value(&self, number: FixtureNumber) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self.all.get(number.0)?.value()?, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Those that `wasmtest.toml` binds a test to. Hot path: nothing, where there are none.
    pub(super) fn of(&self, test: &PlannedTest) -> Vec<FixtureNumber> {
        let bound = |(_, f): &(usize, &HostFixture)| f.config.tests.means(&test.info.id);
        let all = self.all.iter().enumerate();
        all.filter(bound).map(|(i, _)| FixtureNumber(i)).collect()
    }

    /// What a fixture implies for a test; none until it is ready.
    pub(super) fn grant(&self, number: FixtureNumber) -> Option<&FixtureGrant> {
        self.all.get(number.0)?.grant.as_ref()
    }

    /// Whether whoever needs these can run.
    pub(super) fn verdict(&self, numbers: &[FixtureNumber]) -> Readiness {
        let mut verdict = Readiness::Now;
        for number in numbers {
            match &self.all[number.0].state {
                HostFixtureState::Ready => {}
                HostFixtureState::Unusable(reason) => return Readiness::Never(reason.clone()),
                HostFixtureState::Idle
                | HostFixtureState::Starting
                | HostFixtureState::Stopping => verdict = Readiness::Later,
            }
        }
        verdict
    }

    /// Whether it is on its way.
    pub(super) fn is_setting_up(&self, number: FixtureNumber) -> bool {
        let state = self.all.get(number.0).map(|f| &f.state);
        matches!(state, Some(HostFixtureState::Starting))
    }

    /// How long their guardians may take to end them.
    fn patience(&self) -> Duration {
        let longest = self.all.iter().map(|f| f.config.stop_timeout).max();
        let longest = longest.unwrap_or_default().min(LONGEST);
        longest + LATE
    }

    /// They are to be ended at once, when it comes to that.
    pub(super) fn hurry(&mut self) {
        self.force = Some(Force::Killed);
    }

    /// A port of this machine's own address that nobody uses.
    fn free_port(&mut self) -> std::io::Result<u16> {
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            if self.ports.insert(port) {
                return Ok(port);
            }
        }
    }
}

impl Run<'_> {
    /// Those that a test is bound to, or asks for by name.
    pub(super) fn fixtures_of(&self, test: &PlannedTest) -> Vec<FixtureNumber> {
        let mut fixtures = self.host_fixtures.of(test);
        for number in reached(&test.place.shared, |number| {
            &self.shared[number.0].plan.after
        }) {
            let named = self.shared[number.0].host_fixture();
            if let Some(number) = named.and_then(|name| self.host_fixtures.number_of(name))
                && !fixtures.contains(&number)
            {
                fixtures.push(number);
            }
        }
        let module = &self.modules[test.module.0];
        for name in module.host_needs.by(&test.info.id.path) {
            // one that nobody describes has its value from elsewhere, or the test says so
            if let Some(number) = self.host_fixtures.number_of(name)
                && !fixtures.contains(&number)
            {
                fixtures.push(number);
            }
        }
        fixtures
    }

    /// Which tests of a module's plan are bound to which host fixture, and by what.
    pub(super) fn bound_of(&self, plan: &ModulePlan) -> Vec<BoundTests> {
        let mut bound: BTreeMap<String, BoundTests> = BTreeMap::new();
        for test in plan.tasks.iter().flat_map(PlannedTask::tests) {
            let configured = self.host_fixtures.of(test);
            let configured = configured
                .iter()
                .map(|n| &*self.host_fixtures.all[n.0].name);
            let configured: Vec<&str> = configured.collect();
            let shared = |number: ValueNumber| plan.shared.iter().find(|s| s.number == number);
            let after = |number| shared(number).map_or(&[][..], |s| &s.after);
            let of_shared = reached(&test.place.shared, after).into_iter();
            let of_shared = of_shared.filter_map(|number| shared(number)?.host.as_deref());
            let needed = self.modules[test.module.0]
                .host_needs
                .by(&test.info.id.path);
            let mut named: Vec<&str> = Vec::new();
            for name in of_shared.chain(needed.iter().map(String::as_str)) {
                if !configured.contains(&name) && !named.contains(&name) {
                    named.push(name);
                }
            }
            let mut add = |name: &str, list: fn(&mut BoundTests) -> &mut Vec<String>| {
                let bound = bound.entry(name.to_owned()).or_insert_with(|| BoundTests {
                    fixture: name.to_owned(),
                    described: self.host_fixtures.number_of(name).is_some(),
                    by_configuration: Vec::new(),
                    by_name: Vec::new(),
                });
                list(bound).push(test.info.id.path.to_string());
            };
            for name in &configured {
                add(name, |bound| &mut bound.by_configuration);
            }
            for name in named {
                add(name, |bound| &mut bound.by_name);
            }
        }
        bound.into_values().collect()
    }

    /// Starts those of these that no test has needed until now.
    pub(super) fn want_fixtures(&mut self, fixtures: &[FixtureNumber]) {
        for number in fixtures {
            if self.host_fixtures.all[number.0].state == HostFixtureState::Idle && !self.stopping {
                self.start_fixture(*number);
            }
        }
    }

    fn start_fixture(&mut self, number: FixtureNumber) {
        let scratch = self.setup.scratch.clone();
        let given = match self.give(number, &scratch) {
            Ok(given) => given,
            Err(why) => return self.fixture_failed(number, Cause::new(why)),
        };
        let fixture = &mut self.host_fixtures.all[number.0];
        let filled = |text: &String| fill(text, &given);
        let config = &fixture.config;
        let command: Vec<String> = config.command.iter().map(filled).collect();
        fixture.command = shown(&command);
        fixture.began = Instant::now();
        fixture.state = HostFixtureState::Starting;
        let spec = Spec {
            command,
            env: config
                .env
                .iter()
                .map(|(k, v)| (k.clone(), filled(v)))
                .collect(),
            dir: config.dir.clone(),
            ready: config.ready.clone(),
            port: given.port,
            timeout: config.timeout,
            stop_timeout: config.stop_timeout,
            capture: CAPTURE,
        };
        fixture.given = given;
        let tx = self.tx.clone();
        let home = Home::Process(&self.settings.host);
        let started = Peer::start::<FromGuardian>(Role::Guardian, home, None, move |messages| {
            let _ = tx.send(match messages {
                Some(messages) => Message::Guardian(number, messages),
                None => Message::GuardianEnded(number),
            });
        });
        let start = ToGuardian::Start(Box::new(spec));
        match started {
            Ok(mut peer) => {
                // one that died already is noticed by its end of the channel
                let _ = peer.send(&[start]);
                fixture.guardian = Some(peer);
                let command = fixture.command.clone();
                self.say_step(number, HostFixtureStep::Started { command });
            }
            Err(e) => {
                let cause = Cause::new(format!("its guardian process cannot be started: {e}"));
                self.fixture_failed(number, cause);
            }
        }
    }

    /// What a fixture asks the primary for.
    fn give(&mut self, number: FixtureNumber, scratch: &Path) -> Result<Assigned, String> {
        let config = &self.host_fixtures.all[number.0].config;
        let folder = match config.folder {
            Wanted::No => None,
            Wanted::Yes => {
                let scratch = scratch
                    .canonicalize()
                    .unwrap_or_else(|_| scratch.to_owned());
                let path = scratch.join(format!("fixture-{}", config.name));
                std::fs::create_dir(&path)
                    .map_err(|e| format!("its folder {} cannot be made: {e}", path.display()))?;
                let text = path.to_str().map(str::to_owned);
                Some(text.ok_or(
                    "the path of its folder is not Unicode, and so nothing that a test can be told: set TMPDIR to another",
                )?)
            }
        };
        let port = match config.port {
            Wanted::No => None,
            Wanted::Yes => {
                let port = self.host_fixtures.free_port();
                Some(port.map_err(|e| format!("no port is free for it: {e}"))?)
            }
        };
        Ok(Assigned { port, folder })
    }

    /// A guardian has something to say.
    pub(super) fn on_fixture_message(&mut self, number: FixtureNumber, message: FromGuardian) {
        let fixture = &mut self.host_fixtures.all[number.0];
        if fixture.end.is_some() || fixture.lied.is_some() {
            // after its end nothing is worth hearing
            return;
        }
        if let Err(lie) = fixture.admit(&message) {
            return self.guardian_lied(number, lie);
        }
        match message {
            FromGuardian::Started(group) => {
                fixture.started = true;
                let guardian = fixture.guardian.as_ref().and_then(Peer::process);
                match guardian.map(|guardian| FixtureGroup::told(group, guardian)) {
                    Some(Ok(group)) => fixture.group = group,
                    Some(Err(NoGroup)) => {
                        self.guardian_lied(number, "a process group that it has not made");
                    }
                    None => {}
                }
            }
            FromGuardian::Ready(printed) => {
                if fixture.state != HostFixtureState::Starting {
                    // told to end meanwhile
                    return;
                }
                fixture.became_ready(number, printed);
                let elapsed = fixture.began.elapsed();
                self.say_step(number, HostFixtureStep::Ready { elapsed });
                self.unblock();
            }
            FromGuardian::Ended(ended) => {
                // its guardian has seen to the whole group
                fixture.group = None;
                self.fixture_ended(number, *ended);
            }
        }
    }

    /// A guardian that says what it cannot is not to be trusted with anything else.
    fn guardian_lied(&mut self, number: FixtureNumber, lie: &'static str) {
        let fixture = &mut self.host_fixtures.all[number.0];
        fixture.lied = Some(lie);
        if let Some(guardian) = &mut fixture.guardian {
            guardian.kill();
        }
        let name = fixture.name.clone();
        let told = format!("the guardian of the host fixture `{name}` sent {lie}");
        self.ledger.internal_error(told);
    }

    /// A guardian is gone: as it should be, or its fixture was left to itself.
    pub(super) fn guardian_ended(&mut self, number: FixtureNumber) {
        let fixture = &mut self.host_fixtures.all[number.0];
        let Some(mut guardian) = fixture.guardian.take() else {
            return;
        };
        let how = guardian.post_mortem();
        fixture.end_orphans();
        if fixture.end.is_none() {
            let how = match fixture.lied {
                Some(lie) => format!("its guardian process sent {lie}"),
                None => format!("its guardian process died: {how}"),
            };
            fixture.end = Some(HostFixtureEnd {
                name: fixture.name.clone(),
                how: how.clone(),
                stdout: Captured::default(),
                stderr: Captured::default(),
            });
            let cause = Cause::new(how);
            self.fixture_failed(number, cause);
        }
    }

    fn fixture_ended(&mut self, number: FixtureNumber, ended: Ended) {
        let fixture = &mut self.host_fixtures.all[number.0];
        let how = match &ended.why {
            Why::CannotStart(why) => format!("it could not be started: {why}"),
            Why::ByItself(status) => died(ExitStatus::from_raw(*status)),
            Why::TooLate(_) => "it was not ready in time".to_owned(),
            Why::Stopped(Force::Terminated) => "ended when it was told to".to_owned(),
            Why::Stopped(Force::Killed) => "had to be killed".to_owned(),
        };
        fixture.end = Some(HostFixtureEnd {
            name: fixture.name.clone(),
            how,
            stdout: ended.stdout,
            stderr: ended.stderr,
        });
        let cause = fixture.cause(&ended.why);
        let was = fixture.state.clone();
        match was {
            HostFixtureState::Starting => self.fixture_failed(number, cause),
            HostFixtureState::Ready if self.is_needed(number) => self.fixture_failed(number, cause),
            HostFixtureState::Ready => {
                let state = HostFixtureState::Unusable("it has ended".to_owned());
                self.host_fixtures.all[number.0].state = state;
            }
            HostFixtureState::Idle | HostFixtureState::Unusable(_) | HostFixtureState::Stopping => {
            }
        }
    }

    /// Whether a test that is bound to a fixture runs or may still run.
    fn is_needed(&self, number: FixtureNumber) -> bool {
        let bound = |test: &PlannedTest| self.fixtures_of(test).contains(&number);
        let in_task = |task: &PlannedTask| task.tests().iter().any(bound);
        let listed = self.modules.iter().all(super::pipeline::Module::is_listed);
        !self.stopping
            && (!listed
                || self.queue.iter().any(in_task)
                || self.given.values().any(bound)
                || self.modules.iter().any(|m| m.held.iter().any(in_task)))
    }

    /// A fixture is of no use any more: one error, and its tests are not run.
    fn fixture_failed(&mut self, number: FixtureNumber, cause: Cause) {
        let fixture = &mut self.host_fixtures.all[number.0];
        let (what, then) = match fixture.state {
            HostFixtureState::Ready => ("ended while its tests ran", "ended too soon"),
            HostFixtureState::Unusable(_) | HostFixtureState::Stopping => return,
            HostFixtureState::Idle | HostFixtureState::Starting => {
                ("could not be set up", "could not be set up")
            }
        };
        fixture.state =
            HostFixtureState::Unusable(format!("the host fixture `{}` {then}", fixture.name));
        let (stdout, stderr) = match &mut fixture.end {
            // shown here, not once more at the end
            Some(end) => (
                std::mem::take(&mut end.stdout),
                std::mem::take(&mut end.stderr),
            ),
            None => (Captured::default(), Captured::default()),
        };
        let error = HostFixtureError {
            name: fixture.name.clone(),
            what,
            cause,
            stdout,
            stderr,
        };
        self.ledger.fixture_failed(error);
        // what needs it ends here
        for task in self.queue.extract(|_| true) {
            self.enqueue(task);
        }
        // what has not begun comes back, and is asked about again
        self.revoke_all();
        self.check_max_fail();
    }

    /// Ends all fixtures, and waits until they have ended. An interrupt hurries it up.
    pub(super) fn end_fixtures(&mut self, rx: &Receiver<Message>) {
        let force = self.host_fixtures.force.unwrap_or(Force::Terminated);
        self.tell_guardians(force);
        let mut until = Instant::now() + self.host_fixtures.patience();
        while self.host_fixtures.all.iter().any(|f| f.guardian.is_some()) {
            match rx.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Guardian(number, mut messages)) => {
                    for message in messages.take() {
                        self.on_fixture_message(number, message);
                    }
                }
                Ok(Message::GuardianEnded(number)) => self.guardian_ended(number),
                Ok(Message::Signal(interrupt, _)) => {
                    self.record(interrupt);
                    self.tell_guardians(Force::Killed);
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    // its fixture is ended in its place
                    for fixture in &mut self.host_fixtures.all {
                        if let Some(guardian) = &mut fixture.guardian {
                            guardian.kill();
                        }
                    }
                    until = Instant::now() + LATE;
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("this run holds a sender"),
            }
        }
        for i in 0..self.host_fixtures.all.len() {
            if let Some(end) = self.host_fixtures.all[i].end.take() {
                let how = end.how.clone();
                self.say_step(FixtureNumber(i), HostFixtureStep::Ended { how });
                let seen =
                    self.settings.verbosity == Verbosity::Verbose || self.ledger.is_implicated(i);
                let silent = end.stdout.is_empty() && end.stderr.is_empty();
                if seen && !silent {
                    self.ledger.emit(&Event::FixtureEnded(Box::new(end)));
                }
            }
        }
    }

    fn tell_guardians(&mut self, force: Force) {
        for fixture in &mut self.host_fixtures.all {
            if let Some(guardian) = &mut fixture.guardian {
                if !matches!(fixture.state, HostFixtureState::Unusable(_)) {
                    fixture.state = HostFixtureState::Stopping;
                }
                // one that is gone says so by the end of its channel
                let _ = guardian.send(&[match force {
                    Force::Terminated => ToGuardian::Stop,
                    Force::Killed => ToGuardian::Kill,
                }]);
            }
        }
    }

    fn record(&mut self, interrupt: Interrupt) {
        if self.ledger.interrupt().is_none() {
            self.ledger.interrupted(interrupt);
        }
    }

    fn say_step(&mut self, number: FixtureNumber, step: HostFixtureStep) {
        if self.settings.verbosity == Verbosity::Verbose {
            let name = self.host_fixtures.all[number.0].name.clone();
            self.ledger.progress(Progress::host_fixture(&name, &step));
        }
    }
}
