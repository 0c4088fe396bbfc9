//! `[fixture.NAME]`: a host fixture, which is a command that runs beside the tests.

use super::Choice;
use super::span::At;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// How long a fixture has to become ready, unless it says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// How long it has to end after SIGTERM, unless it says otherwise.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The port's placeholder.
pub const PORT: &str = "{port}";
/// The folder's placeholder.
pub const FOLDER: &str = "{folder}";

/// A host fixture, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixture {
    pub name: String,
    /// The program and its arguments, placeholders included.
    pub command: Vec<String>,
    /// Variables beside those that wasmtest itself has, placeholders included.
    pub env: Vec<(String, String)>,
    /// Its working folder, absolute.
    pub dir: PathBuf,
    /// The tests that are bound to it.
    pub tests: Choice,
    /// How it is known to be ready.
    pub ready: ReadyWhen,
    /// How long it has to become ready.
    pub timeout: Duration,
    /// How long it has to end after SIGTERM.
    pub stop_timeout: Duration,
    /// Whether it is given a port.
    pub port: Wanted,
    /// Whether it is given a folder.
    pub folder: Wanted,
}

/// Whether something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Yes,
    /// It is not.
    No,
}

/// How a fixture is known to be ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadyWhen {
    /// As soon as it has started.
    Started,
    /// It has written a line, to stdout or stderr, that contains this.
    Line(String),
    /// Its port takes connections.
    Port,
    /// Its port answers a request for this path with a status of 200 to 299.
    Http(String),
}

impl Fixture {
    /// What the names of its variables in tests begin with: `WASMTEST_SERVER_`.
    pub fn prefix(&self) -> String {
        prefix(&self.name)
    }

    /// The name of the variable that holds all of its value as JSON:
    /// `WASMTEST_FIXTURE_SERVER`.
    pub fn variable(&self) -> String {
        format!("{VALUE_PREFIX}{}", in_variables(&self.name))
    }
}

/// What the names of variables with whole values begin with; the SDK knows it too.
const VALUE_PREFIX: &str = "WASMTEST_FIXTURE_";

fn prefix(name: &str) -> String {
    format!("WASMTEST_{}_", in_variables(name))
}

fn in_variables(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// The table, as it stands in the file.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table that says what a fixture is"
)]
pub(super) struct Written {
    command: Spanned<Vec<String>>,
    #[serde(default)]
    env: BTreeMap<Spanned<String>, Spanned<String>>,
    dir: Option<PathBuf>,
    #[serde(default)]
    tests: Choice,
    ready: Option<Spanned<WrittenReady>>,
    timeout: Option<Period>,
    stop_timeout: Option<Period>,
    #[serde(default)]
    folder: bool,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table: { line = \"a part of a line\" }, { port = true } or { http = \"/path\" }"
)]
struct WrittenReady {
    line: Option<String>,
    port: Option<bool>,
    http: Option<Spanned<String>>,
}

/// All fixtures of a file that lies in this folder.
pub(super) fn all(
    written: BTreeMap<Spanned<String>, Written>,
    folder: &Path,
) -> Result<Vec<Fixture>, At> {
    let mut all: Vec<Fixture> = Vec::new();
    for (name, written) in written {
        let span = name.span();
        let name = name.into_inner();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
            return Err(At::new(span, format!("`{name}` is no name for a fixture"))
                .hint("letters, digits, `-` and `_`, a letter first"));
        }
        if prefix(&name).starts_with(VALUE_PREFIX) {
            let why = format!("a fixture cannot be called `{name}`");
            return Err(At::new(span, why).hint(format!(
                "variables that begin with {VALUE_PREFIX} hold the values of fixtures: call it something else"
            )));
        }
        if let Some(other) = all.iter().find(|f| f.prefix() == prefix(&name)) {
            let why = format!(
                "`{name}` and `{}` would have the same variables, {}…",
                other.name,
                other.prefix()
            );
            return Err(At::new(span, why).hint("call one of them something else"));
        }
        all.push(written.check(name, folder)?);
    }
    Ok(all)
}

impl Written {
    fn check(self, name: String, folder: &Path) -> Result<Fixture, At> {
        let command_span = self.command.span();
        let command = self.command.into_inner();
        if command.first().is_none_or(String::is_empty) {
            return Err(At::new(command_span, "there is no command")
                .hint("a list: the program, then its arguments"));
        }
        if command.iter().any(|word| word.contains('\0')) {
            return Err(At::new(
                command_span,
                "a command cannot hold the character NUL",
            ));
        }
        let mut spans: Vec<(Range<usize>, &String)> =
            command.iter().map(|w| (command_span.clone(), w)).collect();
        for (key, value) in &self.env {
            let bad = |text: &str| text.contains('\0');
            let name = key.get_ref();
            if name.is_empty() || name.contains('=') || bad(name) || bad(value.get_ref()) {
                return Err(At::new(key.span(), format!("`{name}` names no variable")));
            }
            spans.push((value.span(), value.get_ref()));
        }
        if !self.folder
            && let Some((span, _)) = spans.iter().find(|(_, text)| text.contains(FOLDER))
        {
            return Err(At::new(
                span.clone(),
                "`{folder}` stands for a folder that it is not given",
            )
            .hint("folder = true gives it one, which its tests may read and write"));
        }
        let port = match spans.iter().any(|(_, text)| text.contains(PORT)) {
            true => Wanted::Yes,
            false => Wanted::No,
        };
        let ready = match self.ready {
            None if port == Wanted::Yes => ReadyWhen::Port,
            None => ReadyWhen::Started,
            Some(ready) => ready_of(ready, port)?,
        };
        Ok(Fixture {
            name,
            command,
            env: self
                .env
                .into_iter()
                .map(|(k, v)| (k.into_inner(), v.into_inner()))
                .collect(),
            dir: match self.dir {
                Some(dir) => folder.join(dir),
                None => folder.to_owned(),
            },
            tests: self.tests,
            ready,
            timeout: self.timeout.map_or(TIMEOUT, |p| p.0),
            stop_timeout: self.stop_timeout.map_or(STOP_TIMEOUT, |p| p.0),
            port,
            folder: match self.folder {
                true => Wanted::Yes,
                false => Wanted::No,
            },
        })
    }
}

fn ready_of(ready: Spanned<WrittenReady>, port: Wanted) -> Result<ReadyWhen, At> {
    const FORM: &str =
        "one of { line = \"a part of a line\" }, { port = true } and { http = \"/path\" }";
    let span = ready.span();
    let found = match ready.into_inner() {
        WrittenReady {
            line: Some(line),
            port: None,
            http: None,
        } => return Ok(ReadyWhen::Line(line)),
        WrittenReady {
            line: None,
            port: Some(true),
            http: None,
        } => ReadyWhen::Port,
        WrittenReady {
            line: None,
            port: None,
            http: Some(path),
        } => {
            let fits = |c: char| c.is_ascii_graphic();
            if !path.get_ref().starts_with('/') || !path.get_ref().chars().all(fits) {
                let why = format!("`{}` is no path of a server's", path.get_ref());
                return Err(At::new(path.span(), why)
                    .hint("it begins with `/`; anything but ASCII is written as %XX"));
            }
            ReadyWhen::Http(path.into_inner())
        }
        _ => return Err(At::new(span, "it has to say one thing that makes it ready").hint(FORM)),
    };
    match port {
        Wanted::Yes => Ok(found),
        Wanted::No => Err(
            At::new(span, "nothing tells the command which port is its own")
                .hint("`{port}` in its command or env stands for it"),
        ),
    }
}

/// A duration: `"500ms"`, `"10s"`, `"1.5m"`.
struct Period(Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Period, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration as text: \"500ms\", \"10s\" or \"1.5m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
                match period(text) {
                    Some(period) => Ok(Period(period)),
                    None => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        from.deserialize_any(Text)
    }
}

/// As the SDK's attribute reads it: above zero, and no more than a year.
fn period(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let seconds = match &text[digits..] {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        _ => return None,
    };
    let value: f64 = text[..digits].trim().parse().ok()?;
    let seconds = value * seconds;
    (1e-3..=366.0 * 86_400.0)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn everything_that_can_be_said_of_a_fixture() {
        let text = r#"
            [fixture.my-server]
            command = ["python3", "server.py", "--port", "{port}"]
            env = { MODE = "test", DATA = "{folder}" }
            dir = "fixtures"
            tests = ["net::"]
            ready = { http = "/health" }
            timeout = "1.5m"
            stop-timeout = "500ms"
            folder = true
        "#;
        let config = Config::parse(Path::new("/p/wasmtest.toml"), text).expect("valid");
        let [fixture] = config.fixtures.as_slice() else {
            panic!("one fixture: {config:?}");
        };
        assert_eq!(fixture.prefix(), "WASMTEST_MY_SERVER_");
        assert_eq!(fixture.variable(), "WASMTEST_FIXTURE_MY_SERVER");
        assert_eq!(fixture.dir, Path::new("/p/fixtures"));
        assert_eq!(fixture.ready, ReadyWhen::Http("/health".into()));
        assert_eq!(fixture.timeout, Duration::from_secs(90));
        assert_eq!(fixture.stop_timeout, Duration::from_millis(500));
        assert_eq!((fixture.port, fixture.folder), (Wanted::Yes, Wanted::Yes));
    }

    #[test]
    fn what_is_not_said_has_a_meaning() {
        let ready = |command: &str| {
            let text = format!("[fixture.a]\ncommand = {command}\n");
            let config = Config::parse(Path::new("/p/wasmtest.toml"), &text).expect("valid");
            let fixture = config.fixtures[0].clone();
            assert_eq!(fixture.dir, Path::new("/p/"));
            assert_eq!(fixture.tests, Choice::default());
            (fixture.ready, fixture.port)
        };
        assert_eq!(ready("[\"a\"]"), (ReadyWhen::Started, Wanted::No));
        assert_eq!(ready("[\"a\", \"{port}\"]"), (ReadyWhen::Port, Wanted::Yes));
    }

    #[test]
    fn durations_are_texts_with_a_unit() {
        assert_eq!(period("10s"), Some(Duration::from_secs(10)));
        assert_eq!(period("1.5min"), Some(Duration::from_secs(90)));
        for bad in ["", "10", "s", "-1s", "0s", "1h", "1e99s", "nans", "infs"] {
            assert_eq!(period(bad), None, "{bad}");
        }
    }
}
