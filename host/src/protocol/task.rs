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
    /// Whether another is the same but for what [`Other`] says of it.
    fn is_like(&self, other: &Task) -> bool {
        let Task {
            number: _,
            module,
            path: _,
            harness,
            export: _,
            ignored,
            data: _,
            expect,
            timeout,
            limit_of,
            max_memory,
            around,
            fixtures,
            snapshot,
        } = self;
        (*module, *harness, *ignored) == (other.module, other.harness, other.ignored)
            && (*timeout, *limit_of) == (other.timeout, other.limit_of)
            && (*max_memory, *snapshot) == (other.max_memory, other.snapshot)
            && (expect, fixtures, around) == (&other.expect, &other.fixtures, &other.around)
    }

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

/// Tests that are alike but for their names, which is most of a module's: the others are told by
/// what is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tasks {
    first: Task,
    #[serde(with = "packed")]
    others: Vec<Other>,
}

/// What is its own of a test that is like another: number, path, export, data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Other(TaskNumber, String, Option<String>, String);

/// As bytes in a form that is read and written in a fraction of the time that CBOR takes
/// (postcard): these are most of what a primary says.
mod packed {
    use super::Other;
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use serde_bytes::ByteBuf;

    pub fn serialize<S: Serializer>(others: &[Other], to: S) -> Result<S::Ok, S::Error> {
        let bytes = postcard::to_stdvec(others).map_err(S::Error::custom)?;
        to.serialize_bytes(&bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Other>, D::Error> {
        let bytes = ByteBuf::deserialize(from)?;
        postcard::from_bytes(&bytes).map_err(D::Error::custom)
    }
}

impl Tasks {
    /// One, to which others may come.
    pub fn of(first: Task) -> Tasks {
        Tasks {
            first,
            others: Vec::new(),
        }
    }

    /// Adds a test if it is like the others; gives it back if it is not, to be told of by itself.
    pub fn push(&mut self, task: Task) -> Option<Task> {
        if !self.first.is_like(&task) {
            return Some(task);
        }
        let Task {
            number,
            path,
            export,
            data,
            ..
        } = task;
        self.others.push(Other(number, path, export, data));
        None
    }

    /// All of them, in order.
    pub fn into_tasks(self) -> impl Iterator<Item = Task> {
        let like = Task {
            path: String::new(),
            export: None,
            data: String::new(),
            ..self.first.clone()
        };
        let others = self.others.into_iter();
        let others = others.map(move |Other(number, path, export, data)| Task {
            number,
            path,
            export,
            data,
            ..like.clone()
        });
        std::iter::once(self.first).chain(others)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: u64) -> Task {
        Task {
            number: TaskNumber(number),
            module: ModuleNumber(1),
            path: format!("m::t_{number}"),
            harness: HarnessName::new("libtest"),
            export: number.is_multiple_of(2).then(|| format!("e_{number}")),
            ignored: false,
            data: format!("data {number}"),
            expect: Expect::Pass,
            timeout: Duration::from_secs(1),
            limit_of: LimitOf::Test,
            max_memory: Some(1 << 20),
            around: Some(Box::default()),
            fixtures: vec![FixtureNumber(2)],
            snapshot: None,
        }
    }

    #[test]
    fn tests_that_are_alike_are_told_by_what_is_their_own() {
        let mut tasks = Tasks::of(task(7));
        for number in [9, 8] {
            assert_eq!(tasks.push(task(number)), None);
        }
        let mut bytes = Vec::new();
        ciborium::into_writer(&tasks, &mut bytes).expect("a vector takes everything");
        let back: Tasks = ciborium::from_reader(bytes.as_slice()).expect("it was just written");
        let back: Vec<Task> = back.into_tasks().collect();
        assert_eq!(back, [task(7), task(9), task(8)]);
    }

    #[test]
    fn a_test_that_differs_in_anything_else_is_told_by_itself() {
        let changes: [fn(&mut Task); 10] = [
            |t| t.module = ModuleNumber(2),
            |t| t.harness = HarnessName::new("sdk"),
            |t| t.ignored = true,
            |t| t.expect = Expect::Panic(String::new()),
            |t| t.timeout *= 2,
            |t| t.limit_of = LimitOf::Default,
            |t| t.max_memory = None,
            |t| t.around = None,
            |t| t.fixtures.clear(),
            |t| {
                t.snapshot = Some(SnapshotUse {
                    number: crate::protocol::SnapshotNumber(0),
                    steps: 1,
                });
            },
        ];
        for change in changes {
            let mut other = task(8);
            change(&mut other);
            let mut tasks = Tasks::of(task(7));
            assert_eq!(tasks.push(other.clone()), Some(other));
        }
    }
}
