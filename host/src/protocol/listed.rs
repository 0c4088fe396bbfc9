//! What a module was found to hold, or why it cannot be used.

use super::task::Expect;
use crate::event::{Captured, Cause, HarnessName};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wasmtest_section::EXPORT_PREFIX;

/// What a module answers when it is asked for its tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub tests: Vec<ListedTest>,
    /// Why they are not called directly, though the module is prepared for that: a sentence's
    /// end for the user.
    pub plain: Option<String>,
    /// For how long that is so.
    pub holds: Holds,
}

/// For how long an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holds {
    /// As long as the module has the same bytes.
    ForTheModule,
    /// In this run: it hangs on files, or on how busy the machine was.
    ForTheRun,
}

/// A test as its harness lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTest {
    pub path: String,
    /// How it is run.
    pub harness: HarnessName,
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
    /// Why it cannot be run here, whoever asks for it.
    pub unable: Option<String>,
    /// What its harness has to know of it beside that, in its own words: nobody else reads it.
    pub data: String,
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
    pub fn named(path: impl Into<String>, harness: HarnessName) -> Self {
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
            unable: None,
            data: String::new(),
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
