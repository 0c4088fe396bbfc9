//! What only tells how a run gets on: for people a line, for programs an object.
//!
//! All of it is one kind of event, which each reporter writes in one place: a new one is a
//! function here, and whoever has it to tell.

use super::{FixtureKind, TestInfo};
use crate::text::{duration, one_line, shortened, size};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who wants to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everybody who has not asked for silence.
    Normal,
    /// Whoever wants to know everything.
    Verbose,
}

/// How a run gets on.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Who wants to read it.
    pub level: Level,
    /// The line for people, fit for a terminal.
    pub text: String,
    /// The object for programs, as docs/events.md has it; `None` for what they are not told.
    pub value: Option<Value>,
}

/// A dependency that is not all there in what was built, since it does not build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its package and version.
    pub name: String,
    /// What is not there.
    pub without: Without,
}

/// What of a dependency is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// All of it: nothing that was built names it.
    All {
        /// The first error, as one line.
        error: String,
        /// Dependencies that were left out because they need it.
        others: Vec<String>,
    },
    /// Some of its features.
    Features {
        names: Vec<String>,
        /// What they are for.
        why: String,
    },
}

/// A step in the life of a host fixture.
#[derive(Clone, Debug)]
pub enum HostFixtureStep {
    /// It is being started.
    Started { command: String },
    Ready {
        /// So long after it was started.
        elapsed: Duration,
    },
    /// It has ended.
    Ended {
        /// How, in words.
        how: String,
    },
}

/// A suite or a fixture of a module's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixtureName {
    /// The module's name.
    pub module: Arc<str>,
    /// Its path in the module.
    pub path: String,
    /// Which of the two it is.
    pub kind: FixtureKind,
}

impl fmt::Display for FixtureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.module, self.path)
    }
}

/// What is done with a suite or a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuiteStep {
    SetUp,
    /// Its teardown runs, and an interrupted run waits for it.
    TearingDown,
    /// It was taken down.
    TornDown,
}

/// How the fixtures of a split suite's tests come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotStep {
    /// Their state is large, and is being written to where all workers can map it.
    Keeping {
        /// The size of its memory.
        bytes: u64,
    },
    /// Their state is kept, and each further test begins from it.
    Kept {
        /// The size of its memory.
        bytes: u64,
    },
    /// They are run again for each test.
    Rerun { why: String },
}

impl Progress {
    /// All compiling is done: of so many modules now, of so many earlier, so long after the run
    /// began.
    pub fn compiled(compiled: usize, cached: usize, elapsed: Duration) -> Progress {
        let modules = if compiled == 1 { "module" } else { "modules" };
        let from_cache = match cached {
            0 => String::new(),
            n => format!(" ({n} from cache)"),
        };
        Progress {
            level: Level::Normal,
            text: format!(
                "compiled {compiled} {modules} in {}{from_cache}",
                duration(elapsed)
            ),
            value: None,
        }
    }

    /// A test runs for longer than usual, what is set up for it perhaps included.
    pub fn slow(test: &TestInfo, elapsed: Duration, set_up: bool) -> Progress {
        let id = test.id.to_string();
        let set_up = match set_up {
            true => ", what is set up for it included",
            false => "",
        };
        Progress {
            level: Level::Verbose,
            text: format!(
                "SLOW   {} runs for {} already{set_up}",
                one_line(&id),
                duration(elapsed)
            ),
            value: Some(json!({"type": "test", "event": "timeout", "name": id})),
        }
    }

    /// A dependency does not build, and what runs does without it.
    pub fn left_out(LeftOut { name, without }: &LeftOut) -> Progress {
        let mut value = json!({"type": "dependency", "event": "left-out", "name": name});
        let name = one_line(name);
        let text = match without {
            Without::Features { names, why } => {
                value["event"] = json!("without-features");
                value["features"] = json!(names);
                value["message"] = json!(why);
                let names = names.iter().map(|n| format!("`{}`", one_line(n)));
                let names = names.collect::<Vec<_>>().join(" and ");
                format!("note: {name} was built without {names} ({why})")
            }
            Without::All { error, others } => {
                value["message"] = json!(error);
                value["others"] = json!(others);
                let others = match others.as_slice() {
                    [] => String::new(),
                    others => format!("; nor does what needs it: {}", one_line(&others.join(", "))),
                };
                format!(
                    "note: {name} does not build, and what runs does without it: {}{others}",
                    one_line(&shortened(error))
                )
            }
        };
        Progress {
            level: Level::Normal,
            text,
            value: Some(value),
        }
    }

    /// How libtest's tests are called in a module: directly, or why not.
    pub fn calls(module: &str, level: Level, why_plain: Option<&str>) -> Progress {
        let mut value =
            json!({"type": "module", "event": "listed", "name": module, "libtest": "direct"});
        let name = one_line(module);
        let text = match why_plain {
            None => format!("{name}: its tests are called directly"),
            Some(why) => {
                value["libtest"] = json!("plain");
                value["why"] = json!(why);
                format!(
                    "{name}: each test is started through libtest: {}",
                    one_line(why)
                )
            }
        };
        Progress {
            level,
            text,
            value: Some(value),
        }
    }

    /// A shared suite or fixture of a module's was set up or taken down; or any is being
    /// taken down while an interrupted run waits for it.
    pub fn suite(of: &FixtureName, step: SuiteStep) -> Progress {
        let (kind, name) = (of.kind.name(), one_line(&of.to_string()));
        let (level, event, text) = match step {
            SuiteStep::SetUp => (Level::Verbose, "set-up", format!("{kind} {name} is set up")),
            SuiteStep::TornDown => (
                Level::Verbose,
                "torn-down",
                format!("{kind} {name} is taken down"),
            ),
            SuiteStep::TearingDown => (
                Level::Normal,
                "tearing-down",
                format!("waiting for the teardown of {kind} {name} (a second interrupt ends it)"),
            ),
        };
        Progress {
            level,
            text,
            value: Some(of_fixture(of, event)),
        }
    }

    /// Whether a split suite's or fixture's state is replayed, or made anew for each test.
    pub fn snapshot(of: &FixtureName, step: &SnapshotStep) -> Progress {
        let name = format!("{} {}", of.kind.name(), one_line(&of.to_string()));
        let mut value = of_fixture(of, "snapshot");
        let text = match step {
            SnapshotStep::Keeping { bytes } => {
                value["event"] = json!("keeping");
                value["bytes"] = json!(bytes);
                format!("keeping the state of {name}, {}", size(*bytes))
            }
            SnapshotStep::Kept { bytes } => {
                value["bytes"] = json!(bytes);
                format!("{name} is replayed from a snapshot, {}", size(*bytes))
            }
            SnapshotStep::Rerun { why } => {
                value["event"] = json!("re-run");
                value["why"] = json!(why);
                format!("{name} is set up again for each test: {}", one_line(why))
            }
        };
        Progress {
            level: Level::Verbose,
            text,
            value: Some(value),
        }
    }

    /// A step in the life of a host fixture.
    pub fn host_fixture(name: &Arc<str>, step: &HostFixtureStep) -> Progress {
        let (event, key, detail, text) = match step {
            HostFixtureStep::Started { command } => (
                "started",
                "command",
                json!(command),
                format!("starts: {}", one_line(command)),
            ),
            HostFixtureStep::Ready { elapsed } => (
                "ready",
                "exec_time",
                json!(elapsed.as_secs_f64()),
                format!("is ready after {}", duration(*elapsed)),
            ),
            HostFixtureStep::Ended { how } => (
                "ended",
                "how",
                json!(how),
                format!("is gone: {}", one_line(how)),
            ),
        };
        Progress {
            level: Level::Verbose,
            text: format!("fixture {name} {text}"),
            value: Some(json!({"type": "fixture", "event": event, "name": &**name, key: detail})),
        }
    }
}

fn of_fixture(of: &FixtureName, event: &str) -> Value {
    json!({"type": "fixture", "event": event, "name": of.to_string(), "kind": of.kind})
}
