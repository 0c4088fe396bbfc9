//! Which tests are meant: substrings of the test id, or whole names. Pure.

use crate::event::TestId;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A test is meant if one of these matches; all are if there are none.
    pub patterns: Vec<String>,
    /// A test is left out if one of these matches.
    pub skip: Vec<String>,
    /// How they match.
    pub matching: Matching,
    /// A test is meant only if it has one of these tags, if there are any.
    pub tags: Vec<String>,
    /// A test is left out if it has one of these tags.
    pub skip_tags: Vec<String>,
}

/// How a pattern matches a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// It occurs in the test's id.
    #[default]
    Substring,
    /// It is the test's id, or its path in its module.
    Exact,
}

impl Filter {
    /// Whether this test is meant.
    pub fn matches(&self, test: &TestId, tags: &[String]) -> bool {
        let tagged = |wanted: &[String]| wanted.iter().any(|t| tags.contains(t));
        if tagged(&self.skip_tags) || (!self.tags.is_empty() && !tagged(&self.tags)) {
            return false;
        }
        let id = test.to_string();
        let hit = |pattern: &String| match self.matching {
            Matching::Substring => id.contains(pattern.as_str()),
            Matching::Exact => id == *pattern || *test.path == **pattern,
        };
        (self.patterns.is_empty() || self.patterns.iter().any(hit)) && !self.skip.iter().any(hit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(path: &str) -> TestId {
        TestId {
            module: "db.wasm".into(),
            path: path.into(),
        }
    }

    #[test]
    fn tags_choose_and_leave_out() {
        let owned = |s: &[&str]| -> Vec<String> { s.iter().map(|s| (*s).to_owned()).collect() };
        let matches = |tags: &[&str], skip: &[&str], has: &[&str]| {
            Filter {
                tags: owned(tags),
                skip_tags: owned(skip),
                ..Filter::default()
            }
            .matches(&id("a"), &owned(has))
        };
        assert!(matches(&[], &[], &["x"]));
        assert!(matches(&["x", "y"], &[], &["y"]));
        assert!(!matches(&["x"], &[], &[]));
        assert!(!matches(&["x"], &["y"], &["x", "y"]));
    }

    fn matches(patterns: &[&str], skip: &[&str], matching: Matching, path: &str) -> bool {
        let owned = |s: &[&str]| s.iter().map(|s| (*s).to_owned()).collect();
        Filter {
            patterns: owned(patterns),
            skip: owned(skip),
            matching,
            ..Filter::default()
        }
        .matches(&id(path), &[])
    }

    #[test]
    fn substrings_of_the_whole_id_match_and_skips_win() {
        use Matching::Substring;
        assert!(matches(&[], &[], Substring, "a::b"));
        assert!(matches(&["nope", "wasm a"], &[], Substring, "a::b"));
        assert!(!matches(&["c"], &[], Substring, "a::b"));
        assert!(!matches(&["a"], &["::b"], Substring, "a::b"));
    }

    #[test]
    fn exact_means_the_whole_id_or_the_whole_path() {
        use Matching::Exact;
        assert!(matches(&["a::b"], &[], Exact, "a::b"));
        assert!(matches(&["db.wasm a::b"], &[], Exact, "a::b"));
        assert!(!matches(&["a::"], &[], Exact, "a::b"));
        assert!(matches(&[], &["a::"], Exact, "a::b"));
    }
}
