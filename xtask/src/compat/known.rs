//! Why verdicts here differ from the native ones, where they do and are known to.

use super::verdict::{Difference, Verdict};

/// Differences of one cause.
struct Known {
    name: &'static str,
    /// Begins like the Rusts on which it is so; empty for all of them.
    on: &'static str,
    /// The module, and how the test's name begins; empty for all of the module's.
    module: &'static str,
    test: &'static str,
    /// What is said of it contains this.
    says: &'static str,
    cause: &'static str,
}

const SHOULD_PANIC: &str = "libtest does not run `should_panic` where a panic aborts";

const KNOWN: &[Known] = &[];

/// The cause of a difference, if it is known.
pub fn cause(name: &str, rust: &str, difference: &Difference) -> Option<&'static str> {
    if let (Some(Verdict::Passed), Some(Verdict::Skipped(why))) =
        (&difference.native, &difference.ours)
        && why.starts_with("should_panic")
    {
        return Some(SHOULD_PANIC);
    }
    let said = match &difference.ours {
        Some(Verdict::Failed(why) | Verdict::Skipped(why)) => why.as_str(),
        Some(Verdict::Passed) => "passed",
        None => "not there",
    };
    KNOWN
        .iter()
        .find(|known| {
            known.name == name
                && rust.starts_with(known.on)
                && difference.module == known.module
                && difference.test.starts_with(known.test)
                && said.contains(known.says)
        })
        .map(|known| known.cause)
}
