//! The command harness: a plain WASI program is one test.
//!
//! It passes with exit status 0, however it leaves: by returning from `main`
//! or by `exit(0)`.

use super::evidence::Evidence;
use super::listing::{Answer, ListError, Question};
use super::termination::Termination;
use super::{Case, Facts, Harness, Invocation};
use crate::event::{Cause, Format, HarnessName, Outcome};
use crate::protocol::ListedTest;

/// Its name.
pub const NAME: HarnessName = HarnessName::new("command");

/// The path of a command's only test.
pub const MAIN: &str = "main";

/// A plain WASI program.
pub struct Command;

impl Harness for Command {
    fn name(&self) -> HarnessName {
        NAME
    }

    fn recognises(&self, facts: &Facts) -> bool {
        facts.is_program_of(NAME)
    }

    fn list(
        &self,
        _: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<Vec<ListedTest>, ListError> {
        Ok(list())
    }

    fn invoke<'a>(&self, _: &Case<'a>) -> Invocation<'a> {
        Invocation::default()
    }

    fn judge(&self, evidence: &Evidence<'_>, _: &Case<'_>) -> Outcome {
        outcome(evidence)
    }
}

/// A command's list: itself.
pub fn list() -> Vec<ListedTest> {
    vec![ListedTest::named(MAIN, NAME)]
}

fn outcome(evidence: &Evidence<'_>) -> Outcome {
    if let Some(outcome) = evidence.common_outcome() {
        return outcome;
    }
    match evidence.ending {
        Termination::Returned | Termination::Exited(0) => Outcome::Passed,
        Termination::Exited(status) if evidence.format == Format::Core => {
            Outcome::Failed(Cause::new(format!("exited with status {status}")))
        }
        _ => Outcome::Failed(Cause::new("exited with failure")),
    }
}
