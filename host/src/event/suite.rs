//! Suites and fixtures of a module's: what they are called, and what failed of them.

use super::{Cause, TestOutput};
use serde::{Deserialize, Serialize};

/// What can be set up and torn down in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixtureKind {
    /// A suite, by its setup and teardown.
    Suite,
    /// A fixture that is asked for by its name.
    Fixture,
}

impl FixtureKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            FixtureKind::Suite => "suite",
            FixtureKind::Fixture => "fixture",
        }
    }
}

/// What failed of a suite or a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SuitePart {
    /// Setting it up.
    Setup,
    /// Taking it down.
    Teardown,
}

/// A suite or fixture that could not be set up or taken down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuiteFailure {
    /// Its name, without the crate's.
    pub of: String,
    /// The path of the function, which tells two failures apart.
    pub path: String,
    pub part: SuitePart,
    pub cause: Cause,
    pub output: TestOutput,
}

impl SuiteFailure {
    /// One that left no output.
    pub fn new(
        of: impl Into<String>,
        path: impl Into<String>,
        part: SuitePart,
        cause: Cause,
    ) -> Self {
        SuiteFailure {
            of: of.into(),
            path: path.into(),
            part,
            cause,
            output: TestOutput::default(),
        }
    }
}
