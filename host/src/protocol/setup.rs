//! What a worker is told once: grants, modules, numbers by which later messages name things.

use super::compiler::Compiler;
use super::limits::GuestLimits;
use crate::event::{Format, HarnessName};
use crate::grant::{DirGrant, HowToGrant, ModuleGrants};
use crate::instrument::direct::Prepared;
use crate::instrument::gaps::Gaps;
use crate::instrument::{OffsetMap, RewriteFacts};
use crate::paths::path_bytes;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
    pub number: FixtureNumber,
    pub env: Vec<(String, String)>,
    pub dir: Option<DirGrant>,
    /// An address that components may connect to by TCP.
    pub addr: Option<SocketAddr>,
}

/// What becomes of a scratch folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// It goes with its test.
    Nothing,
    /// Those of failed tests stay.
    Failed,
}

/// Whose output is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outputs {
    /// That of tests that did not pass.
    NotPassed,
    /// That of all tests.
    All,
}

/// What is done with libtest's benchmarks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Benchmarks {
    /// Each is run once, as a test.
    #[default]
    Once,
    /// Each is measured, and tests are not run.
    Alone,
    /// Each is measured, and tests are run.
    Measured,
}

/// What becomes of function imports that nobody provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnknownImports {
    /// The module is refused.
    Refuse,
    /// They trap when called.
    Trap,
}

impl UnknownImports {
    /// What `--stub-imports`, or a setting of that name, asks for.
    pub fn stubbed(asked: bool) -> UnknownImports {
        match asked {
            true => UnknownImports::Trap,
            false => UnknownImports::Refuse,
        }
    }
}

/// What becomes of the functions of std that WASI has nothing for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StdGaps {
    /// They are made to work where that is certain to be right.
    Filled,
    /// They panic, as std has them do.
    Left,
}

impl StdGaps {
    /// What `--no-std-gaps` asks for.
    pub fn left(asked: bool) -> StdGaps {
        match asked {
            true => StdGaps::Left,
            false => StdGaps::Filled,
        }
    }
}

/// How the tests of libtest binaries are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibtestCalls {
    /// Past libtest's start-up in each module for which that is proved to be the same.
    WhereProved,
    /// The same, and a module for which it is not proved is an error.
    Directly,
    /// Each through a start of libtest.
    Plainly,
}

impl LibtestCalls {
    /// What modules are to be prepared for.
    pub fn wanted(self) -> DirectCalls {
        match self {
            LibtestCalls::WhereProved | LibtestCalls::Directly => DirectCalls::Prepared,
            LibtestCalls::Plainly => DirectCalls::Left,
        }
    }
}

/// Whether a module is compiled so that its tests can be called past their harness's start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DirectCalls {
    /// It is, where its tests are found.
    Prepared,
    Left,
}

/// What a worker does with the tasks that wait in it after a test that did not pass. Where the
/// test's module could not be loaded it always gives them back: the primary may ask a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterFailure {
    /// It goes on.
    GoOn,
    /// It gives them back: the run may be about to stop.
    GiveBack,
}

/// The WebAssembly stack unless asked for otherwise: deep recursion is what the
/// test suites of languages do (Go's runner for wasip1 asks for as much).
pub const DEFAULT_WASM_STACK: usize = 8 << 20;

/// All that a worker needs to start, as one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSetup {
    /// The cache folder that compiled forms are mapped from.
    #[serde(with = "path_bytes")]
    pub cache: PathBuf,
    /// What the names of this run's own files in it begin with.
    pub run: String,
    /// What the names of this worker's own files in it begin with, so that nobody has to be
    /// told of a name by a worker.
    pub own: String,
    /// What the machine's monotonic clock showed when the run began.
    pub began: Duration,
    /// Where scratch folders are made; the primary removes it at the end.
    #[serde(with = "path_bytes")]
    pub scratch: PathBuf,
    /// How much each of them may hold.
    pub max_scratch: MaxScratch,
    /// Whether scratch folders outlive their test.
    pub keep_scratch: Keep,
    pub dirs: Vec<DirGrant>,
    /// How more folders can be granted.
    pub how_to_grant: HowToGrant,
    /// The environment granted, `TMPDIR` included.
    pub env: Vec<(String, String)>,
    /// What most likely compiled the modules that it is told of: its engine is made while
    /// they are still looked at.
    pub compiler: Compiler,
    /// The WebAssembly stack, in bytes.
    pub wasm_stack: usize,
    /// How much a guest may take.
    pub limits: GuestLimits,
    /// What it does with waiting tasks after a test that did not pass.
    pub after_failure: AfterFailure,
    /// How many bytes of each stream are kept at its head, and again at its tail.
    pub capture: usize,
    /// Whose output it hands over.
    pub outputs: Outputs,
    /// What is done with benchmarks.
    pub benchmarks: Benchmarks,
    /// From what the random numbers of each call follow, if they are to be the same each time.
    pub random_seed: Option<u64>,
    /// The folder that the run was started in: what lies there is the developer's own.
    #[serde(with = "path_bytes::optional")]
    pub current_dir: Option<PathBuf>,
    /// Where all that the user has lies, as it is set: no advice grants that.
    #[serde(with = "path_bytes::optional")]
    pub home_dir: Option<PathBuf>,
}

/// How much a test may have in its own folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxScratch {
    /// On the disk, in bytes.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
}

impl MaxScratch {
    /// Unless asked for otherwise: more than tests need, and what a disk has left for each worker.
    pub const DEFAULT: MaxScratch = MaxScratch {
        bytes: 1 << 30,
        entries: 100_000,
    };

    /// How long one file may be that a worker writes, holes included, in bytes, unless all of
    /// a test's may be more. States of guests are among them, and as large as their memory.
    pub const LONGEST_FILE: u64 = 8 << 30;

    /// How long one file may be.
    pub fn longest_file(self) -> u64 {
        self.bytes.max(MaxScratch::LONGEST_FILE)
    }
}

/// A module as a worker needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSpec {
    pub number: ModuleNumber,
    /// Its name in the run, which is also the guest's `argv[0]`.
    pub name: String,
    /// The original file, for names and lines.
    #[serde(with = "path_bytes")]
    pub file: PathBuf,
    /// The content that was compiled.
    pub content: super::ContentHash,
    /// What the file is.
    pub format: Format,
    /// How its tests are run.
    pub harness: HarnessName,
    /// What they may reach beside what the run grants.
    pub grants: ModuleGrants,
    /// What to do about unknown imports.
    pub unknown_imports: UnknownImports,
    /// The file name of its compiled form in the cache folder.
    pub artefact: String,
    /// What compiled that.
    pub compiler: Compiler,
    /// The way back from what was compiled to the file.
    pub offsets: OffsetMap,
    /// What became in it of what std lacks.
    pub gaps: Gaps,
    /// Whether its tests can be called past their harness's start-up.
    pub direct: Prepared,
    /// Set if that is the rewritten module: what its memory begins with, and what is
    /// known of it.
    pub replay: Option<ReplaySpec>,
}

impl ModuleSpec {
    /// The index of the function in its file in whose place tests are called directly, if they
    /// can be.
    pub fn calls_from(&self) -> Option<u32> {
        match self.direct {
            Prepared::Yes { main } => Some(main),
            Prepared::Unwanted | Prepared::No(_) => None,
        }
    }
}

/// What it takes to replay states of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplaySpec {
    /// The file name of what the memory begins with, compiled.
    pub initial_memory: String,
    /// What is known of the module's rewriting.
    pub facts: RewriteFacts,
}

/// A snapshot's number in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SnapshotNumber(pub usize);

/// The state after a test's first steps, which others share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotUse {
    #[serde(rename = "n")]
    pub number: SnapshotNumber,
    /// How many of the steps it holds.
    #[serde(rename = "s")]
    pub steps: usize,
}
