//! Passes over a module's bytes before it is compiled.
//!
//! Each takes bytes and gives bytes, the way back from offsets in them ([`OffsetMap`]), and
//! what else there is to know ([`PassOutput`]): [`strip`] leaves out what execution does not
//! need, [`gaps`] puts in what std lacks on WASI, [`rewrite()`] has a core module's memory come
//! from outside, so that there can be snapshots of it. Knows WebAssembly's binary format,
//! nothing of engines or tests.
//!
//! The last gives two modules: one that imports its memory and shows its mutable
//! globals, and one without code that holds what the memory begins with
//! ([`Rewritten::initial_memory`]). What the first has made of its memory can then be
//! written as another module without code ([`state_module`]), and the first be
//! started on that again and again. `survey.rs` (with `stack.rs`) reads and
//! decides, `rewrite.rs` and `state.rs` make bytes.
//!
//! All state of an instance lies in memory, mutable globals, tables and objects
//! on a collector's heap. The last two cannot be written down here, so a module
//! that could change them is [`NotUnderstood`], as is everything else of which
//! it is not certain that a copy of memory and globals is a copy of the state.

pub mod direct;
pub mod gaps;
mod offsets;
mod passes;
mod put;
mod rewrite;
mod stack;
mod state;
mod std_sources;
pub mod strip;
mod survey;

use direct::Prepared;
use gaps::Gaps;
use serde::{Deserialize, Serialize};

pub use offsets::OffsetMap;
pub use passes::PassOutput;
pub use rewrite::rewrite;
pub use state::{state_module, used};
pub use std_sources::is_runtime_source;

/// What is to be kept beside whatever was compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassFacts {
    /// The way back from what was compiled to the file.
    pub offsets: OffsetMap,
    /// What became of what std lacks.
    pub gaps: Gaps,
    /// What became of calling its tests directly.
    pub direct: Prepared,
}

/// The module from which a rewritten module imports its memory.
pub const STATE: &str = "wasmtest:state";
/// The memory's name, as that import and as an export of the modules without code.
pub const MEMORY: &str = "memory";

/// The name under which a rewritten module exports the mutable global of this index.
pub fn global_export(index: u32) -> String {
    format!("{GLOBAL}{index}")
}

const GLOBAL: &str = "wasmtest:global:";

/// Bytes of a WebAssembly page.
pub const PAGE: u64 = 1 << 16;

/// More could be exported, but would cost at each replay.
const MAX_GLOBALS: usize = 1024;

/// What there is to know of a module whose memory comes from outside; it has the code
/// that it had, byte by byte.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// A module without code that exports the memory which the original would
    /// have defined, holding the original's data.
    pub initial_memory: Vec<u8>,
    /// What there is to know about it later on.
    pub facts: RewriteFacts,
}

/// What is to be kept beside a rewritten module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteFacts {
    /// Its memory, as it was.
    pub memory: MemoryShape,
    /// The mutable globals that it defines, in the order of their indices.
    pub globals: Vec<GlobalShape>,
    /// The index of the global that points at the end of the stack in memory:
    /// by its name, or by what it begins with and how functions use it.
    pub stack_pointer: Option<u32>,
}

/// A memory's limits, in pages of 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryShape {
    /// What it begins with.
    pub minimum: u64,
    /// What it may grow to.
    pub maximum: Option<u64>,
}

/// A mutable global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalShape {
    /// Its index in the module.
    pub index: u32,
    /// What it holds.
    pub number: Number,
}

/// What a global holds that can be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Number {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `v128`
    V128,
}

/// Why there can be no snapshots of a module: a sentence's end for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// Only core modules can be rewritten.
    #[error("it is a component")]
    Component,
    /// It does not parse or is not valid.
    #[error("it is no valid WebAssembly: {0}")]
    Invalid(String),
    /// Code would run at every instantiation.
    #[error("it has a start function")]
    StartFunction,
    /// It has nothing to take a snapshot of.
    #[error("it has no memory")]
    NoMemory,
    /// Only one can come from outside.
    #[error("it has several memories")]
    SeveralMemories,
    /// The memory is somebody else's already.
    #[error("it imports its memory")]
    ImportedMemory,
    /// Other threads could change it.
    #[error("its memory is shared")]
    SharedMemory,
    /// The memory has 64-bit addresses.
    #[error("its memory has 64-bit addresses")]
    Memory64,
    /// The memory's pages are not of 64 KiB.
    #[error("its memory has pages of a size of its own")]
    CustomPageSize,
    /// Its state lies elsewhere.
    #[error("it imports a mutable global")]
    ImportedMutableGlobal,
    /// It could refer to anything.
    #[error("it imports a global of a reference type")]
    ImportedReference,
    /// Its elements could be changed elsewhere.
    #[error("it imports a table")]
    ImportedTable,
    /// References cannot be written down.
    #[error("it has a mutable global of a reference type")]
    MutableReference,
    /// They would all have to be set at each replay.
    #[error("it has more than {MAX_GLOBALS} mutable globals")]
    ManyGlobals,
    /// Whether they were dropped is state that cannot be seen.
    #[error("it has passive data segments")]
    PassiveData,
    /// Data segments are used after instantiation.
    #[error("it uses data segments in its code ({0})")]
    DataInCode(&'static str),
    /// Data lies where only the instance knows.
    #[error("the place of its data depends on a global")]
    DataAtGlobal,
    /// Tables cannot be written down.
    #[error("it changes its tables or elements ({0})")]
    TableChanged(&'static str),
    /// Objects cannot be written down.
    #[error("it has garbage-collected objects")]
    Objects,
    /// It could pass something else off as what is added here.
    #[error("it has an import or export with a name of wasmtest's own, `{0}`")]
    OwnName(String),
}
