//! One host fixture of a run: what it was given, what it is worth to tests, what is told of it.

use super::group::FixtureGroup;
use crate::config::fixture::{self, Fixture, ReadyWhen};
use crate::event::{Captured, Cause, HostFixtureEnd};
use crate::grant::{Access, DirGrant};
use crate::guardian::{Ended, FromGuardian, Why};
use crate::primary::child::died;
use crate::primary::peer::Peer;
use crate::protocol::{FixtureGrant, FixtureNumber};
use crate::settings::CAPTURE;
use crate::text::{duration, shell_quote};
use serde_json::{Map, Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

/// How long what a fixture prints may be as JSON, in bytes: it becomes variables.
const LONGEST_VALUE: usize = 16 << 20;
/// How long the system's words on a start or a connection may be, in bytes.
const LONGEST_WORDS: usize = 64 << 10;

/// A host fixture of a run.
pub(in crate::primary) struct HostFixture {
    pub(super) config: Fixture,
    pub(super) name: Arc<str>,
    pub(super) state: HostFixtureState,
    pub(super) guardian: Option<Peer>,
    pub(super) began: Instant,
    /// Its command as it is run, for people.
    pub(super) command: String,
    /// The process group, once it runs.
    pub(super) group: Option<FixtureGroup>,
    /// Whether it has told of that.
    pub(super) started: bool,
    /// What its guardian should not have said, if it did: nothing more of it is heard.
    pub(super) lied: Option<&'static str>,
    pub(super) given: Assigned,
    /// What it implies for a test, once it is ready.
    pub(super) grant: Option<FixtureGrant>,
    pub(super) value: Option<Value>,
    /// How it ended, once it has.
    pub(super) end: Option<HostFixtureEnd>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostFixtureState {
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
pub(super) struct Assigned {
    pub(super) port: Option<u16>,
    pub(super) folder: Option<String>,
}

impl HostFixture {
    /// One that no test has needed yet.
    pub(super) fn new(config: Fixture) -> HostFixture {
        HostFixture {
            name: config.name.as_str().into(),
            config,
            state: HostFixtureState::Idle,
            guardian: None,
            began: Instant::now(),
            command: String::new(),
            group: None,
            started: false,
            lied: None,
            given: Assigned::default(),
            grant: None,
            value: None,
            end: None,
        }
    }

    /// What it is to tests: its port, address and folder and what it has printed;
    /// none until it is ready.
    pub(in crate::primary) fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    fn address(&self) -> Option<SocketAddr> {
        let port = self.given.port?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Whether its guardian may say this now: started, ready and ended, each once and in this
    /// order, and no more than it was to keep.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn admit(&self, message: &FromGuardian) -> Result<(), &'static str> {
        let has_room =
            |captured: &Captured| captured.head.len() <= CAPTURE && captured.tail.len() <= CAPTURE;
        match message {
            FromGuardian::Started(_) if self.started => Err("word of its start a second time"),
            // the number is looked into by whoever uses it
            FromGuardian::Started(_) => Ok(()),
            FromGuardian::Ready(_) if !self.started || self.grant.is_some() => {
                Err("that it is ready when it cannot be")
            }
            FromGuardian::Ready(printed) => {
                let size = serde_json::to_vec(printed).map_or(usize::MAX, |json| json.len());
                match size <= LONGEST_VALUE {
                    true => Ok(()),
                    false => Err("more values than there is room for"),
                }
            }
            FromGuardian::Ended(ended) => {
                let Ended {
                    why,
                    stdout,
                    stderr,
                } = &**ended;
                let words = match why {
                    Why::CannotStart(text) | Why::TooLate(Some(text)) => text.len(),
                    Why::ByItself(_) | Why::TooLate(None) | Why::Stopped(_) => 0,
                };
                match has_room(stdout) && has_room(stderr) && words <= LONGEST_WORDS {
                    true => Ok(()),
                    false => Err("more output than is kept"),
                }
            }
        }
    }

    /// What it is worth, from what it has printed and what it was given.
    pub(super) fn became_ready(&mut self, number: FixtureNumber, printed: Map<String, Value>) {
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
        let mut env = variables(&prefix, &value);
        let value = Value::Object(value);
        env.push((self.config.variable(), value.to_string()));
        self.grant = Some(FixtureGrant {
            number,
            env,
            dir,
            addr: self.address(),
        });
        self.value = Some(value);
        self.state = HostFixtureState::Ready;
    }

    /// Ends what a guardian that is gone has left.
    pub(super) fn end_orphans(&mut self) {
        if let Some(group) = self.group.take() {
            group.kill();
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

impl HostFixture {
    /// What is told of its end, should that be a failure.
    pub(super) fn cause(&self, why: &Why) -> Cause {
        let command = &self.command;
        let folder = self.config.dir.display();
        let was_ready = self.state == HostFixtureState::Ready;
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
                    ReadyWhen::Started => "it did not start".to_owned(),
                    ReadyWhen::Line(part) => format!("it wrote no line that contains {part:?}"),
                    ReadyWhen::Port => {
                        format!("its port took no connection{}", last.unwrap_or_default())
                    }
                    ReadyWhen::Http(path) => format!(
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
pub(super) fn shown(command: &[String]) -> String {
    const LONGEST: usize = 80;
    let word = |word: &String| {
        let line = word.trim_start().lines().next().unwrap_or_default();
        let cut: String = line.chars().take(LONGEST).collect();
        match cut.len() == word.len() {
            true => shell_quote(word),
            false => shell_quote(&format!("{}…", cut.trim_end())),
        }
    };
    let words: Vec<String> = command.iter().map(word).collect();
    words.join(" ")
}

/// A text with its placeholders filled in.
pub(super) fn fill(text: &str, given: &Assigned) -> String {
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
        let given = Assigned {
            port: Some(80),
            folder: Some("/f".into()),
        };
        assert_eq!(
            fill("--at={port}:{folder}/x{port}", &given),
            "--at=80:/f/x80"
        );
        assert_eq!(fill("{port}", &Assigned::default()), "{port}");
    }
}
