//! The doctest harness: a bundle of doctests that rustdoc has merged into one program, in a
//! crate of edition 2024; those of another edition in it, into one of their own.
//!
//! Such a program runs one of its doctests if a variable holds the doctest's number.
//! Which there are stands in the source of its `main`, which rustdoc leaves beside
//! the program while that runs ([`read_runner`]). A doctest passes as a program does, by
//! ending with status 0 in whatever way; one that is to panic passes by panicking. What
//! it says of places in the merged source is told of the user's own ([`Sources`]).

mod places;
mod source;

pub use places::{Sources, relocate};
pub use source::read_runner;

use super::evidence::Evidence;
use super::listing::{Answer, ListError, Question};
use super::termination::{Termination, Trap};
use super::{Case, Facts, Harness, Invocation, command};
use crate::event::{Cause, Format, HarnessName, Outcome};
use crate::protocol::{Expect, ListedTest};

/// Its name.
pub const NAME: HarnessName = HarnessName::new("doctest");

/// The variable that holds the number of the doctest to run.
const RUN_ONE: &str = "RUSTDOC_DOCTEST_RUN_NB_TEST";
/// What the name of the source of the program's `main` begins with: then comes the edition.
const RUNNER: &str = "doctest_runner_";
/// What the name of the source of the doctests themselves begins with.
const BUNDLE: &str = "doctest_bundle_";

/// The doctests of a bundle, and those that rustdoc itself has judged.
pub struct Doctests;

impl Harness for Doctests {
    fn name(&self) -> HarnessName {
        NAME
    }

    /// Nothing in the file tells: whoever knows what rustdoc has left beside it names the tests.
    fn recognises(&self, _: &Facts) -> bool {
        false
    }

    fn list(
        &self,
        _: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<Vec<ListedTest>, ListError> {
        Ok(command::list())
    }

    fn invoke<'a>(&self, case: &Case<'a>) -> Invocation<'a> {
        Invocation {
            env: vec![(RUN_ONE.into(), case.data.into())],
            ..Invocation::default()
        }
    }

    fn judge(&self, evidence: &Evidence<'_>, case: &Case<'_>) -> Outcome {
        outcome(evidence, case.expect)
    }
}

/// The edition whose doctests are merged into a program beside which a file of this name lies.
pub fn edition_of(file: &str) -> Option<&str> {
    let edition = file.strip_prefix(RUNNER)?.strip_suffix(".rs")?;
    edition
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then_some(edition)
}

/// The source of the `main` of such a program, beside it.
pub fn runner(edition: &str) -> String {
    format!("{RUNNER}{edition}.rs")
}

/// The source of its doctests, beside it.
pub fn bundle(edition: &str) -> String {
    format!("{BUNDLE}{edition}.rs")
}

/// The name that a function of a bundle has in its doctest.
pub fn own_name(function: &str) -> Option<&str> {
    let (edition, rest) = function.strip_prefix(BUNDLE)?.split_once("::__doctest_")?;
    let (number, own) = rest.split_once("::")?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (digits(edition) && digits(number)).then_some(own)
}

/// A merged program's doctests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// In their order.
    pub doctests: Vec<Doctest>,
    /// The arguments that it was built with, without the program's name: libtest's.
    pub args: Vec<String>,
}

/// One doctest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doctest {
    /// Its name: `src/lib.rs - one (line 7)`.
    pub name: String,
    /// The file that it stands in, as rustdoc writes it.
    pub file: String,
    /// The line of its opening fence.
    pub line: u64,
    /// What is done with it.
    pub kind: DoctestKind,
}

/// What is done with a doctest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoctestKind {
    /// It is run, and has to pass.
    Run,
    /// It is run, and has to panic.
    ShouldPanic,
    /// It is compiled, and not run.
    NoRun,
    /// It is neither compiled nor run.
    Ignored,
}

impl Doctest {
    /// Its name as libtest prints it, but for what it adds to those that are to panic.
    pub fn printed(&self) -> String {
        match self.kind {
            DoctestKind::NoRun => format!("{} - compile", self.name),
            DoctestKind::Run | DoctestKind::ShouldPanic | DoctestKind::Ignored => self.name.clone(),
        }
    }

    /// The same as a test to plan; `number` is its place in the bundle.
    pub fn listed(&self, number: usize) -> ListedTest {
        ListedTest {
            ignored: (self.kind == DoctestKind::Ignored).then(String::new),
            // rustdoc has not compiled it
            unable: (self.kind == DoctestKind::Ignored).then(|| "ignored".to_owned()),
            should_panic: (self.kind == DoctestKind::ShouldPanic).then(String::new),
            file: Some(self.file.clone()),
            line: Some(self.line),
            data: number.to_string(),
            ..ListedTest::named(self.printed(), NAME)
        }
    }
}

fn outcome(evidence: &Evidence<'_>, expect: &Expect) -> Outcome {
    let outcome = match (evidence.common_outcome(), evidence.ending) {
        (Some(outcome), _) => outcome,
        (None, Termination::Returned | Termination::Exited(0)) => Outcome::Passed,
        (None, ending) => {
            let error = evidence.stderr.error.as_deref();
            Outcome::Failed(Cause::new(match (error, ending) {
                (Some(error), _) => format!("returned an error\nError: {error}"),
                (None, Termination::Exited(status)) if evidence.format == Format::Core => {
                    format!("exited with status {status}")
                }
                _ => "exited with failure".to_owned(),
            }))
        }
    };
    let panicked = *evidence.ending == Termination::Trapped(Trap::Unreachable)
        && evidence.stderr.panic.is_some()
        && matches!(outcome, Outcome::Failed(_));
    match (expect, outcome) {
        (Expect::Panic(_), _) if panicked => Outcome::Passed,
        (Expect::Panic(_), Outcome::Passed) => {
            Outcome::Failed(Cause::new("it is marked `should_panic` and did not panic"))
        }
        (_, outcome) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_functions_are_of_an_edition() {
        assert_eq!(edition_of("doctest_runner_2021.rs"), Some("2021"));
        assert_eq!(edition_of("doctest_runner_x.rs"), None);
        assert_eq!(
            own_name("doctest_bundle_2018::__doctest_12::f::g"),
            Some("f::g")
        );
        assert_eq!(own_name("other::__doctest_0::f"), None);
    }
}
