//! How one of the SDK's exports is called, and how that ended, against what was expected of it.

use crate::event::{Cause, HarnessName, Outcome};
use crate::harness::evidence::Evidence;
use crate::harness::listing::{Answer, ListError, Question};
use crate::harness::termination::{Termination, Trap};
use crate::harness::{Case, Facts, Harness, Invocation};
use crate::protocol::{Expect, ListedTest};

/// Its name.
pub const NAME: HarnessName = HarnessName::new("sdk");

/// Tests that the guest SDK made: listed from the file, called by their exports.
pub struct Sdk;

impl Harness for Sdk {
    fn name(&self) -> HarnessName {
        NAME
    }

    /// A file's tests of the SDK's are found beside whatever starts in it.
    fn recognises(&self, _: &Facts) -> bool {
        false
    }

    /// All of them are in the file's section.
    fn list(
        &self,
        _: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<Vec<ListedTest>, ListError> {
        Ok(Vec::new())
    }

    fn invoke<'a>(&self, case: &Case<'a>) -> Invocation<'a> {
        Invocation {
            export: case.export,
            ..Invocation::default()
        }
    }

    fn judge(&self, evidence: &Evidence<'_>, case: &Case<'_>) -> Outcome {
        outcome(evidence, case.expect)
    }
}

/// How a test ended, against what was expected of it.
fn outcome(evidence: &Evidence<'_>, expect: &Expect) -> Outcome {
    let outcome = plain_outcome(evidence);
    match (expect, outcome) {
        (_, skipped @ Outcome::Skipped { .. }) => skipped,
        (Expect::Pass, outcome) => outcome,
        (Expect::Panic(text), outcome) => expected_panic(evidence, text, outcome),
        (Expect::Failure(reason), Outcome::Passed) => Outcome::Failed(
            Cause::new(match reason.is_empty() {
                true => "it passed, and is marked `todo`".to_owned(),
                false => format!("it passed, and is marked `todo`: {reason}"),
            })
            .hint("remove the mark"),
        ),
        // what the test itself did; a file that lies or a stub is no failure of its
        (
            Expect::Failure(reason),
            Outcome::Failed(cause) | Outcome::OutOfMemory(cause) | Outcome::TimedOut(cause),
        ) => Outcome::ExpectedFailure {
            reason: reason.clone(),
            cause,
        },
        (Expect::Failure(reason), Outcome::Errored(cause)) if matches!(evidence.ending, Termination::Trapped(t) if !matches!(t, Trap::StubCalled(_) | Trap::Other(_))) => {
            Outcome::ExpectedFailure {
                reason: reason.clone(),
                cause,
            }
        }
        (Expect::Failure(_), outcome) => outcome,
    }
}

fn plain_outcome(evidence: &Evidence<'_>) -> Outcome {
    if let Some(outcome) = evidence.common_outcome() {
        return outcome;
    }
    match (evidence.ending, evidence.returned) {
        (Termination::Returned, Some(0)) => Outcome::Passed,
        (Termination::Returned, Some(1)) => {
            let error = evidence.returned_error();
            Outcome::Failed(error.unwrap_or_else(|| Cause::new("returned an error")))
        }
        (Termination::Returned, returned) => Outcome::Errored(Cause::new(format!(
            "its export returned {}, which means nothing",
            returned.map_or("nothing".to_owned(), |r| r.to_string())
        ))),
        (Termination::Exited(0), _) => Outcome::Failed(
            Cause::new("left by exit(0) before it came back: that is no pass")
                .hint("a test passes by returning; what comes after exit(0) was never run"),
        ),
        (Termination::Exited(status), _) => {
            Outcome::Failed(Cause::new(format!("exited with status {status}")))
        }
        (ending, _) => Outcome::Errored(Cause::new(format!("ended unexpectedly: {ending:?}"))),
    }
}

/// A panic is what the SDK's hook recorded: what stands on stderr proves nothing.
fn expected_panic(evidence: &Evidence<'_>, text: &str, outcome: Outcome) -> Outcome {
    let message = match (evidence.ending, evidence.panicked, &outcome) {
        (Termination::Trapped(Trap::Unreachable), Some(message), _) => message,
        (_, _, Outcome::Passed) => {
            return Outcome::Failed(Cause::new("it did not panic as expected"));
        }
        // it ran out of memory, or whatever else is known of it
        (Termination::Trapped(Trap::Unreachable), None, Outcome::OutOfMemory(_)) => return outcome,
        (Termination::Trapped(Trap::Unreachable), None, _) => {
            return Outcome::Errored(
                Cause::new("it aborted, and no panic was recorded")
                    .hint("a panic hook that the test sets replaces the one that records panics"),
            );
        }
        // a trap, an exit, a limit: whatever it is, it is no panic
        _ => return outcome,
    };
    if message.contains(text) {
        return Outcome::Passed;
    }
    let hint = format!("it should panic, with a message that contains: {text}");
    Outcome::Failed(match outcome.cause() {
        Some(cause) => cause.clone().hint(hint),
        None => Cause::new(format!("panicked\n{message}")).hint(hint),
    })
}
