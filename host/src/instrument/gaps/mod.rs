//! What std lacks on WASI and could have, filled in before a module is compiled.
//!
//! `std::env::temp_dir()` and `std::process::id()` only panic there. The first
//! becomes a call of std's own look-up of the variable `TMPDIR`, the second gives
//! a number that the host sets in each instance. Takes a module or component as it
//! is, which is read (`survey.rs`, `panics.rs`, `calls.rs`, `component.rs`), and the same without
//! custom sections, which is changed (`fill.rs`, `code.rs`). Knows WebAssembly's
//! binary format and how rustc names functions, nothing of engines or tests.
//!
//! Nothing is changed where it is not certain what it would do: whatever is not
//! exactly as described ends in `Left`, and the function panics as before. The
//! old body keeps its place and its length and calls a new one, which is added at
//! the end together with a copy of the old; that copy runs where there is nothing to give.

mod calls;
mod code;
mod component;
mod fill;
mod panics;
mod survey;

use super::put::CannotPut;
use super::{OffsetMap, PassOutput};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use wasmparser::Parser;

/// The function of a filled core module that sets what `std::process::id()` gives in that instance.
pub const SET_PROCESS_ID: &str = "wasmtest:set-process-id";
/// The same in a component, where names have fewer characters.
pub const SET_PROCESS_ID_IN_COMPONENT: &str = "wasmtest-set-process-id";

/// Why nothing was filled in, where nobody wanted it.
pub const NOT_WANTED: &str = "--no-std-gaps was given";

/// To be raised with any change here that changes what is compiled or told.
pub const VERSION: u32 = 3;

/// What became of std's functions in a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// `std::env::temp_dir()`
    pub temp_dir: Gap,
    /// `std::process::id()`
    pub process_id: Gap,
}

/// What became of one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    /// It works.
    Filled,
    /// No function has its name.
    Absent,
    /// It panics as before, and why: a sentence's end for the user.
    Left(String),
}

impl Gap {
    /// Why the function panics if it is called, for the user; `None` if it was filled in.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Gap::Filled => None,
            Gap::Absent => Some(
                "no function in this file has its name: link-time optimisation puts it into its callers",
            ),
            Gap::Left(why) => Some(why),
        }
    }

    fn of(found: &Result<(), Left>) -> Gap {
        match found {
            Ok(()) => Gap::Filled,
            Err(Left::Absent) => Gap::Absent,
            Err(why) => Gap::Left(why.to_string()),
        }
    }
}

impl Gaps {
    /// Nothing is filled in, and why.
    pub fn left(why: &str) -> Gaps {
        Gaps {
            temp_dir: Gap::Left(why.to_owned()),
            process_id: Gap::Left(why.to_owned()),
        }
    }

    /// Whether something was filled in: the module is another than it was.
    pub fn is_filled(&self) -> bool {
        self.temp_dir == Gap::Filled || self.process_id == Gap::Filled
    }

    /// One line for those who want to know.
    pub fn told(&self) -> String {
        let of = |name: &str, gap: &Gap| match gap {
            Gap::Filled => format!("{name} is filled in"),
            Gap::Absent => format!("{name} is not in it"),
            Gap::Left(why) => format!("{name} panics as ever, since {why}"),
        };
        let (dir, id) = (&self.temp_dir, &self.process_id);
        match (dir, id) {
            (Gap::Left(why), Gap::Left(same)) if why == same => {
                format!("std::env::temp_dir() and std::process::id() panic as ever, since {why}")
            }
            _ => format!(
                "{}; {}",
                of("std::env::temp_dir()", dir),
                of("std::process::id()", id)
            ),
        }
    }
}

/// Why a function is left as it is: the end of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Left {
    #[error("no function has its name")]
    Absent,
    #[error("the file names no functions (it was stripped)")]
    NoNames,
    #[error("several functions have its name")]
    SeveralOfItsName,
    #[error("its name is not mangled as rustc's usual names are")]
    Mangling,
    #[error("its type is not the one that it has in std (link-time optimisation changes that)")]
    OtherType,
    #[error("it does more than panic, or not where std's does")]
    OtherBody,
    #[error("its address is taken, so not all of its callers are known")]
    Referred,
    #[error("link-time optimisation has its callers end where they call it")]
    CallersEnd,
    #[error("std's look-up of a variable is not there as it is known")]
    NoLookUp,
    #[error("the end of the stack in memory is not known for certain")]
    NoStackPointer,
    #[error("{0}")]
    CannotPut(CannotPut),
    #[error("the module is unusual: {0}")]
    Unusual(&'static str),
    #[error("the file cannot be read: {0}")]
    Invalid(String),
}

impl From<CannotPut> for Left {
    fn from(e: CannotPut) -> Self {
        Left::CannotPut(e)
    }
}

impl From<wasmparser::BinaryReaderError> for Left {
    fn from(e: wasmparser::BinaryReaderError) -> Self {
        Left::Invalid(e.message().to_owned())
    }
}

/// What can be filled in in one core module.
#[derive(Debug)]
struct Plan {
    temp_dir: Result<TempDir, Left>,
    process_id: Result<ProcessId, Left>,
}

/// By their indices: `std::env::temp_dir`, and what its new body needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TempDir {
    function: u32,
    /// `std::env::_var_os`, or what it calls.
    look_up: u32,
    stack_pointer: u32,
}

/// By its index: `std::process::id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessId {
    function: u32,
}

impl Plan {
    fn left(why: Left) -> Plan {
        Plan {
            temp_dir: Err(why.clone()),
            process_id: Err(why),
        }
    }

    fn has_nothing(&self) -> bool {
        self.temp_dir.is_err() && self.process_id.is_err()
    }
}

/// The pass that fills in what std lacks. `original` is the module or component with its names,
/// `stripped` the same, or what [`rewrite()`](super::rewrite()) made of it, as it would be compiled.
/// What comes out has yet to be validated.
pub fn fill<'a>(original: &[u8], stripped: &'a [u8]) -> PassOutput<'a, Gaps> {
    let result = match Parser::is_component(original) {
        true => component::fill(original, stripped),
        false => {
            let plan = survey::survey(original);
            match plan.has_nothing() {
                true => Ok((plan, None)),
                false => fill::fill(stripped, &plan).map(|made| (plan, Some(made))),
            }
        }
    };
    let (plan, made) = match result {
        Ok(done) => done,
        Err(why) => (Plan::left(why), None),
    };
    let (bytes, offsets) = match made {
        Some((bytes, offsets)) => (Cow::Owned(bytes), offsets),
        None => (Cow::Borrowed(stripped), OffsetMap::default()),
    };
    PassOutput {
        bytes,
        offsets,
        facts: Gaps {
            temp_dir: Gap::of(&plan.temp_dir.map(|_| ())),
            process_id: Gap::of(&plan.process_id.map(|_| ())),
        },
    }
}

#[cfg(test)]
mod tests;
