//! What happens in a run, and how each test ended.
//!
//! Takes nothing, knows nobody: these are the plain types that the primary
//! produces and every reporter reads. A reporter is a function of this stream
//! and of nothing else, so whatever a report needs has to be in here.

use crate::denied::Denials;
use crate::suite::SuitePart;
use serde::{Deserialize, Serialize};
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

/// How the tests of a file are listed and run: independent of its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harness {
    /// A test that the guest SDK made: listed from the file, called by its export.
    Sdk,
    /// A Rust test binary, as `cargo test` makes it.
    Libtest,
    /// A test target's own harness that follows libtest's command line.
    Custom,
    /// A doctest of a bundle that rustdoc has made, or one that rustdoc itself has judged.
    Doctest,
    /// A plain WASI command: the file is one test.
    Command,
}

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The test ran and came back.
    Passed,
    /// An assertion failed: a panic, an `Err`, a status other than 0, an exit in the middle.
    Failed(Cause),
    /// A trap outside an assertion, or a test that could not be run.
    Errored(Cause),
    /// The guest ran out of memory.
    OutOfMemory(Cause),
    /// Stopped at its time limit.
    TimedOut(Cause),
    /// The worker process died while it ran the test.
    Crashed(Cause),
    /// It failed, as it was expected to.
    ExpectedFailure {
        /// Why that is expected, in the words of whoever wrote the test; may be empty.
        reason: String,
        /// How it failed.
        cause: Cause,
    },
    /// Not run, on purpose, for the reason given.
    Skipped {
        /// Why, in the words of whoever wrote the test or of the harness.
        reason: String,
    },
    /// Selected but never started, for the reason given.
    NotRun {
        /// Why it was not started.
        reason: String,
    },
    /// In flight when the run was interrupted.
    Interrupted,
}

impl Outcome {
    /// The outcome's name, as it stands in the event stream.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Errored(_) => "errored",
            Outcome::OutOfMemory(_) => "out-of-memory",
            Outcome::TimedOut(_) => "timed-out",
            Outcome::Crashed(_) => "crashed",
            Outcome::ExpectedFailure { .. } => "expected-failure",
            Outcome::Skipped { .. } => "skipped",
            Outcome::NotRun { .. } => "not-run",
            Outcome::Interrupted => "interrupted",
        }
    }

    /// Whether the run can still be green with this outcome in it.
    pub fn is_good(&self) -> bool {
        matches!(
            self,
            Outcome::Passed | Outcome::Skipped { .. } | Outcome::ExpectedFailure { .. }
        )
    }

    /// What went wrong, where something did.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Outcome::Failed(c)
            | Outcome::Errored(c)
            | Outcome::OutOfMemory(c)
            | Outcome::TimedOut(c)
            | Outcome::Crashed(c) => Some(c),
            _ => None,
        }
    }
}

/// Why a test did not pass, in words a developer uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// What happened; the first line stands alone, more may follow.
    pub message: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
    /// Where the guest was, innermost first: the developer's frames, the runtime's folded away.
    pub frames: Vec<Frame>,
}

impl Cause {
    /// A cause that is a sentence and no more.
    pub fn new(message: impl Into<String>) -> Self {
        Cause {
            message: message.into(),
            ..Cause::default()
        }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A line of a guest's backtrace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// A function of the developer's.
    Function {
        /// Its demangled name.
        name: String,
        /// `file:line`, where the file's debug information tells.
        location: Option<String>,
    },
    /// The frames before this one (as many as `length`) occur this many times more.
    Repeated {
        /// How many of the preceding lines recur.
        length: usize,
        /// How often they recur.
        times: usize,
    },
    /// Frames left out.
    Folded {
        /// How many.
        count: usize,
    },
}

/// What a test wrote to one stream: its head and its tail, up to a cap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The first bytes.
    #[serde(with = "serde_bytes")]
    pub head: Vec<u8>,
    /// The last bytes, where the head did not hold everything.
    #[serde(with = "serde_bytes")]
    pub tail: Vec<u8>,
    /// How many bytes between the two were dropped.
    pub dropped: u64,
}

impl Captured {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// The text, as far as it is text, with a line that says what was dropped.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.dropped > 0 {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&format!("[{} bytes left out]\n", self.dropped));
        }
        text.push_str(&String::from_utf8_lossy(&self.tail));
        text
    }
}

/// What is known of a test before it runs.
#[derive(Clone, Debug)]
pub struct TestInfo {
    /// Its name.
    pub id: TestId,
    /// The harness that runs it.
    pub harness: Harness,
    /// The format of its file.
    pub format: Format,
    /// `file:line` of the test, where the harness tells.
    pub source: Option<String>,
    /// The first part of the command that runs it again, shared by its module's tests.
    pub again: Arc<str>,
    /// Whether it is marked as ignored and was run all the same.
    pub ignored: bool,
    /// The reason with which it is marked as ignored, if it is; may be empty.
    pub ignore_reason: Option<String>,
    /// Whether it is expected to panic.
    pub should_panic: bool,
    /// Whether it is a benchmark.
    pub benchmark: bool,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its short description.
    pub description: Option<String>,
    /// A time limit of its own.
    pub timeout: Option<Duration>,
    /// A memory limit of its own, in bytes.
    pub max_memory: Option<u64>,
}

impl TestInfo {
    /// The command that runs this test again, alone, in the mode it was run in.
    pub fn again(&self) -> String {
        let ignored = if self.ignored {
            " --include-ignored"
        } else {
            ""
        };
        format!(
            "{}{ignored} --exact -- {}",
            self.again,
            quoted(&self.id.path)
        )
    }
}

/// Whether a terminal would act on this character rather than show it.
pub fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A word for a shell, quoted where it has to be; control characters as escapes,
/// so that the command can be shown and still means the same.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.contains(char::is_control) {
        let mut out = String::from("$'");
        for c in word.chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if c.is_control() => {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('\'');
        out
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Something that a test attached to its report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name, which need not be unique.
    pub name: String,
    /// Its media type, as the test gave it.
    pub media_type: String,
    /// Its content.
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

/// A test that has ended.
#[derive(Clone, Debug)]
pub struct TestEnd {
    /// Which test.
    pub test: Arc<TestInfo>,
    /// Its place in the plan, by which reports are ordered.
    pub order: (usize, usize),
    /// How it ended.
    pub outcome: Outcome,
    /// When it began and how long it ran; `None` for a test that never started.
    pub ran: Option<Ran>,
    /// What it wrote to stdout; kept only for tests that did not pass.
    pub stdout: Captured,
    /// What it wrote to stderr; kept only for tests that did not pass.
    pub stderr: Captured,
    /// Where its scratch folder was kept, if it was.
    pub scratch: Option<String>,
    /// What it logged for the report.
    pub logs: Vec<String>,
    /// What it attached to the report.
    pub attachments: Vec<Attachment>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// What it tried to reach of files and could not; kept only for tests that did not pass.
    pub denied: Denials,
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
}

/// A module, or a suite of one, that could not be run.
#[derive(Clone, Debug)]
pub struct ModuleError {
    /// The module's name in the run; of a suite, a space and the suite's.
    pub module: Arc<str>,
    /// Its file, if there is one.
    pub file: Option<String>,
    /// Its place in the plan.
    pub order: usize,
    /// What failed: `cannot be loaded`, `cannot be listed`.
    pub what: &'static str,
    /// Why, and what to do.
    pub cause: Cause,
    /// What it wrote to stdout before it died.
    pub stdout: Captured,
    /// What it wrote to stderr before it died.
    pub stderr: Captured,
    /// What it tried to reach of files and could not.
    pub denied: Denials,
}

/// A target that a build tool was asked for and that did not build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotBuilt {
    /// The name that its module would have in the run.
    pub name: String,
    /// The first error, as one line.
    pub why: String,
}

/// A host fixture that failed its tests.
#[derive(Clone, Debug)]
pub struct FixtureError {
    /// Its name.
    pub name: Arc<str>,
    /// What happened: `could not be set up`, `ended while its tests ran`.
    pub what: &'static str,
    /// Why, and what to do.
    pub cause: Cause,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
}

/// A host fixture that has ended, as it should or not.
#[derive(Clone, Debug)]
pub struct FixtureEnd {
    /// Its name.
    pub name: Arc<str>,
    /// How it ended, in words.
    pub how: String,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
}

/// A step in the life of a host fixture.
#[derive(Clone, Debug)]
pub enum FixtureStep {
    /// It is being started.
    Started {
        /// By this command.
        command: String,
    },
    /// It is ready.
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

/// How the fixtures of a split suite's tests come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotStep {
    /// Their state is kept, and each further test begins from it.
    Kept {
        /// The size of its memory.
        bytes: u64,
    },
    /// They are run again for each test.
    Rerun {
        /// Why.
        why: String,
    },
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Modules are being compiled: how many are still to come.
    Compiling {
        /// Modules not yet compiled.
        left: usize,
    },
    /// All compiling is done.
    Compiled {
        /// Modules compiled now.
        compiled: usize,
        /// Modules that the cache had.
        cached: usize,
        /// How long it took from the start of the run.
        elapsed: Duration,
    },
    /// All modules are listed: how many tests there will be.
    Planned {
        /// Tests selected, skipped ones included.
        tests: usize,
        /// Tests that the filters left out.
        filtered_out: usize,
    },
    /// A worker has begun a test.
    Started(Arc<TestInfo>),
    /// A test runs for longer than usual.
    Slow {
        /// Which test.
        test: Arc<TestInfo>,
        /// For how long already.
        elapsed: Duration,
    },
    /// A test has ended.
    Ended(Box<TestEnd>),
    /// A module could not be loaded or listed.
    ModuleFailed(Box<ModuleError>),
    /// A target did not build, and the others run without it.
    NotBuilt(NotBuilt),
    /// A suite or a fixture of a module's could not be set up or taken down.
    SuiteFailed(Box<ModuleError>),
    /// A shared suite or fixture of a module's was set up or taken down.
    SuiteStep {
        /// The module's name, a space, the fixture's or suite's.
        suite: String,
        /// Which of the two.
        part: SuitePart,
    },
    /// A host fixture could not be set up, or ended too soon.
    FixtureFailed(Box<FixtureError>),
    /// A step of a host fixture; sent only to who wants to know everything.
    Fixture {
        /// The fixture's name.
        name: Arc<str>,
        /// The step.
        step: FixtureStep,
    },
    /// What a host fixture wrote, where that matters: a test that was bound to it did
    /// not pass, or everything is of interest.
    FixtureEnded(Box<FixtureEnd>),
    /// Whether a split suite's or fixture's state is replayed, or made anew for each test.
    Snapshot {
        /// The module's name, a space, the fixture's or suite's.
        suite: String,
        /// Which of the two.
        step: SnapshotStep,
    },
    /// Something that a user should know; it changes no verdict.
    Note(String),
    /// Time has passed; sent only where a person watches.
    Tick,
    /// The run is over.
    Finished(Summary),
}

/// Why a run ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT, as Ctrl-C sends it.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Tests that passed.
    pub passed: usize,
    /// Tests whose assertion failed.
    pub failures: usize,
    /// Tests that ended in a trap, without memory or with their worker; modules that could not
    /// be run; host fixtures that failed.
    pub errors: usize,
    /// Tests stopped at their limit.
    pub timeouts: usize,
    /// Tests skipped.
    pub skipped: usize,
    /// Tests that failed as they were expected to.
    pub expected_failures: usize,
    /// Tests that were in flight at an interrupt.
    pub interrupted: usize,
    /// Tests never started.
    pub not_run: usize,
    /// Modules that could not be loaded or listed (part of `errors`).
    pub modules_failed: usize,
    /// Suites and fixtures, host fixtures included, that could not be set up or taken
    /// down, or ended too soon (part of `errors`).
    pub fixtures_failed: usize,
    /// Targets that did not build.
    pub not_built: usize,
    /// How many of them the run is not to be green without.
    pub missed: usize,
    /// Tests that the filters left out.
    pub filtered_out: usize,
    /// Wall time of the run.
    pub elapsed: Duration,
    /// Number of worker processes; 0 when everything ran in the primary.
    pub processes: usize,
    /// Set when the run was interrupted.
    pub interrupt: Option<Interrupt>,
}

impl Summary {
    /// Counts one test.
    pub fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) => self.failures += 1,
            Outcome::Errored(_) | Outcome::OutOfMemory(_) | Outcome::Crashed(_) => self.errors += 1,
            Outcome::TimedOut(_) => self.timeouts += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::ExpectedFailure { .. } => self.expected_failures += 1,
            Outcome::NotRun { .. } => self.not_run += 1,
            Outcome::Interrupted => self.interrupted += 1,
        }
    }

    /// Tests that ran or were skipped: what `Ran N tests` counts.
    pub fn ran(&self) -> usize {
        self.passed
            + self.failures
            + self.timeouts
            + self.skipped
            + self.expected_failures
            + self.errors
            - self.modules_failed
            - self.fixtures_failed
    }

    /// Whether everything that was selected passed or was skipped.
    pub fn is_green(&self) -> bool {
        self.failures + self.errors + self.timeouts + self.interrupted + self.not_run + self.missed
            == 0
            && self.interrupt.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell_where_they_must_be() {
        assert_eq!(quoted("a::b"), "a::b");
        assert_eq!(quoted("it's a b"), r"'it'\''s a b'");
        assert_eq!(quoted("$(x)"), "'$(x)'");
        assert_eq!(quoted("a\x1b'\n"), r"$'a\x1b\'\x0a'");
    }
}
