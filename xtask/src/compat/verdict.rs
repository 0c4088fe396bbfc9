//! Verdicts of a suite, natively and here, and where they differ. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(String),
    /// With the reason that was given.
    Skipped(String),
}

/// By module, as `cargo wasmtest` names it, and test. A module without any test that can be
/// named has one without a name.
pub type Verdicts = BTreeMap<(String, String), Verdict>;

/// A test whose verdicts are not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub module: String,
    pub test: String,
    /// `None`: it is not known there.
    pub native: Option<Verdict>,
    pub ours: Option<Verdict>,
}

/// All differences. A doctest that is only compiled passes natively; here it is told as what
/// it is. What is said of a module as a whole is said of each test that it has natively.
pub fn compared(native: &Verdicts, ours: &Verdicts) -> Vec<Difference> {
    let all: BTreeSet<&(String, String)> = native.keys().chain(ours.keys()).collect();
    let modules: BTreeSet<&str> = native.keys().map(|(module, _)| module.as_str()).collect();
    let mut differences = Vec::new();
    for key in all {
        if key.1.is_empty() && modules.contains(key.0.as_str()) && !native.contains_key(key) {
            continue;
        }
        let whole = ours.get(&(key.0.clone(), String::new()));
        let (native, ours) = (native.get(key), ours.get(key).or(whole));
        let same = match (native, ours) {
            (Some(Verdict::Passed), Some(Verdict::Skipped(why))) => {
                why.starts_with("compiled, not run")
            }
            (Some(native), Some(ours)) => {
                std::mem::discriminant(native) == std::mem::discriminant(ours)
            }
            _ => false,
        };
        if !same {
            differences.push(Difference {
                module: key.0.clone(),
                test: key.1.clone(),
                native: native.cloned(),
                ours: ours.cloned(),
            });
        }
    }
    differences
}

/// `12 tests, 10 passed, 1 failed, 1 skipped`
pub fn counts(verdicts: &Verdicts) -> String {
    let count = |of: fn(&Verdict) -> bool| verdicts.values().filter(|v| of(v)).count();
    format!(
        "{} tests, {} passed, {} failed, {} skipped",
        verdicts.len(),
        count(|v| matches!(v, Verdict::Passed)),
        count(|v| matches!(v, Verdict::Failed(_))),
        count(|v| matches!(v, Verdict::Skipped(_)))
    )
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |verdict: &Option<Verdict>| match verdict {
            None => "not there".to_owned(),
            Some(Verdict::Passed) => "passed".to_owned(),
            Some(Verdict::Failed(why)) if why.is_empty() => "failed".to_owned(),
            Some(Verdict::Failed(why)) => format!("failed: {}", first_line(why)),
            Some(Verdict::Skipped(why)) if why.is_empty() => "skipped".to_owned(),
            Some(Verdict::Skipped(why)) => format!("skipped: {}", first_line(why)),
        };
        write!(
            f,
            "{} {}: natively {}, here {}",
            self.module,
            self.test,
            word(&self.native),
            word(&self.ours)
        )
    }
}

/// As much of what was said as fits.
fn first_line(why: &str) -> String {
    const MOST: usize = 160;
    // a panic says where on its first line
    let short: Vec<&str> = why.lines().take(2).collect();
    short.join(" ").chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_a_verdict_or_a_test_that_is_not_there() {
        let verdicts = |all: &[(&str, Verdict)]| -> Verdicts {
            let all = all.iter().cloned();
            all.map(|(test, v)| (("m".to_owned(), test.to_owned()), v))
                .collect()
        };
        let skipped = |why: &str| Verdict::Skipped(why.to_owned());
        let native = verdicts(&[
            ("a", Verdict::Passed),
            ("b", Verdict::Passed),
            ("c", Verdict::Failed(String::new())),
            ("d", Verdict::Passed),
            ("e", skipped("")),
        ]);
        let ours = verdicts(&[
            ("a", Verdict::Passed),
            ("b", skipped("should_panic: no")),
            ("c", Verdict::Failed("x".to_owned())),
            ("d", skipped("compiled, not run (no_run)")),
            ("f", Verdict::Passed),
        ]);
        let differ: Vec<String> = compared(&native, &ours)
            .iter()
            .map(|d| d.test.clone())
            .collect();
        assert_eq!(differ, ["b", "e", "f"]);
        assert_eq!(counts(&native), "5 tests, 3 passed, 1 failed, 1 skipped");
        let not_built = verdicts(&[("", Verdict::Failed("not built".to_owned()))]);
        let differ: Vec<String> = compared(&native, &not_built)
            .iter()
            .map(|d| format!("{} {:?}", d.test, d.ours))
            .collect();
        let why = "Some(Failed(\"not built\"))";
        assert_eq!(differ, ["a", "b", "d", "e"].map(|t| format!("{t} {why}")));
    }
}
