//! What the primary and a compiler say to each other.

use super::compiler::Compiler;
use super::setup::{DirectCalls, ModuleNumber, SnapshotNumber, StdGaps};
use crate::event::{Cause, Format};
use crate::paths::path_bytes;
use crate::text;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// From the primary to a compiler, which does nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompileJob {
    /// The folder that its parts are written to, and nothing else is.
    #[serde(with = "path_bytes")]
    pub parts: PathBuf,
    /// How many threads it may take.
    pub threads: usize,
    /// Whether nobody waits for it, so that it should take little from whatever else runs.
    pub in_background: bool,
    /// What it may cost.
    pub limits: CompileLimits,
    /// What is to be compiled.
    pub source: CompileSource,
}

/// What is to be compiled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum CompileSource {
    Module(ModuleJob),
    State(StateJob),
}

impl CompileSource {
    /// What an answer calls it.
    pub fn of(&self) -> Compiled {
        match self {
            CompileSource::Module(job) => Compiled::Module(job.module),
            CompileSource::State(job) => Compiled::State(job.number),
        }
    }
}

/// What it may cost to compile one module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileLimits {
    /// CPU time, in seconds.
    pub seconds: u64,
    /// Memory, in bytes.
    pub memory: u64,
}

impl CompileLimits {
    /// Far above what a debug binary of 100 MB takes.
    pub const DEFAULT: CompileLimits = CompileLimits {
        seconds: 120,
        memory: 4 << 30,
    };

    /// How long a compiler is waited for: a machine can be busy, and a process be stopped.
    pub fn patience(self) -> Duration {
        Duration::from_secs(self.seconds.saturating_mul(5).saturating_add(60))
    }

    /// How long another run is waited for that makes the same.
    pub fn lock_patience(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Its CPU time is up.
    pub fn too_slow(self) -> Cause {
        let seconds = self.seconds;
        let what = format!("compiling it takes more than {seconds} s of CPU time, its limit");
        Cause::new(what).hint("--compile-timeout SECONDS sets another limit")
    }

    /// It did not end.
    pub fn not_done(self) -> Cause {
        let patience = self.patience().as_secs();
        let what = format!(
            "compiling it did not come to an end in {patience} s, five times its limit of {} s of CPU time and a minute",
            self.seconds
        );
        Cause::new(what).hint("--compile-timeout SECONDS sets another limit")
    }

    /// It has asked for more memory than it may have.
    pub fn too_large(self) -> Cause {
        let memory = text::size(self.memory);
        let what = format!("compiling it takes more than {memory} of memory, its limit");
        Cause::new(what).hint("--compile-memory SIZE sets another limit")
    }
}

/// A state to compile, which has no code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateJob {
    pub number: SnapshotNumber,
    /// What compiled the module whose state it is: it has to fit that.
    pub compiler: Compiler,
    /// Its file, in the cache folder.
    #[serde(with = "path_bytes")]
    pub state: PathBuf,
}

/// One module to compile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModuleJob {
    pub module: ModuleNumber,
    #[serde(with = "path_bytes")]
    pub file: PathBuf,
    /// What it holds.
    pub content: super::ContentHash,
    pub format: Format,
    /// What it is to be made into.
    pub form: Form,
}

/// A form in which a module can be run: what compiles it, and what goes over it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Form {
    /// What compiles it.
    pub compiler: Compiler,
    /// What goes over it before.
    pub passes: Passes,
}

/// Which passes go over a module before it is compiled, beside that which strips it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Passes {
    /// What becomes of its memory.
    pub form: ArtefactForm,
    /// What becomes of what std lacks.
    pub std_gaps: StdGaps,
    /// Whether its tests can be called directly.
    pub direct: DirectCalls,
}

/// What a module is compiled into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ArtefactForm {
    Plain,
    /// With its memory from outside, so that its states can be replayed; as it is,
    /// if it cannot be rewritten.
    Replayable,
}

/// From a compiler to the primary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompileResult {
    pub of: Compiled,
    /// Whether all its parts are written.
    pub result: Result<(), Cause>,
}

/// What was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compiled {
    Module(ModuleNumber),
    State(SnapshotNumber),
}
