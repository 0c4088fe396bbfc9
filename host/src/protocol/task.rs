//! What a worker is given to do: tests, and fixtures that are shared.

use super::frame::nanoseconds;
use super::setup::{FixtureNumber, ModuleNumber, SnapshotUse, TaskNumber};
use super::suites::{FixturePlan, FixtureStep, ValueNumber};
use crate::event::HarnessName;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One test to run. There are many of them, so their fields have short names on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    #[serde(rename = "n")]
    pub number: TaskNumber,
    #[serde(rename = "m")]
    pub module: ModuleNumber,
    /// The test's path.
    #[serde(rename = "p")]
    pub path: String,
    /// How it is run.
    #[serde(rename = "h")]
    pub harness: HarnessName,
    /// The function to call, for the SDK's harness.
    #[serde(rename = "e")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// Whether the test is marked as ignored (and was asked for all the same).
    #[serde(rename = "i")]
    pub ignored: bool,
    /// What its harness has to know of it beside that.
    #[serde(rename = "d")]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// What has to come of it.
    #[serde(rename = "x")]
    #[serde(default, skip_serializing_if = "Expect::is_pass")]
    pub expect: Expect,
    /// How long it may run.
    #[serde(rename = "t")]
    #[serde(with = "nanoseconds")]
    pub timeout: Duration,
    /// Who set that limit.
    #[serde(rename = "l")]
    #[serde(default, skip_serializing_if = "LimitOf::is_default")]
    pub limit_of: LimitOf,
    /// How much memory it may use, in bytes.
    #[serde(rename = "z")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<u64>,
    /// What is run around it in its instance, if anything is.
    #[serde(rename = "a")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Box<FixturePlan>>,
    /// The host fixtures that it is bound to; the worker was told of each.
    #[serde(rename = "f")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<FixtureNumber>,
    /// The state from which it may begin.
    #[serde(rename = "s")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotUse>,
}

impl Task {
    /// How long it may run, and who says so.
    pub fn limit(&self) -> (Duration, Option<LimitOf>) {
        (self.timeout, Some(self.limit_of))
    }

    /// The paths of hooks that run before it, in order.
    pub fn before(&self) -> &[String] {
        self.around.as_ref().map_or(&[], |around| &around.before)
    }

    /// The paths of hooks that run after it, in order.
    pub fn after(&self) -> &[String] {
        self.around.as_ref().map_or(&[], |around| &around.after)
    }

    /// What has to be there before it runs, in order.
    pub fn steps(&self) -> &[FixtureStep] {
        self.around.as_ref().map_or(&[], |around| &around.steps)
    }
}

/// A fixture that is set up once, in an instance that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedTask {
    /// Its number in the run, which is also that of its value.
    pub number: ValueNumber,
    pub module: ModuleNumber,
    /// Its name for people, which its instance finds in place of a test's.
    pub of: String,
    /// What runs in its instance, itself at the end.
    pub around: FixturePlan,
    /// Whether it gives a value.
    pub travels: bool,
    /// How long each call may take.
    pub timeout: Duration,
    /// Who set that limit.
    pub limit_of: LimitOf,
    /// The host fixtures whose grants it has.
    pub fixtures: Vec<FixtureNumber>,
}

/// Who set the limit of a test's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitOf {
    /// Nobody: it is what holds unless something else is asked for.
    #[default]
    Default,
    /// `--process-timeout`.
    Flag,
    /// `WASMTEST_PROCESS_TIMEOUT`.
    Variable,
    /// The test itself, by its mark.
    Test,
}

impl LimitOf {
    fn is_default(&self) -> bool {
        *self == LimitOf::Default
    }
}

impl Expect {
    fn is_pass(&self) -> bool {
        *self == Expect::Pass
    }
}

/// What has to come of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// It passes.
    #[default]
    Pass,
    /// It panics, with a message that contains this.
    Panic(String),
    /// It fails, for now, for this reason; may be empty.
    Failure(String),
}
