//! What the primary and its processes say to each other, and how it is framed.
//!
//! A frame is a length of four bytes, little endian, and as many bytes of
//! CBOR. The channel is a socket that is the child's stdin: nobody's stdout.
//! A length is never trusted: a frame that claims more than [`MAX_FRAME`] ends
//! the conversation, and memory is taken only as bytes arrive.

use crate::event::{Attachment, Captured, Cause, Format, Harness, Outcome};
use crate::instrument::Facts;
use crate::sandbox::snapshot::Globals;
use crate::suite::{Around, Step, SuiteFailure, ValueNumber};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use wasmtest_section::EXPORT_PREFIX;

/// The largest frame that is accepted: far above any honest one (a listing of
/// a million tests is some 100 MiB).
pub const MAX_FRAME: u32 = 512 << 20;

/// Writes one message.
///
/// # Errors
/// Those of the writer; a message above [`MAX_FRAME`] is `InvalidData`.
pub fn write_frame<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let mut frame = vec![0; 4];
    ciborium::into_writer(message, &mut frame).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|l| *l <= MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "message too large"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    to.write_all(&frame)
}

/// Reads one message; `None` at the end of the stream between two frames.
///
/// # Errors
/// Those of the reader; `UnexpectedEof` for a frame that is cut short, as by the
/// writer's death; `InvalidData` for one that is too long or not what was expected.
pub fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    let mut got = 0;
    while got < 4 {
        match from.read(&mut length[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(cut_short()),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_FRAME {
        return Err(invalid(format!("frame of {length} bytes")));
    }
    let mut frame = Vec::with_capacity(length.min(1 << 16) as usize);
    from.take(u64::from(length)).read_to_end(&mut frame)?;
    if frame.len() != length as usize {
        return Err(cut_short());
    }
    ciborium::from_reader(frame.as_slice())
        .map(Some)
        .map_err(|e| invalid(e.to_string()))
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "frame cut short")
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

/// Paths as bytes: they need not be Unicode.
pub(crate) mod path_bytes {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(path.as_os_str().as_bytes())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(from)?.into_vec();
        Ok(OsString::from_vec(bytes).into())
    }
}

/// A duration as one number.
mod nanoseconds {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}

/// A module's number in the run: its place among the files given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModuleNumber(pub usize);

/// A task's number in the run, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskNumber(pub u64);

/// A host fixture's number in the run: its place among those configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FixtureNumber(pub usize);

/// What a host fixture implies for a test that is bound to it, and for no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixtureGrant {
    /// Which fixture.
    pub number: FixtureNumber,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// A folder.
    pub dir: Option<DirGrant>,
    /// An address that components may connect to by TCP.
    pub addr: Option<SocketAddr>,
}

/// A folder of the host that guests may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirGrant {
    /// The folder, canonical.
    #[serde(with = "path_bytes")]
    pub host: PathBuf,
    /// Its names in the guest.
    pub guest: Vec<String>,
    /// What may be done in it.
    pub access: Access,
}

/// What a grant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Reading.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// What becomes of a scratch folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// It goes with its test.
    Nothing,
    /// Those of failed tests stay.
    Failed,
}

/// What becomes of function imports that nobody provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnknownImports {
    /// The module is refused.
    Refuse,
    /// They trap when called.
    Trap,
}

/// What a worker does with the tasks that wait in it after a test that did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterFailure {
    /// It goes on.
    GoOn,
    /// It gives them back: the run may be about to stop.
    GiveBack,
}

/// All that a worker needs to start, as one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSetup {
    /// The cache folder that compiled forms are mapped from.
    #[serde(with = "path_bytes")]
    pub cache: PathBuf,
    /// Where scratch folders are made; the primary removes it at the end.
    #[serde(with = "path_bytes")]
    pub scratch: PathBuf,
    /// Whether scratch folders outlive their test.
    pub keep_scratch: Keep,
    /// The folders granted.
    pub dirs: Vec<DirGrant>,
    /// The environment granted, `TMPDIR` included.
    pub env: Vec<(String, String)>,
    /// The WebAssembly stack, in bytes.
    pub wasm_stack: usize,
    /// What to do about unknown imports.
    pub unknown_imports: UnknownImports,
    /// What it does with waiting tasks after a test that did not pass.
    pub after_failure: AfterFailure,
    /// How many bytes of each stream are kept at its head, and again at its tail.
    pub capture: usize,
}

/// A module as a worker needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSpec {
    /// Its number.
    pub number: ModuleNumber,
    /// Its name in the run, which is also the guest's `argv[0]`.
    pub name: String,
    /// The original file, for names and lines.
    #[serde(with = "path_bytes")]
    pub file: PathBuf,
    /// The content that was compiled.
    pub content: crate::module::ContentHash,
    /// What the file is.
    pub format: Format,
    /// How its tests are run.
    pub harness: Harness,
    /// The file name of its compiled form in the cache folder.
    pub artefact: String,
    /// Set if that is the rewritten module: what its memory begins with, and what is
    /// known of it.
    pub replay: Option<ReplaySpec>,
}

/// What it takes to replay states of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaySpec {
    /// The file name of what the memory begins with, compiled.
    pub pristine: String,
    /// What is known of the module's rewriting.
    pub facts: Facts,
}

/// A snapshot's number in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SnapshotNumber(pub usize);

/// The state after a test's first steps, which others share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotUse {
    /// Which.
    #[serde(rename = "n")]
    pub number: SnapshotNumber,
    /// How many of the steps it holds.
    #[serde(rename = "s")]
    pub steps: usize,
}

/// One test to run. There are many of them, so their fields have short names on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its number.
    #[serde(rename = "n")]
    pub number: TaskNumber,
    /// In which module.
    #[serde(rename = "m")]
    pub module: ModuleNumber,
    /// The test's path.
    #[serde(rename = "p")]
    pub path: String,
    /// How it is run.
    #[serde(rename = "h")]
    pub harness: Harness,
    /// The function to call, for the SDK's harness.
    #[serde(rename = "e")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// Whether the test is marked as ignored (and was asked for all the same).
    #[serde(rename = "i")]
    pub ignored: bool,
    /// What has to come of it.
    #[serde(rename = "x")]
    #[serde(default, skip_serializing_if = "Expect::is_pass")]
    pub expect: Expect,
    /// How long it may run.
    #[serde(rename = "t")]
    #[serde(with = "nanoseconds")]
    pub timeout: Duration,
    /// How much memory it may use, in bytes.
    #[serde(rename = "z")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<u64>,
    /// What is run around it in its instance, if anything is.
    #[serde(rename = "a")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Box<Around>>,
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
    /// What has to be there before it runs, in order.
    pub fn steps(&self) -> &[Step] {
        self.around.as_ref().map_or(&[], |around| &around.steps)
    }
}

/// A fixture that is set up once, in an instance that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedTask {
    /// Its number in the run, which is also that of its value.
    pub number: ValueNumber,
    /// In which module.
    pub module: ModuleNumber,
    /// Its name for people, which its instance finds in place of a test's.
    pub of: String,
    /// What runs in its instance, itself at the end.
    pub around: Around,
    /// Whether it gives a value.
    pub travels: bool,
    /// How long each call may take.
    pub timeout: Duration,
    /// The host fixtures whose grants it has.
    pub fixtures: Vec<FixtureNumber>,
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

/// From the primary to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message.
    Setup(WorkerSetup),
    /// A module that later messages name.
    Module(ModuleSpec),
    /// What a host fixture implies that later tasks name.
    Fixture(FixtureGrant),
    /// List a module's tests.
    List {
        /// Which module.
        module: ModuleNumber,
        /// How long listing may take.
        timeout: Duration,
    },
    /// Run a test.
    Run(Task),
    /// Run a suite's tests in one instance, in this order.
    Unit(Vec<Task>),
    /// A value that later messages name, as CBOR.
    Value(ValueNumber, #[serde(with = "serde_bytes")] Vec<u8>),
    /// A state can be mapped now: the file name of its compiled form, and the values
    /// of its module's mutable globals.
    Snapshot(SnapshotNumber, ModuleNumber, String, Globals),
    /// Set up a shared fixture.
    SetUp(Box<SharedTask>),
    /// Take a shared fixture down.
    TearDown(ValueNumber),
    /// The run is interrupted: what runs is to stop, and nothing new begins; what
    /// was set up is taken down.
    Interrupt,
    /// Give back up to this many tasks that have not begun, the last first.
    Revoke(usize),
    /// Give up this task, if it is the one that runs, and end.
    Stop {
        /// Which task.
        task: TaskNumber,
        /// Why; a worker knows best how long a test has run.
        why: Stop,
    },
}

/// Why a task is to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// It ran for longer than its limit: not if it has not.
    Limit,
    /// The run is interrupted.
    Interrupt,
}

/// A test as its harness lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTest {
    /// Its path.
    pub path: String,
    /// How it is run.
    pub harness: Harness,
    /// The function that it is exported as, for the SDK's harness.
    pub export: Option<String>,
    /// Set when it is marked as ignored: the reason, which may be empty.
    pub ignored: Option<String>,
    /// Set when it is expected to panic: what the message has to contain, if that
    /// is known and not empty.
    pub should_panic: Option<String>,
    /// Set when it is expected to fail: the reason, which may be empty.
    pub todo: Option<String>,
    /// Whether it is a benchmark.
    pub benchmark: bool,
    /// Its source file, where the harness tells.
    pub file: Option<String>,
    /// Its line in that file.
    pub line: Option<u64>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its short description.
    pub description: Option<String>,
    /// A time limit of its own.
    pub timeout: Option<Duration>,
    /// A memory limit of its own, in bytes.
    pub max_memory: Option<u64>,
    /// The paths of the fixtures that it needs.
    pub needs: Vec<String>,
    /// Its place among the cases of one function.
    pub case: u64,
}

impl ListedTest {
    /// Its path with the crate's name in front, where that is known.
    pub fn full_path(&self) -> Option<&str> {
        self.export.as_deref()?.strip_prefix(EXPORT_PREFIX)
    }

    /// What has to come of it.
    pub fn expect(&self) -> Expect {
        match (&self.should_panic, &self.todo) {
            (Some(text), _) => Expect::Panic(text.clone()),
            (None, Some(reason)) => Expect::Failure(reason.clone()),
            (None, None) => Expect::Pass,
        }
    }

    /// A test of which only the name is known.
    pub fn named(path: impl Into<String>, harness: Harness) -> Self {
        ListedTest {
            path: path.into(),
            harness,
            export: None,
            ignored: None,
            should_panic: None,
            todo: None,
            benchmark: false,
            file: None,
            line: None,
            tags: Vec::new(),
            description: None,
            timeout: None,
            max_memory: None,
            needs: Vec::new(),
            case: 0,
        }
    }
}

/// Why a module cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LoadError {
    /// The compiled form was refused: it has to be made again.
    Artefact(String),
    /// The module itself cannot be loaded or instantiated.
    Module(Cause),
    /// Its harness did not list its tests.
    List(Cause, Box<Captured>),
}

/// From a worker to the primary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// The worker is set up.
    Ready,
    /// It cannot be set up.
    SetupFailed(String),
    /// What a module holds.
    Listed {
        /// Which module.
        module: ModuleNumber,
        /// Its tests.
        tests: Result<Vec<ListedTest>, LoadError>,
    },
    /// A test has passed and left nothing to tell: task, start and duration in
    /// nanoseconds. Most messages are this one, so it is as small as it can be.
    Passed(TaskNumber, u64, u64),
    /// A test has ended in any other way.
    Done(Box<Done>),
    /// Tasks given back.
    Revoked(Vec<TaskNumber>),
    /// A task was given up; the worker ends.
    Stopped(Box<Stopped>),
    /// The unit that began with this task is over, its fixtures taken down.
    UnitDone(TaskNumber, Vec<SuiteFailure>),
    /// A state was written to the cache folder: its file, its size in bytes and the
    /// values of its module's mutable globals.
    State(SnapshotNumber, String, u64, Globals),
    /// There is no snapshot of a state, for this reason: it is made anew each time.
    NoState(SnapshotNumber, String),
    /// A shared fixture is there, with its value if it gives one; or it is not.
    SetUp(ValueNumber, Box<Result<Option<ByteBuf>, SetUpError>>),
    /// A shared fixture was taken down.
    TornDown(ValueNumber, Vec<SuiteFailure>),
}

/// Why a shared fixture is not there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SetUpError {
    /// Its module cannot be loaded.
    Load(LoadError),
    /// It failed.
    Failed(SuiteFailure),
    /// It asked for its tests to be skipped.
    Skipped(String),
    /// The run was interrupted.
    Interrupted,
}

/// What is known of a task that was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stopped {
    /// Which task.
    pub task: TaskNumber,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// How long it had run.
    pub duration: Duration,
    /// What it had written to stdout.
    pub stdout: Captured,
    /// What it had written to stderr.
    pub stderr: Captured,
}

impl Done {
    /// The smallest message that says all of this.
    pub fn into_message(self) -> FromWorker {
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let passed = self.outcome == Ok(Outcome::Passed);
        let nothing_more = self.logs.is_empty()
            && self.attachments.is_empty()
            && self.scratch.is_none()
            && self.suites.is_empty()
            && self.notes.is_empty();
        if passed && nothing_more {
            return FromWorker::Passed(self.task, nanos(self.start), nanos(self.duration));
        }
        FromWorker::Done(Box::new(self))
    }

    /// What [`FromWorker::Passed`] says.
    pub fn passed(task: TaskNumber, start: u64, duration: u64) -> Self {
        Done {
            start: Duration::from_nanos(start),
            duration: Duration::from_nanos(duration),
            ..Done::new(task, Ok(Outcome::Passed))
        }
    }

    /// A task of which no more is known than this.
    pub fn new(task: TaskNumber, outcome: Result<Outcome, LoadError>) -> Self {
        Done {
            task,
            outcome,
            start: Duration::ZERO,
            duration: Duration::ZERO,
            stdout: Captured::default(),
            stderr: Captured::default(),
            scratch: None,
            logs: Vec::new(),
            attachments: Vec::new(),
            suites: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// How a task ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// Which task.
    pub task: TaskNumber,
    /// How its test ended, or why its module could not be loaded.
    pub outcome: Result<Outcome, LoadError>,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Its stdout, kept only if it did not pass.
    pub stdout: Captured,
    /// Its stderr, kept only if it did not pass.
    pub stderr: Captured,
    /// Its scratch folder, if that was kept: as text, for people.
    pub scratch: Option<String>,
    /// What it logged for the report.
    pub logs: Vec<String>,
    /// What it attached to the report.
    pub attachments: Vec<Attachment>,
    /// What failed of the suites and fixtures around it.
    pub suites: Vec<SuiteFailure>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// From the primary to the compiler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompileJobs {
    /// The cache folder to write to.
    #[serde(with = "path_bytes")]
    pub cache: PathBuf,
    /// What to compile, the most wanted first.
    pub jobs: Vec<CompileJob>,
    /// States to compile.
    pub states: Vec<StateJob>,
}

/// A state to compile, which has no code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateJob {
    /// Its number.
    pub number: SnapshotNumber,
    /// Its file in the cache folder, which goes.
    pub state: String,
    /// The file name of its compiled form.
    pub artefact: String,
}

/// One module to compile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompileJob {
    /// Its number.
    pub module: ModuleNumber,
    /// The file.
    #[serde(with = "path_bytes")]
    pub file: PathBuf,
    /// What it holds.
    pub content: crate::module::ContentHash,
    /// What it is.
    pub format: Format,
    /// What it is to be made into.
    pub form: Form,
    /// What the cache has of it.
    pub found: Found,
}

/// What a module is compiled into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// As it is.
    Plain,
    /// With its memory from outside, so that its states can be replayed; as it is,
    /// if it cannot be rewritten.
    Replayable,
}

/// What the cache was found to have of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// Nothing that fits; another process may have made it by now.
    Nothing,
    /// A compiled form that a worker refused.
    Refused,
}

/// From the compiler to the primary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompileResult {
    /// Of what.
    pub of: Compiled,
    /// Whether its compiled form is in the cache now.
    pub result: Result<(), String>,
}

/// What was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compiled {
    /// A module.
    Module(ModuleNumber),
    /// A state.
    State(SnapshotNumber),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::StepAction;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn what_a_worker_needs_to_start_round_trips_as_one_value() {
        let setup = WorkerSetup {
            cache: "/c".into(),
            scratch: "/s".into(),
            keep_scratch: Keep::Failed,
            dirs: vec![DirGrant {
                host: std::ffi::OsStr::from_bytes(b"/a/\xff").into(),
                guest: vec!["b".into(), "/a/b".into()],
                access: Access::ReadOnly,
            }],
            env: vec![("TMPDIR".into(), "/tmp".into())],
            wasm_stack: 8 << 20,
            unknown_imports: UnknownImports::Refuse,
            after_failure: AfterFailure::GiveBack,
            capture: 1024,
        };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &setup).expect("a vector takes everything");
        let back: WorkerSetup = read_frame(&mut bytes.as_slice())
            .expect("it was just written")
            .expect("there is one frame");
        assert_eq!(back, setup);
    }

    #[test]
    fn case_20_what_a_worker_is_told_of_suites_round_trips() {
        let step = |path: &str, action| Step {
            path: path.to_owned(),
            action,
            suite: Some("c::m".to_owned()),
            teardown: Some("wasmtest:c::m::end".to_owned()),
            fresh: action == StepAction::Run,
        };
        let around = Around {
            steps: vec![
                step("c::m::begin", StepAction::Run),
                step("c::config", StepAction::Receive(ValueNumber(7))),
                Step {
                    suite: None,
                    teardown: None,
                    ..step("c::m", StepAction::Nothing)
                },
            ],
            before: vec!["c::m::before".to_owned()],
            after: Vec::new(),
        };
        let task = Task {
            number: TaskNumber(3),
            module: ModuleNumber(1),
            path: "m::t".to_owned(),
            harness: Harness::Sdk,
            export: Some("wasmtest:c::m::t".to_owned()),
            ignored: true,
            expect: Expect::Panic("words".to_owned()),
            timeout: Duration::from_nanos(1_500_000_001),
            snapshot: Some(SnapshotUse {
                number: SnapshotNumber(3),
                steps: 1,
            }),
            max_memory: Some(1 << 20),
            around: Some(Box::new(around.clone())),
            fixtures: vec![FixtureNumber(2)],
        };
        let plain = Task {
            around: None,
            export: None,
            expect: Expect::Pass,
            max_memory: None,
            fixtures: Vec::new(),
            ..task.clone()
        };
        let shared = SharedTask {
            number: ValueNumber(7),
            module: ModuleNumber(1),
            of: "config".to_owned(),
            around,
            travels: true,
            timeout: Duration::from_secs(60),
            fixtures: vec![FixtureNumber(2)],
        };
        let messages = [
            ToWorker::Unit(vec![task, plain]),
            ToWorker::SetUp(Box::new(shared)),
            ToWorker::Value(ValueNumber(7), vec![0, 159, 146, 150]),
            ToWorker::TearDown(ValueNumber(7)),
        ];
        let mut bytes = Vec::new();
        for message in &messages {
            write_frame(&mut bytes, message).expect("a vector takes everything");
        }
        let mut from = bytes.as_slice();
        for message in &messages {
            let back: ToWorker = read_frame(&mut from)
                .expect("it was just written")
                .expect("there is a frame for each");
            match (&back, message) {
                (ToWorker::Unit(back), ToWorker::Unit(sent)) => assert_eq!(back, sent),
                (ToWorker::SetUp(back), ToWorker::SetUp(sent)) => assert_eq!(back, sent),
                (ToWorker::Value(number, back), ToWorker::Value(sent_number, sent)) => {
                    assert_eq!((number, back), (sent_number, sent));
                }
                (ToWorker::TearDown(back), ToWorker::TearDown(sent)) => assert_eq!(back, sent),
                _ => panic!("{back:?} came of {message:?}"),
            }
        }
    }

    #[test]
    fn a_frame_that_lies_about_its_length_is_an_error_and_takes_no_memory() {
        let lie = [0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        assert!(read_frame::<u32>(&mut lie.as_slice()).is_err());
        let short = [100, 0, 0, 0, 1, 2, 3];
        assert!(read_frame::<u32>(&mut short.as_slice()).is_err());
        assert!(read_frame::<u32>(&mut [1u8, 0].as_slice()).is_err());
        assert!(
            read_frame::<u32>(&mut [].as_slice())
                .expect("the end is no error")
                .is_none()
        );
    }
}
