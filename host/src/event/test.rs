//! A test: its name, what is known of it before it runs, and what came of it.

use super::{Outcome, TestOutput};
use crate::text::shell_quote;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The name of one test: the module's name, a space, its path in the module.
///
/// The same from build to build: the module's name carries no hash of cargo's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TestId {
    /// The module's name, unique in the run (`tests.wasm`).
    pub module: Arc<str>,
    /// The test's path inside the module (`db::insert`).
    pub path: Arc<str>,
}

impl TestId {
    /// Whether this is its whole id, or the whole of its path.
    pub fn is_called(&self, name: &str) -> bool {
        let in_module = name.strip_prefix(&*self.module);
        let path = in_module.and_then(|rest| rest.strip_prefix(' '));
        *self.path == *name || path == Some(&*self.path)
    }
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.module, self.path)
    }
}

/// What a file is: independent of the harness in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A core WebAssembly module (wasm32-wasip1).
    Core,
    /// A component (wasm32-wasip2).
    Component,
}

/// The name of a harness: of how the tests of a file are listed and run, independent of its format.
///
/// A name and no more, so that it can travel and be kept: what bears it stands in the table of
/// `harness`, and a new one there needs no line here.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HarnessName {
    bytes: [u8; LONGEST_HARNESS],
    length: u8,
}

/// How long such a name may be, in bytes.
const LONGEST_HARNESS: usize = 15;

impl HarnessName {
    /// A harness of this name; to be called for constants, where one that is too long does not
    /// compile.
    pub const fn new(name: &str) -> HarnessName {
        match HarnessName::of(name) {
            Some(name) => name,
            None => panic!("the name of a harness is at most 15 bytes long"),
        }
    }

    const fn of(name: &str) -> Option<HarnessName> {
        let name = name.as_bytes();
        if name.len() > LONGEST_HARNESS {
            return None;
        }
        let mut bytes = [0; LONGEST_HARNESS];
        let mut at = 0;
        while at < name.len() {
            bytes[at] = name[at];
            at += 1;
        }
        Some(HarnessName {
            bytes,
            length: name.len() as u8,
        })
    }

    /// The same as text.
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..usize::from(self.length)];
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for HarnessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HarnessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for HarnessName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for HarnessName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let too_long = || D::Error::custom("this is no name of a harness");
        HarnessName::of(&name).ok_or_else(too_long)
    }
}

/// What is known of a test before it runs.
#[derive(Clone, Debug)]
pub struct TestInfo {
    pub id: TestId,
    /// The harness that runs it.
    pub harness: HarnessName,
    /// The format of its file.
    pub format: Format,
    /// `file:line` of the test, where the harness tells.
    pub source: Option<String>,
    /// The first part of the command that runs it again, shared by its module's tests.
    pub rerun: Arc<str>,
    /// What runs before it in its instance, if anything does.
    pub unit: Option<InUnit>,
    /// Whether it is marked as ignored and was run all the same.
    pub ignored: bool,
    /// The reason with which it is marked as ignored, if it is; may be empty.
    pub ignore_reason: Option<String>,
    /// Whether it is expected to panic.
    pub should_panic: bool,
    /// Why it cannot be run here, whoever asks for it.
    pub unable: Option<String>,
    /// Whether it is a benchmark.
    pub benchmark: bool,
    pub tags: Vec<String>,
    /// Its short description.
    pub description: Option<String>,
    /// A time limit of its own.
    pub timeout: Option<Duration>,
    /// A memory limit of its own, in bytes.
    pub max_memory: Option<u64>,
}

/// A test's place among those that share an instance with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUnit {
    /// The paths of the unit's tests that are run, in order.
    pub tests: Arc<[Arc<str>]>,
    /// Its place among them.
    pub at: usize,
    /// The paths of those that the filters left out.
    pub left_out: Arc<[Arc<str>]>,
    /// Whether any up to it is marked as ignored and is run all the same.
    pub ignored: bool,
}

impl InUnit {
    /// The flags and filters that choose these tests up to this one, in the shorter of two
    /// ways: by what is run, or by what was left out of the unit. Of the latter all counts,
    /// whatever its place: where a suite begins follows from its tests.
    fn choice(&self) -> String {
        let words = |before: &str, paths: &[Arc<str>]| -> String {
            let words = paths.iter().map(|p| format!("{before}{}", shell_quote(p)));
            words.collect()
        };
        let up_to = &self.tests[..=self.at];
        let own = shell_quote(&self.tests[self.at]);
        match self.left_out.len() {
            0 => format!(" --up-to {own}"),
            n if n < up_to.len() => {
                let skipped = words(" --skip ", &self.left_out);
                format!(" --exact{skipped} --up-to {own}")
            }
            _ => format!(" --exact --{}", words(" ", up_to)),
        }
    }
}

impl TestInfo {
    /// The command that runs this test again in the mode it was run in, after what ran
    /// before it in its instance.
    pub fn rerun(&self) -> String {
        match &self.unit {
            None => self.alone(),
            Some(unit) => {
                let ignored = include_ignored(unit.ignored);
                format!("{}{ignored}{}", self.rerun, unit.choice())
            }
        }
    }

    /// The command that runs this test alone.
    pub fn alone(&self) -> String {
        format!(
            "{}{} --exact -- {}",
            self.rerun,
            include_ignored(self.ignored),
            shell_quote(&self.id.path)
        )
    }
}

fn include_ignored(any: bool) -> &'static str {
    match any {
        true => " --include-ignored",
        false => "",
    }
}

/// A test that has ended.
#[derive(Clone, Debug)]
pub struct TestEnd {
    pub test: Arc<TestInfo>,
    /// Its place in the plan, by which reports are ordered.
    pub order: (usize, usize),
    pub outcome: Outcome,
    /// When it began and how long it ran; `None` for a test that never started.
    pub ran: Option<Ran>,
    /// What it left beside that.
    pub output: TestOutput,
}

/// Where and when a test ran.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// The worker's number, from 1; 0 is the primary itself.
    pub worker: usize,
    /// When it began, by the machine's clock.
    pub start: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// What compiled the code that ran, where that is known.
    pub compiler: Option<&'static str>,
}
