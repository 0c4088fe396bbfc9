//! Has a libtest binary run one test of the host's choice, past libtest's own start-up.
//!
//! libtest reads its arguments, filters and sorts all tests at each start, which costs several
//! times what a short test does. The test functions can be called without that, in the same
//! life cycle of an instance: [`direct`] finds them in the file (`search.rs`, `described.rs`) and
//! puts another `main` in the place of the old one (`code.rs`), which stays as a copy. Inside the
//! real `_start` that calls what the host has chosen, so that constructors, the runtime's own
//! start, the main thread's name and the flush of stdout at the end all remain. Where the
//! host has chosen nothing the binary does what it did.
//!
//! How libtest describes a test is nobody's promise, so what is found are candidates: whoever
//! would call them has to prove first which are what.

mod code;
mod data;
mod described;
mod module;
mod panics;
mod runner;
mod search;

pub use described::WORD;
pub use panics::{LONGEST_PATH, body_around, panic_path};

use super::PassOutput;
use super::put::{self, CannotPut, Layout, Put};
use serde::{Deserialize, Serialize};
use wasm_encoder::ExportKind;

/// The global that is set to the place in the table of the test to be called; 0 for none.
pub const CHOSEN: &str = "wasmtest:chosen";
/// The global that holds the first word of what that test gave, once it came back; before, it
/// is [`NOTHING_YET`].
pub const GAVE: &str = "wasmtest:gave";
/// The table in which the tests are.
pub const TABLE: &str = "wasmtest:table";
/// What [`GAVE`] begins with.
pub const NOTHING_YET: i32 = 0x7777_7777;

const OWN_NAMES: [&str; 3] = [CHOSEN, GAVE, TABLE];

/// To be raised with any change here that changes what is compiled or found.
pub const VERSION: u32 = 4;

/// What became of a module for its tests to be called directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prepared {
    /// Nobody wanted it.
    Unwanted,
    /// It has another `main`.
    Yes {
        /// The index of the function in the file for which that stands.
        main: u32,
    },
    /// It is as it was, and why: a sentence's end for the user.
    No(String),
}

/// What was found in a binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The function that hands the tests over.
    main: u32,
    result: MainResult,
    /// Where in memory each test is described.
    pub tests: Vec<u32>,
    /// By which word of what describes a test all have names of their own.
    pub names: Vec<Candidate<String>>,
    /// By which word all have a function, and each function's place in the table.
    pub functions: Vec<Candidate<u32>>,
    /// Which word could say whether a test is to panic.
    pub expectations: Vec<Candidate<Expectation>>,
    /// The type of these functions.
    ty: u32,
    stack_pointer: u32,
}

impl Found {
    /// The index of the function that hands the tests over.
    pub fn main(&self) -> u32 {
        self.main
    }
}

/// What one word of a description says of each test, in one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<T> {
    /// Which word it is, from the beginning of the description.
    pub word: u32,
    /// What it says, test by test.
    pub of_tests: Vec<T>,
}

/// What could say whether a test is to panic, and with which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Tells apart what there is: none, a panic, a panic with these words.
    pub tag: u32,
    /// What the words behind it point at, if that could be text.
    pub text: Option<String>,
}

/// What `main` gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MainResult {
    Nothing,
    ExitCode,
}

/// Why tests cannot be called directly: a sentence's end for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// Only core modules are looked at.
    #[error("it is a component")]
    Component,
    /// libtest catches panics by itself there.
    #[error("its panics unwind")]
    Unwinds,
    /// They are handed to another function than libtest's (`#![test_runner]`).
    #[error("its tests are run by a runner of its own and not by libtest alone")]
    OwnRunner,
    /// No function hands over anything that could be tests.
    #[error("its tests are not found in the file as rustc is known to lay them out")]
    NoTests,
    /// More than one function does.
    #[error("several functions hand over what could be its tests")]
    Several,
    /// To find them takes too long.
    #[error("its tests could be in too many places of the file")]
    TooMuch,
    /// Nothing can be called without room on the stack.
    #[error("the end of the stack in memory is not known for certain")]
    NoStackPointer,
    /// It could pass something else off as what is added here.
    #[error("it has an export with a name of wasmtest's own, `{0}`")]
    OwnName(String),
    /// It is not made as rustc makes modules.
    #[error("the module is unusual: {0}")]
    Unusual(&'static str),
    /// The other `main` cannot be put in.
    #[error("{0}")]
    CannotPut(String),
    /// It does not parse.
    #[error("it cannot be read: {0}")]
    Invalid(String),
}

impl From<wasmparser::BinaryReaderError> for NotFound {
    fn from(e: wasmparser::BinaryReaderError) -> Self {
        NotFound::Invalid(e.message().to_owned())
    }
}

impl From<CannotPut> for NotFound {
    fn from(e: CannotPut) -> Self {
        NotFound::CannotPut(e.to_string())
    }
}

/// What there is to call in a binary.
///
/// # Errors
/// Where its tests are not found for certain.
pub fn find(original: &[u8]) -> Result<Found, NotFound> {
    search::search(original)
}

/// The pass that puts another `main` in. `original` is the binary with its names, `bytes` the same
/// as other passes left it, without them. What comes out has yet to be validated.
///
/// # Errors
/// Where it is not certain what would be called: the binary is left as it is.
pub fn direct(original: &[u8], bytes: &[u8]) -> Result<PassOutput<'static, Found>, NotFound> {
    let found = search::search(original)?;
    let layout = Layout::of(bytes)?;
    let mut put = Put::default();
    let chosen = put.global(&layout, 0);
    let gave = put.global(&layout, NOTHING_YET);
    put.replace(&layout, found.main, 0, |old| {
        let called = (found.ty, found.stack_pointer);
        code::main(found.result, called, (chosen, gave), old)
    })?;
    put.export(CHOSEN, ExportKind::Global, chosen);
    put.export(GAVE, ExportKind::Global, gave);
    put.export(TABLE, ExportKind::Table, 0);
    let (bytes, offsets) = put::assemble(bytes, &layout, &put)?;
    Ok(PassOutput {
        bytes: bytes.into(),
        offsets,
        facts: found,
    })
}
