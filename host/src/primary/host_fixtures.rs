//! Host fixtures: which tests need which, what state each is in, what follows from it.
//!
//! A fixture is started, by a guardian of its own, once a test is to run that is
//! bound to it; until it is ready such tests wait here while others run. If it
//! cannot be set up, or ends too soon, its tests are not run and say why. All
//! fixtures are ended after the last test.

use super::peer::{Home, Peer, Role, died};
use super::{Happened, Run};
use crate::config::fixture::{self, Fixture, Readiness, Wanted};
use crate::event::{
    Captured, Cause, Event, FixtureEnd, FixtureError, FixtureStep, Interrupt, Outcome, quoted,
};
use crate::guardian::{Ended, Force, FromGuardian, Spec, ToGuardian, Why};
use crate::plan::PlannedTest;
use crate::protocol::{Access, DirGrant, FixtureGrant, FixtureNumber};
use crate::report::text::duration;
use crate::settings::{CAPTURE, Verbosity};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// All host fixtures of a run.
#[derive(Default)]
pub(super) struct HostFixtures {
    all: Vec<HostFixture>,
    /// Tests that wait for one of them.
    waiting: Vec<PlannedTest>,
    /// Ports that were given to one of them.
    ports: HashSet<u16>,
    /// How they are ended.
    force: Option<Force>,
}

/// A host fixture of a run.
pub(super) struct HostFixture {
    config: Fixture,
    name: Arc<str>,
    state: State,
    guardian: Option<Peer>,
    began: Instant,
    /// Its command as it is run, for people.
    command: String,
    /// The process group, once it runs.
    group: Option<i32>,
    given: Given,
    /// What it implies for a test, once it is ready.
    grant: Option<FixtureGrant>,
    value: Option<Value>,
    /// How it ended, once it has.
    end: Option<FixtureEnd>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// No test has needed it.
    Idle,
    Starting,
    Ready,
    /// It is of no use to a test, for this reason.
    Unusable(String),
    /// It was told to end.
    Stopping,
}

/// What the primary gives to a fixture.
#[derive(Clone, Debug, Default)]
struct Given {
    port: Option<u16>,
    folder: Option<String>,
}

/// Whether a test can run as far as its fixtures are concerned.
enum Verdict {
    Now,
    Later,
    Never(String),
}

impl HostFixture {
    /// What it is to tests: its port, address and folder and what it has printed;
    /// none until it is ready.
    #[expect(dead_code, reason = "for values that tests ask for by name")]
    pub(super) fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    fn address(&self) -> Option<SocketAddr> {
        let port = self.given.port?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// What it is worth, from what it has printed and what it was given.
    fn became_ready(&mut self, number: FixtureNumber, printed: Map<String, Value>) {
        let mut value = printed;
        if let Some(address) = self.address() {
            value.insert("port".into(), json!(address.port()));
            value.insert("addr".into(), json!(address.to_string()));
        }
        if let Some(folder) = &self.given.folder {
            value.insert("folder".into(), json!(folder));
        }
        let prefix = self.config.prefix();
        let dir = self.given.folder.as_ref().map(|folder| DirGrant {
            host: folder.into(),
            guest: vec![folder.clone()],
            access: Access::ReadWrite,
        });
        self.grant = Some(FixtureGrant {
            number,
            env: variables(&prefix, &value),
            dir,
            addr: self.address(),
        });
        self.value = Some(Value::Object(value));
        self.state = State::Ready;
    }

    /// Ends what a guardian that is gone has left.
    fn end_orphans(&mut self) {
        if let Some(group) = self.group.take() {
            // SAFETY: kill has no preconditions; the group is this fixture's.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }
}

/// A fixture's value as variables: texts as they are, all else as JSON.
fn variables(prefix: &str, value: &Map<String, Value>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (key, value) in value {
        let plain = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        };
        let name: String = prefix.chars().chain(key.chars().map(plain)).collect();
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        // no variable can hold it
        if text.contains('\0') {
            continue;
        }
        // of two keys that differ in nothing but signs, the later: what was given comes last
        all.retain(|(n, _)| *n != name);
        all.push((name, text));
    }
    all
}

impl HostFixtures {
    /// Those of a configuration.
    pub(super) fn new(fixtures: Vec<Fixture>) -> Self {
        let of = |config: Fixture| HostFixture {
            name: config.name.as_str().into(),
            config,
            state: State::Idle,
            guardian: None,
            began: Instant::now(),
            command: String::new(),
            group: None,
            given: Given::default(),
            grant: None,
            value: None,
            end: None,
        };
        HostFixtures {
            all: fixtures.into_iter().map(of).collect(),
            ..HostFixtures::default()
        }
    }

    /// A fixture by its name.
    #[expect(dead_code, reason = "for values that tests ask for by name")]
    pub(super) fn by_name(&self, name: &str) -> Option<&HostFixture> {
        self.all.iter().find(|f| &*f.name == name)
    }

    /// Those that a test is bound to. Hot path: nothing, where there are none.
    pub(super) fn of(&self, test: &PlannedTest) -> Vec<FixtureNumber> {
        let bound = |(_, f): &(usize, &HostFixture)| f.config.tests.means(&test.info.id);
        let all = self.all.iter().enumerate();
        all.filter(bound).map(|(i, _)| FixtureNumber(i)).collect()
    }

    /// What a fixture implies for a test; none until it is ready.
    pub(super) fn grant(&self, number: FixtureNumber) -> Option<&FixtureGrant> {
        self.all.get(number.0)?.grant.as_ref()
    }

    /// Why a test cannot run any more, if it cannot.
    pub(super) fn why_not(&self, test: &PlannedTest) -> Option<String> {
        match self.verdict(&self.of(test)) {
            Verdict::Never(reason) => Some(reason),
            Verdict::Now | Verdict::Later => None,
        }
    }

    fn verdict(&self, numbers: &[FixtureNumber]) -> Verdict {
        let mut verdict = Verdict::Now;
        for number in numbers {
            match &self.all[number.0].state {
                State::Ready => {}
                State::Unusable(reason) => return Verdict::Never(reason.clone()),
                State::Idle | State::Starting | State::Stopping => verdict = Verdict::Later,
            }
        }
        verdict
    }

    /// Whether no test waits for one of them.
    pub(super) fn nobody_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Forgets the tests that wait and are meant; says how many.
    pub(super) fn forget_waiting(&mut self, meant: impl Fn(&PlannedTest) -> bool) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|test| !meant(test));
        before - self.waiting.len()
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
    /// A test is to run, as soon as the fixtures that it is bound to are ready.
    pub(super) fn queue_when_ready(&mut self, test: PlannedTest) {
        let bound = self.host_fixtures.of(&test);
        for number in &bound {
            if self.host_fixtures.all[number.0].state == State::Idle {
                self.start_fixture(*number);
            }
        }
        match self.host_fixtures.verdict(&bound) {
            Verdict::Now => self.queue.push_back(test),
            Verdict::Later => self.host_fixtures.waiting.push(test),
            Verdict::Never(reason) => self.not_run_because(&test, reason),
        }
    }

    pub(super) fn not_run_because(&mut self, test: &PlannedTest, reason: String) {
        let outcome = Outcome::NotRun { reason };
        self.ledger.ended_as(test, outcome, None);
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
        fixture.state = State::Starting;
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
        let started = Peer::start::<FromGuardian>(Role::Guardian, Home::Process, move |messages| {
            let _ = tx.send(match messages {
                Some(messages) => Happened::Guardian(number, messages),
                None => Happened::GuardianEnded(number),
            });
        });
        let start = ToGuardian::Start(Box::new(spec));
        match started.and_then(|mut peer| peer.send(&[start]).map(|()| peer)) {
            Ok(peer) => {
                fixture.guardian = Some(peer);
                let command = fixture.command.clone();
                self.say_step(number, FixtureStep::Started { command });
            }
            Err(e) => {
                let cause = Cause::new(format!("its guardian process cannot be started: {e}"));
                self.fixture_failed(number, cause);
            }
        }
    }

    /// What a fixture asks the primary for.
    fn give(&mut self, number: FixtureNumber, scratch: &Path) -> Result<Given, String> {
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
        Ok(Given { port, folder })
    }

    /// A guardian has something to say.
    pub(super) fn heard_of_fixture(&mut self, number: FixtureNumber, message: FromGuardian) {
        let fixture = &mut self.host_fixtures.all[number.0];
        match message {
            FromGuardian::Started(group) => fixture.group = Some(group),
            FromGuardian::Ready(printed) => {
                if fixture.state != State::Starting {
                    return;
                }
                fixture.became_ready(number, printed);
                let elapsed = fixture.began.elapsed();
                self.say_step(number, FixtureStep::Ready { elapsed });
                let waiting = std::mem::take(&mut self.host_fixtures.waiting);
                let mut released = Vec::new();
                for test in waiting {
                    match self.host_fixtures.verdict(&self.host_fixtures.of(&test)) {
                        Verdict::Now => released.push(test),
                        _ => self.host_fixtures.waiting.push(test),
                    }
                }
                // each is put before the others: so the first comes last
                for test in released.into_iter().rev() {
                    self.queue_again(test);
                }
            }
            FromGuardian::Ended(ended) => {
                // its guardian has seen to the whole group
                fixture.group = None;
                self.fixture_ended(number, *ended);
            }
        }
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
            fixture.end = Some(FixtureEnd {
                name: fixture.name.clone(),
                how: format!("its guardian process died: {how}"),
                stdout: Captured::default(),
                stderr: Captured::default(),
            });
            let cause = Cause::new(format!("its guardian process died: {how}"));
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
        fixture.end = Some(FixtureEnd {
            name: fixture.name.clone(),
            how,
            stdout: ended.stdout,
            stderr: ended.stderr,
        });
        let cause = fixture.cause(&ended.why);
        let was = fixture.state.clone();
        match was {
            State::Starting => self.fixture_failed(number, cause),
            State::Ready if self.is_needed(number) => self.fixture_failed(number, cause),
            State::Ready => {
                let state = State::Unusable("it has ended".to_owned());
                self.host_fixtures.all[number.0].state = state;
            }
            State::Idle | State::Unusable(_) | State::Stopping => {}
        }
    }

    /// Whether a test that is bound to a fixture runs or may still run.
    fn is_needed(&self, number: FixtureNumber) -> bool {
        let bound = |test: &PlannedTest| self.host_fixtures.of(test).contains(&number);
        let listed = self.modules.iter().all(super::modules::Module::is_listed);
        !self.stopping
            && (!listed
                || self.queue.iter().any(bound)
                || self.given.values().any(bound)
                || self.host_fixtures.waiting.iter().any(bound)
                || self.modules.iter().any(|m| m.held.iter().any(bound)))
    }

    /// A fixture is of no use any more: one error, and its tests are not run.
    fn fixture_failed(&mut self, number: FixtureNumber, cause: Cause) {
        let fixture = &mut self.host_fixtures.all[number.0];
        let (what, then) = match fixture.state {
            State::Ready => ("ended while its tests ran", "ended too soon"),
            State::Unusable(_) | State::Stopping => return,
            State::Idle | State::Starting => ("could not be set up", "could not be set up"),
        };
        fixture.state = State::Unusable(format!("the host fixture `{}` {then}", fixture.name));
        let (stdout, stderr) = match &mut fixture.end {
            // shown here, not once more at the end
            Some(end) => (
                std::mem::take(&mut end.stdout),
                std::mem::take(&mut end.stderr),
            ),
            None => (Captured::default(), Captured::default()),
        };
        let error = FixtureError {
            name: fixture.name.clone(),
            what,
            cause,
            stdout,
            stderr,
        };
        self.ledger.fixture_failed(error);
        let waiting = std::mem::take(&mut self.host_fixtures.waiting);
        for test in waiting {
            match self.host_fixtures.why_not(&test) {
                Some(reason) => self.not_run_because(&test, reason),
                None => self.host_fixtures.waiting.push(test),
            }
        }
        for test in std::mem::take(&mut self.queue) {
            match self.host_fixtures.why_not(&test) {
                Some(reason) => self.not_run_because(&test, reason),
                None => self.queue.push_back(test),
            }
        }
        // what has not begun comes back, and is asked about again
        self.revoke_all();
        self.check_max_fail();
    }

    /// Ends all fixtures, and waits until they have ended. An interrupt hurries it up.
    pub(super) fn end_fixtures(&mut self, rx: &Receiver<Happened>) {
        let force = self.host_fixtures.force.unwrap_or(Force::Terminated);
        self.tell_guardians(force);
        while self.host_fixtures.all.iter().any(|f| f.guardian.is_some()) {
            match rx.recv() {
                Ok(Happened::Guardian(number, messages)) => {
                    for message in messages {
                        self.heard_of_fixture(number, message);
                    }
                }
                Ok(Happened::GuardianEnded(number)) => self.guardian_ended(number),
                Ok(Happened::Signal(interrupt)) => {
                    self.record(interrupt);
                    self.tell_guardians(Force::Killed);
                }
                Ok(_) => {}
                Err(_) => unreachable!("this run holds a sender"),
            }
        }
        for i in 0..self.host_fixtures.all.len() {
            if let Some(end) = self.host_fixtures.all[i].end.take() {
                let how = end.how.clone();
                self.say_step(FixtureNumber(i), FixtureStep::Ended { how });
                let seen =
                    self.settings.verbosity == Verbosity::Verbose || self.ledger.is_implicated(i);
                let silent = end.stdout.is_empty() && end.stderr.is_empty();
                if seen && !silent {
                    self.ledger.say(&Event::FixtureEnded(Box::new(end)));
                }
            }
        }
    }

    fn tell_guardians(&mut self, force: Force) {
        for fixture in &mut self.host_fixtures.all {
            if let Some(guardian) = &mut fixture.guardian {
                if !matches!(fixture.state, State::Unusable(_)) {
                    fixture.state = State::Stopping;
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

    fn say_step(&mut self, number: FixtureNumber, step: FixtureStep) {
        if self.settings.verbosity == Verbosity::Verbose {
            let name = self.host_fixtures.all[number.0].name.clone();
            self.ledger.say(&Event::Fixture { name, step });
        }
    }
}

impl HostFixture {
    /// What is told of its end, should that be a failure.
    fn cause(&self, why: &Why) -> Cause {
        let command = &self.command;
        let folder = self.config.dir.display();
        let was_ready = self.state == State::Ready;
        match why {
            Why::CannotStart(why) => Cause::new(format!("`{command}` cannot be started: {why}"))
                .hint(format!(
                    "it is started in {folder}, and looked for on PATH if its name holds no `/`"
                )),
            Why::ByItself(status) => {
                let how = died(ExitStatus::from_raw(*status));
                let when = if was_ready {
                    ""
                } else {
                    ", before it was ready"
                };
                Cause::new(format!("`{command}` {how}{when}")).hint(format!(
                    "it has to run in the foreground until it gets SIGTERM; started by hand, in {folder}, it may say more"
                ))
            }
            Why::TooLate(last) => {
                let limit = duration(self.config.timeout);
                let last = last.as_ref().map(|l| format!(" (the last time: {l})"));
                let missing = match &self.config.ready {
                    Readiness::Started => "it did not start".to_owned(),
                    Readiness::Line(part) => format!("it wrote no line that contains {part:?}"),
                    Readiness::Port => {
                        format!("its port took no connection{}", last.unwrap_or_default())
                    }
                    Readiness::Http(path) => format!(
                        "its port did not answer GET {path} with a status of 200 to 299{}",
                        last.unwrap_or_default()
                    ),
                };
                Cause::new(format!(
                    "`{command}` was not ready after {limit}: {missing}"
                ))
                .hint("`ready` in its table says what is waited for, `timeout` how long")
            }
            Why::Stopped(_) => Cause::new(format!("`{command}` was ended by somebody else")),
        }
    }
}

/// A command for people: of a script that is an argument, its beginning.
fn shown(command: &[String]) -> String {
    const LONGEST: usize = 80;
    let word = |word: &String| {
        let line = word.trim_start().lines().next().unwrap_or_default();
        let cut: String = line.chars().take(LONGEST).collect();
        match cut.len() == word.len() {
            true => quoted(word),
            false => quoted(&format!("{}…", cut.trim_end())),
        }
    };
    let words: Vec<String> = command.iter().map(word).collect();
    words.join(" ")
}

/// A text with its placeholders filled in.
fn fill(text: &str, given: &Given) -> String {
    let mut text = text.to_owned();
    if let Some(port) = given.port {
        text = text.replace(fixture::PORT, &port.to_string());
    }
    if let Some(folder) = &given.folder {
        text = text.replace(fixture::FOLDER, folder);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_variables() {
        let Value::Object(value) = json!({
            "db-name": "x y", "n": 3, "none": null, "list": [1, "a"], "nul": "\0", "Port": 1, "port": 2
        }) else {
            panic!("an object");
        };
        let variables = variables("WASMTEST_DB_", &value);
        let expected = [
            ("DB_NAME", "x y"),
            ("N", "3"),
            ("LIST", "[1,\"a\"]"),
            ("PORT", "2"),
        ]
        .map(|(k, v)| (format!("WASMTEST_DB_{k}"), v.to_owned()));
        assert_eq!(variables, expected);
    }

    #[test]
    fn a_long_command_is_shown_by_its_beginnings() {
        let command = ["sh", "-c", "\n  set -e\n  x", "a b", ""].map(str::to_owned);
        assert_eq!(shown(&command), "sh -c 'set -e…' 'a b' ''");
    }

    #[test]
    fn placeholders_are_filled_in_where_there_is_something() {
        let given = Given {
            port: Some(80),
            folder: Some("/f".into()),
        };
        assert_eq!(
            fill("--at={port}:{folder}/x{port}", &given),
            "--at=80:/f/x80"
        );
        assert_eq!(fill("{port}", &Given::default()), "{port}");
    }
}
