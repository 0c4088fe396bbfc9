//! What the primary and the compiler say to each other.

use super::setup::{ModuleNumber, SnapshotNumber, StdGaps};
use crate::event::{Cause, Format};
use crate::paths::path_bytes;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateJob {
    pub number: SnapshotNumber,
    /// Its file in the cache folder, which goes.
    pub state: String,
    /// The file name of its compiled form.
    pub artefact: String,
}

/// One module to compile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompileJob {
    pub module: ModuleNumber,
    #[serde(with = "path_bytes")]
    pub file: PathBuf,
    /// What it holds.
    pub content: super::ContentHash,
    pub format: Format,
    /// What it is to be made into.
    pub form: Form,
    /// What becomes of what is there already.
    pub rebuild: Rebuild,
}

/// A form in which a module can be run: what compiles it, and what goes over it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Form {
    /// What compiles it.
    pub compiler: Compiler,
    /// What goes over it before.
    pub passes: Passes,
}

/// What makes native code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compiler {
    /// wasmtime's optimising compiler.
    Cranelift,
}

impl Compiler {
    /// All there are, that whose code is fastest first.
    pub const BEST_FIRST: [Compiler; 1] = [Compiler::Cranelift];

    /// As files are named.
    pub fn name(self) -> &'static str {
        match self {
            Compiler::Cranelift => "cranelift",
        }
    }
}

/// Which passes go over a module before it is compiled, beside that which strips it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Passes {
    /// What becomes of its memory.
    pub form: ArtefactForm,
    /// What becomes of what std lacks.
    pub std_gaps: StdGaps,
}

/// What a module is compiled into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ArtefactForm {
    Plain,
    /// With its memory from outside, so that its states can be replayed; as it is,
    /// if it cannot be rewritten.
    Replayable,
}

/// Whether what the cache has of a module is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rebuild {
    /// Not if it fits: another process may have made it by now.
    IfAbsent,
    /// A worker refused it.
    Refused,
}

/// From the compiler to the primary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompileResult {
    pub of: Compiled,
    /// Whether its compiled form is in the cache now.
    pub result: Result<(), Cause>,
}

/// What was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compiled {
    Module(ModuleNumber),
    State(SnapshotNumber),
}
