//! What the primary and its processes say to each other.
//!
//! The channel is a socket that is the child's stdin: nobody's stdout. `frame` is how
//! messages go over it, `setup` what a worker is told once, `task` what it is given to
//! do, `listed` what it finds in a module, `results` what it tells without a message, `compile`
//! what is said to a compiler, `compiler` which there are.

mod compile;
mod compiler;
mod content;
mod frame;
mod limits;
mod listed;
mod results;
mod setup;
mod snapshot;
pub mod suites;
mod task;

pub use compile::{
    ArtefactForm, CompileJob, CompileLimits, CompileResult, CompileSource, Compiled, Form,
    ModuleJob, Passes, StateJob,
};
pub use compiler::{Compiler, Compilers};
pub use content::ContentHash;
pub use frame::{
    MAX_FRAME, MAX_RESULT, is_one_value, read_frame, read_frame_within, write_frame,
    write_frame_within,
};
pub use limits::GuestLimits;
pub use listed::{Holds, ListedTest, Listing, LoadError};
pub use results::{MOST_UNREAD, PassedTest, ResultReader, ResultWriter};
pub use setup::{
    AfterFailure, Benchmarks, DEFAULT_WASM_STACK, DirectCalls, FixtureGrant, FixtureNumber, Keep,
    LibtestCalls, MaxScratch, ModuleNumber, ModuleSpec, Outputs, ReplaySpec, SnapshotNumber,
    SnapshotUse, StdGaps, TaskNumber, UnknownImports, WorkerSetup,
};
pub use snapshot::{Beside, Globals, StateForm, Value};
pub use task::{Expect, LimitOf, SharedTask, Task, Tasks};

use self::suites::ValueNumber;
use crate::event::{FixtureKind, Frame, Outcome, SetupOutput, SuiteFailure, TestOutput};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::time::Duration;

/// Where one serves a primary, and so what it may do to its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a process that does nothing else: its limits are set to what is being done, and it ends
    /// with its primary.
    OwnProcess,
    /// In a thread of a process that does much else.
    Thread,
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
        module: ModuleNumber,
        /// How long listing may take.
        timeout: Duration,
    },
    Run(Task),
    /// Run these one after the other, each by itself.
    Runs(Box<Tasks>),
    /// Run a suite's tests in one instance, in this order.
    Unit(Vec<Task>),
    /// A value that later messages name, as CBOR.
    Value(ValueNumber, #[serde(with = "serde_bytes")] Vec<u8>),
    /// A state can be mapped now: the file that it is kept in, what belongs to it beside its
    /// memory, and what was written until it was taken.
    Snapshot(SnapshotNumber, StateForm<String>, Beside, Vec<SetupOutput>),
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

/// From a worker to the primary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// The worker is set up.
    Ready,
    /// It cannot be set up.
    SetupFailed(String),
    /// What a module holds.
    Listed {
        module: ModuleNumber,
        tests: Result<Listing, LoadError>,
    },
    /// A test has passed and left nothing to tell: task, start and duration in
    /// nanoseconds. Most messages are this one, so it is as small as it can be.
    Passed(TaskNumber, u64, u64),
    /// There are such results that are in no message, but in the file between the two.
    Results,
    /// A test has ended in any other way.
    Done(Box<Done>),
    /// Tasks given back.
    Revoked(Vec<TaskNumber>),
    /// A task was given up; the worker ends.
    Stopped(Box<Stopped>),
    /// The unit that began with this task is over, its fixtures taken down.
    UnitDone(TaskNumber, Vec<SuiteFailure>),
    /// A state was written to the cache folder, in this worker's file of its number: its size in
    /// bytes, what belongs to it beside its memory, and what was written until it was taken.
    State(SnapshotNumber, u64, Beside, Vec<SetupOutput>),
    /// A state of so many bytes is being kept, which may take a while; until there is word
    /// of it this worker does nothing else.
    Keeping(SnapshotNumber, u64),
    /// That state is kept, in the file of its number: its size in bytes, what belongs to it
    /// beside its memory, and what was written until it was taken.
    Kept(SnapshotNumber, u64, Beside, Vec<SetupOutput>),
    /// There is no snapshot of a state, for this reason: it is made anew each time.
    NoState(SnapshotNumber, String),
    /// A shared fixture is there, with its value if it gives one, and with what was written
    /// in its instance; or it is not.
    SetUp(ValueNumber, Box<Result<SetUp, SharedSetupError>>),
    /// The teardown of this suite or fixture runs, and the run is interrupted.
    TakingDown(String, FixtureKind),
    /// What a shared fixture logs when it is set up or taken down.
    Logged(ValueNumber, Vec<String>),
    /// A shared fixture was taken down.
    TornDown(ValueNumber, Vec<SuiteFailure>),
}

/// A shared fixture that is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SetUp {
    /// Its value, as CBOR, if it gives one.
    pub value: Option<ByteBuf>,
    /// What was written in its instance while it was set up.
    pub wrote: Vec<SetupOutput>,
}

/// Why a shared fixture is not there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SharedSetupError {
    /// Its module cannot be loaded.
    Load(LoadError),
    Failed(Box<SuiteFailure>),
    /// It asked for its tests to be skipped.
    Skipped(String),
    /// The run was interrupted.
    Interrupted,
}

/// What is known of a task that was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stopped {
    pub task: TaskNumber,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// How long it had run.
    pub duration: Duration,
    /// What it had left.
    pub output: TestOutput,
    /// Where it was, as a failure shows it, where that was found.
    pub frames: Vec<Frame>,
    /// The function of the host's that it did not come back from, if it was one.
    pub in_host: Option<String>,
}

impl ToWorker {
    /// This, or what it stands for where that is several.
    pub fn each(self, each: impl FnMut(ToWorker)) {
        match self {
            ToWorker::Runs(tasks) => tasks.into_tasks().map(ToWorker::Run).for_each(each),
            one => std::iter::once(one).for_each(each),
        }
    }
}

impl FromWorker {
    /// How large it may be on the wire, in bytes.
    pub fn largest(&self) -> u32 {
        match self {
            FromWorker::Listed { .. } => MAX_FRAME,
            _ => MAX_RESULT,
        }
    }
}

impl Done {
    /// The same without what it wrote, which is more than can be told.
    pub fn without_output(&self) -> Done {
        let suites = self.suites.iter().map(|failure| SuiteFailure {
            output: TestOutput::default(),
            cause: failure.cause.clone(),
            of: failure.of.clone(),
            path: failure.path.clone(),
            part: failure.part,
        });
        Done {
            task: self.task,
            outcome: self.outcome.clone(),
            start: self.start,
            duration: self.duration,
            output: TestOutput {
                scratch: self.output.scratch.clone(),
                notes: vec!["what it wrote is left out: it is more than a report holds".to_owned()],
                ..TestOutput::default()
            },
            suites: suites.collect(),
            made: self.made.clone(),
            as_source: self.as_source.clone(),
        }
    }

    /// Whether its worker gives back what it has left after this one.
    pub fn gives_back(&self, after_failure: AfterFailure) -> bool {
        match &self.outcome {
            Ok(outcome) => after_failure == AfterFailure::GiveBack && !outcome.is_good(),
            Err(_) => true,
        }
    }

    /// The smallest message that says all of this.
    pub fn into_message(self) -> FromWorker {
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let passed = self.outcome == Ok(Outcome::Passed);
        let nothing_more = self.output.is_empty()
            && self.suites.is_empty()
            && self.made.is_none()
            && self.as_source.is_none();
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
            output: TestOutput::default(),
            suites: Vec::new(),
            made: None,
            as_source: None,
        }
    }
}

/// How a task ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    pub task: TaskNumber,
    /// How its test ended, or why its module could not be loaded.
    pub outcome: Result<Outcome, LoadError>,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// What it left beside that.
    pub output: TestOutput,
    /// What failed of the suites and fixtures around it.
    pub suites: Vec<SuiteFailure>,
    /// The static that it was still making when it was looked at, if it was.
    pub made: Option<String>,
    /// A source that it found by the name that `file!()` gives it, where that is no path.
    pub as_source: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::HarnessName;
    use crate::grant::{Access, DirGrant, HowToGrant};
    use crate::protocol::suites::StepAction;
    use crate::protocol::suites::{FixturePlan, FixtureStep};
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn what_a_worker_needs_to_start_round_trips_as_one_value() {
        let setup = WorkerSetup {
            cache: "/c".into(),
            run: "run-7".into(),
            own: "run-7-w0-1".into(),
            began: Duration::from_secs(1),
            scratch: "/s".into(),
            max_scratch: MaxScratch::DEFAULT,
            keep_scratch: Keep::Failed,
            dirs: vec![DirGrant {
                host: std::ffi::OsStr::from_bytes(b"/a/\xff").into(),
                guest: vec!["b".into(), "/a/b".into()],
                access: Access::ReadOnly,
            }],
            how_to_grant: HowToGrant::Rw,
            env: vec![("TMPDIR".into(), "/tmp".into())],
            compiler: Compiler::Winch,
            wasm_stack: 8 << 20,
            limits: GuestLimits::OF_TESTS,
            after_failure: AfterFailure::GiveBack,
            capture: 1024,
            outputs: Outputs::All,
            benchmarks: Benchmarks::Alone,
            random_seed: Some(7),
            current_dir: Some(std::ffi::OsStr::from_bytes(b"/h/\xff").into()),
            home_dir: None,
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
        let step = |path: &str, action| FixtureStep {
            path: path.to_owned(),
            action,
            suite: Some("c::m".to_owned()),
            teardown: Some("wasmtest:c::m::end".to_owned()),
            drops: Some("wasmtest-drop:c::m::begin".to_owned()),
            needs: vec!["c::config".to_owned()],
            fresh: action == StepAction::Run,
            of_one_test: action == StepAction::Nothing,
        };
        let around = FixturePlan {
            steps: vec![
                step("c::m::begin", StepAction::Run),
                step("c::config", StepAction::Receive(ValueNumber(7))),
                FixtureStep {
                    suite: None,
                    teardown: None,
                    drops: None,
                    needs: Vec::new(),
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
            harness: HarnessName::new("sdk"),
            export: Some("wasmtest:c::m::t".to_owned()),
            data: String::new(),
            ignored: true,
            expect: Expect::Panic("words".to_owned()),
            timeout: Duration::from_nanos(1_500_000_001),
            limit_of: LimitOf::Test,
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
            limit_of: LimitOf::Flag,
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
