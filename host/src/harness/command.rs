//! The command harness: a plain WASI program is one test.
//!
//! It passes with exit status 0, however it leaves: by returning from `main`
//! or by `exit(0)`.

use super::evidence::Evidence;
use super::termination::Ending;
use crate::event::{Cause, Format, Harness, Outcome};
use crate::protocol::ListedTest;

/// The path of a command's only test.
pub const MAIN: &str = "main";

/// A command's list: itself.
pub fn list() -> Vec<ListedTest> {
    vec![ListedTest::named(MAIN, Harness::Command)]
}

/// How a command ended.
pub fn outcome(evidence: &Evidence<'_>, format: Format) -> Outcome {
    if let Some(outcome) = evidence.common_outcome() {
        return outcome;
    }
    match evidence.ending {
        Ending::Returned | Ending::Exited(0) => Outcome::Passed,
        Ending::Exited(status) if format == Format::Core => {
            Outcome::Failed(Cause::new(format!("exited with status {status}")))
        }
        _ => Outcome::Failed(Cause::new("exited with failure")),
    }
}
