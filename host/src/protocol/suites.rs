//! Suites and fixtures: as a file lists them, and as a worker is told to run them.
//!
//! Plain types, known to nobody's secrets: `module` reads the first from a file,
//! `plan` makes the second of them, `worker` follows these.

use crate::event::FixtureKind;
use serde::{Deserialize, Serialize};

/// How a suite's or a fixture's tests are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// Whole, to one worker, in one store, in declaration order.
    Unit,
    /// Singly; the fixture is replayed for each.
    Split,
    /// Singly; the fixture is set up once, beside the workers.
    Shared,
    /// Alone, once everything parallel has drained.
    Serial,
}

impl Distribution {
    /// The distribution of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "unit" => Some(Distribution::Unit),
            "split" => Some(Distribution::Split),
            "shared" => Some(Distribution::Shared),
            "serial" => Some(Distribution::Serial),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Distribution::Unit => "unit",
            Distribution::Split => "split",
            Distribution::Shared => "shared",
            Distribution::Serial => "serial",
        }
    }
}

/// What a function of a file's is for, beside its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It gives a value to whoever asks for it by name.
    Fixture,
    /// It is run before the first test of its suite, and may give a value.
    Setup,
    /// It is run after the last test of its suite.
    Teardown,
    /// It is run before each test of its suite.
    Before,
    /// It is run after each test of its suite.
    After,
}

impl Role {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Fixture => "fixture",
            Role::Setup => "setup",
            Role::Teardown => "teardown",
            Role::Before => "before",
            Role::After => "after",
        }
    }
}

/// A module that was marked as a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSuite {
    /// Its path, the crate's name first.
    pub path: String,
    /// Its mark.
    pub distribution: Option<Distribution>,
}

/// A fixture or a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFunction {
    /// Its path, the crate's name first.
    pub path: String,
    pub role: Role,
    /// Its mark.
    pub distribution: Option<Distribution>,
    /// The paths of the fixtures that it needs.
    pub needs: Vec<String>,
    /// Whether its value travels.
    pub travels: bool,
    /// Whether it has a teardown of its own.
    pub tears_down: bool,
    /// Whether its value can be dropped, and something is done then.
    pub drops: bool,
    /// Whether it wants to be run anew for each test.
    pub fresh: bool,
    /// The host fixture that its value comes from.
    pub host: Option<String>,
}

/// What a file holds beside its tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleFixtures {
    /// Modules that were marked.
    pub suites: Vec<ListedSuite>,
    /// Fixtures and hooks.
    pub functions: Vec<ListedFunction>,
}

impl ListedFunction {
    /// Whether it is a fixture of which each test that asks for it has one of its own.
    pub fn is_of_one_test(&self) -> bool {
        let shared = self.host.is_some() || self.distribution == Some(Distribution::Shared);
        self.role == Role::Fixture && !shared && (self.distribution.is_none() || self.fresh)
    }
}

impl ModuleFixtures {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.suites.is_empty() && self.functions.is_empty()
    }
}

/// A path without the crate's name, as people see it; the crate's own is its name.
pub fn without_crate(path: &str) -> &str {
    path.split_once("::").map_or(path, |(_, rest)| rest)
}

/// The module that a path lies in; empty for a crate's own.
pub fn module_of(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(module, _)| module)
}

/// A value's number in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ValueNumber(pub usize);

/// Something that has to be there before a test runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FixtureStep {
    /// The path of the function, or of the suite if that has only a teardown.
    #[serde(rename = "p")]
    pub path: String,
    /// What is done.
    #[serde(rename = "d")]
    pub action: StepAction,
    /// The suite that it sets up; none for a fixture that is asked for by name.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// The export that takes it down.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<String>,
    /// The export that drops its value, after it was taken down.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub drops: Option<String>,
    /// The paths of the steps that it stands on.
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Whether it must not be replayed from a snapshot.
    #[serde(rename = "f", default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// Whether it is there for one test, and taken down after it.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub of_one_test: bool,
}

impl FixtureStep {
    /// Whether it is a suite's or a fixture's.
    pub fn kind(&self) -> FixtureKind {
        match self.suite {
            Some(_) => FixtureKind::Suite,
            None => FixtureKind::Fixture,
        }
    }

    /// Its name for people: the suite's, or the fixture's own.
    pub fn of(&self) -> &str {
        without_crate(self.suite.as_deref().unwrap_or(&self.path))
    }
}

/// What is done for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StepAction {
    /// Its function is run in the instance.
    #[serde(rename = "r")]
    Run,
    /// It takes a value that came from elsewhere.
    #[serde(rename = "v")]
    Receive(ValueNumber),
    /// Nothing: it is only taken down.
    #[serde(rename = "n")]
    Nothing,
}

/// What is run around a test, in its instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FixturePlan {
    /// What has to be there, in order.
    #[serde(rename = "s")]
    pub steps: Vec<FixtureStep>,
    /// The paths of hooks that run before the test, in order.
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// The paths of hooks that run after it, in order.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

impl FixturePlan {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.before.is_empty() && self.after.is_empty()
    }

    /// How many calls it may take at most, the test's own included.
    pub fn calls(&self) -> u32 {
        let downs = self.steps.iter().filter(|s| s.teardown.is_some()).count();
        let all = self.steps.len() + downs + self.before.len() + self.after.len() + 1;
        u32::try_from(all).unwrap_or(u32::MAX)
    }
}
