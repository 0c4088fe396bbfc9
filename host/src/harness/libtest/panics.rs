//! Tests that should panic: what each expects, what a panic is, and how one is judged.

use crate::event::{Cause, Outcome};
use crate::harness::evidence::Evidence;
use crate::harness::listing::Answer;
use crate::harness::scan::MAX_MESSAGE;
use crate::harness::termination::{Termination, Trap};
use crate::instrument::direct::{Candidate, Expectation, Found, body_around, panic_path};
use crate::protocol::ListedTest;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// With this libtest panics itself as soon as it runs tests.
pub(super) const MAKES_LIBTEST_PANIC: [(&str, &str); 1] = [("RUST_TEST_THREADS", "0")];

/// What std says of a panic whose payload is no text.
const NO_TEXT: &str = "Box<dyn Any>";

/// How a panic goes, in a file.
pub(super) struct Path {
    /// The innermost places on the stack at its end.
    pub(super) end: Vec<u64>,
    /// The function that tells of it.
    pub(super) tells: Range<u64>,
}

/// The places on the stack that are those of any panic and of nothing else, innermost first, as
/// one of libtest's own has shown them, and what told of it.
pub(super) fn path(original: &[u8], panicked: Answer) -> Result<Path, &'static str> {
    if panicked.ending != Termination::Trapped(Trap::Unreachable) {
        return Err("libtest does not panic as it is known to, so it is not known what a panic is");
    }
    let mut stack = panicked.stack;
    let length = panic_path(original, &stack);
    let length =
        length.ok_or("a panic ends there as an abort does, so the two cannot be told apart")?;
    let tells = tells(original, &stack, &panicked.told_at);
    let tells = tells.ok_or("it is not known what tells of a panic")?;
    stack.truncate(length);
    Ok(Path { end: stack, tells })
}

/// The function that tells of a panic and then ends it: on both stacks, and the first that is. What
/// called it is at one place on both; where it is itself differs.
fn tells(original: &[u8], end: &[u64], told_at: &[u64]) -> Option<Range<u64>> {
    let caller = end.iter().position(|place| told_at.contains(place))?;
    let tells = body_around(original, *end.get(caller.checked_sub(1)?)?)?;
    let at_both = told_at.iter().any(|place| tells.contains(place));
    at_both.then_some(tells)
}

/// A word of what describes a test that could say whether it should panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// Which word.
    pub(super) word: u32,
    /// What it is in those that should not, if there are any.
    pub(super) of_others: Option<u32>,
    /// What the message of each test's panic has to hold, by name: of those that should.
    pub(super) texts: HashMap<String, String>,
}

/// All words that could say which tests should panic, as libtest itself tells these.
pub(super) fn fits(tests: &[ListedTest], found: &Found) -> Vec<Fit> {
    let should: HashSet<&str> = tests
        .iter()
        .filter(|test| test.should_panic.is_some())
        .map(|test| test.path.as_str())
        .collect();
    let mut fits: Vec<Fit> = Vec::new();
    for names in &found.names {
        for candidate in &found.expectations {
            let fit = fit(&names.of_tests, candidate, &should);
            fits.extend(fit.filter(|fit| !fits.contains(fit)));
        }
    }
    fits
}

/// What they expect, if all say the same.
pub(super) fn agreed(fits: &[Fit]) -> Result<&HashMap<String, String>, &'static str> {
    let Some(first) = fits.first() else {
        return Err("what they expect is not found in the file");
    };
    match fits.iter().all(|fit| fit.texts == first.texts) {
        true => Ok(&first.texts),
        false => Err("what they expect could stand in more than one place"),
    }
}

/// What they expect if this is where that stands: of one tag are the tests that need not panic,
/// of one those that expect nothing more, of one those that expect a text.
fn fit(
    names: &[String],
    candidate: &Candidate<Expectation>,
    should: &HashSet<&str>,
) -> Option<Fit> {
    let mut tags_of_others = HashSet::new();
    let mut by_tag: HashMap<u32, Vec<(&str, Option<&str>)>> = HashMap::new();
    for (name, expectation) in names.iter().zip(&candidate.of_tests) {
        match should.contains(name.as_str()) {
            true => {
                let text = (name.as_str(), expectation.text.as_deref());
                by_tag.entry(expectation.tag).or_default().push(text);
            }
            false => {
                tags_of_others.insert(expectation.tag);
            }
        }
    }
    let all: usize = by_tag.values().map(Vec::len).sum();
    if all != should.len()
        || tags_of_others.len() > 1
        || tags_of_others.iter().any(|tag| by_tag.contains_key(tag))
    {
        return None;
    }
    let (mut bare, mut with_text) = (0, 0);
    let mut texts = HashMap::new();
    for tests in by_tag.into_values() {
        match tests.iter().filter(|(_, text)| text.is_some()).count() {
            0 => bare += 1,
            n if n == tests.len() => with_text += 1,
            _ => return None,
        }
        let owned = tests.into_iter();
        texts.extend(
            owned.map(|(name, text)| (name.to_owned(), text.unwrap_or_default().to_owned())),
        );
    }
    (bare <= 1 && with_text <= 1).then_some(Fit {
        word: candidate.word,
        of_others: tags_of_others.into_iter().next(),
        texts,
    })
}

/// Whether a stack is that of a panic, by the places of one.
fn goes_by(stack: &[u64], panic: &[u64]) -> bool {
    match (stack, panic) {
        ([trap, stack @ ..], [at, panic @ ..]) => {
            // for an `unreachable` that comes first in its function Winch's code has the place
            // behind it, and Cranelift's its own
            trap.abs_diff(*at) <= 1 && stack.starts_with(panic)
        }
        _ => false,
    }
}

/// How a test ended that should have panicked, with a message that holds this; `outcome` is what
/// would be said of any other.
pub(super) fn judge(
    evidence: &Evidence<'_>,
    panics: &[u64],
    text: &str,
    outcome: Outcome,
) -> Outcome {
    if outcome == Outcome::Passed {
        return Outcome::Failed(Cause::new("test did not panic as expected"));
    }
    if *evidence.ending != Termination::Trapped(Trap::Unreachable) {
        // a trap, an exit, a limit: whatever it is, it is no panic
        return outcome;
    }
    if !goes_by(evidence.stack, panics) {
        return no_panic(outcome);
    }
    if text.is_empty() {
        return Outcome::Passed;
    }
    let Some(panic) = evidence.told else {
        return Outcome::Errored(
            Cause::new("panicked, and nothing told with which message").hint(format!(
                "it should panic with a message that contains: {text}; a panic hook of its own, resume_unwind or a stderr that was moved leaves nothing to compare"
            )),
        );
    };
    let message = panic.message.as_str();
    let failed = |said: String| match outcome.cause() {
        Some(cause) => Outcome::Failed(Cause {
            message: said,
            ..cause.clone()
        }),
        None => Outcome::Failed(Cause::new(said)),
    };
    if message == NO_TEXT {
        return failed(format!(
            "expected panic with string value,\n found non-string value\n     expected substring: {text:?}"
        ));
    }
    if message.contains(text) {
        return Outcome::Passed;
    }
    if panic.is_cut {
        return Outcome::Errored(
            Cause::new(format!(
                "panicked with a message of which the first {} KiB are kept, and those do not contain what is expected",
                MAX_MESSAGE >> 10
            ))
            .hint(format!("expected substring: {text:?}")),
        );
    }
    failed(format!(
        "panic did not contain expected string\n      panic message: {message:?}\n expected substring: {text:?}"
    ))
}

fn no_panic(outcome: Outcome) -> Outcome {
    let hint = "it should panic, and ended in an abort or a trap, which is no panic";
    match outcome {
        Outcome::Failed(cause) => Outcome::Failed(cause.hint(hint)),
        Outcome::Errored(cause) => Outcome::Errored(cause.hint(hint)),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panics_places_are_the_same_but_for_the_byte_by_which_compilers_differ() {
        let panic = [100, 50, 20];
        for same in [&[100, 50, 20, 7][..], &[101, 50, 20], &[99, 50, 20]] {
            assert!(goes_by(same, &panic), "{same:?}");
        }
        for other in [&[102, 50, 20][..], &[100, 51, 20], &[100, 50], &[]] {
            assert!(!goes_by(other, &panic), "{other:?}");
        }
        assert!(!goes_by(&[100], &[]));
    }
}
