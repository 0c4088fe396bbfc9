//! What the primary and the compiler say to each other.

use super::setup::{ModuleNumber, SnapshotNumber, StdGaps};
use crate::event::Format;
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
    pub content: super::ContentHash,
    /// What it is.
    pub format: Format,
    /// What it is to be made into.
    pub form: Form,
    /// What becomes of what std lacks.
    pub std_gaps: StdGaps,
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
