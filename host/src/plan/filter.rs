//! Which tests are meant: substrings of the test id, or whole names. Pure.

use crate::event::TestId;
use crate::protocol::ListedTest;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A test is meant if one of these matches; all are if there are none.
    pub patterns: Vec<String>,
    /// A test is left out if one of these matches.
    pub skip: Vec<String>,
    /// How they match.
    pub matching: Matching,
    /// What they are compared with.
    pub of: Of,
    /// A test is meant only if it has one of these tags, if there are any.
    pub tags: Vec<String>,
    /// A test is left out if it has one of these tags.
    pub skip_tags: Vec<String>,
    /// What becomes of tests that are expected to panic.
    pub should_panic: ShouldPanic,
    /// Of those that are meant only this one, by its id or its path in its module, and
    /// those that come before it in its unit.
    pub up_to: Option<String>,
}

/// How a pattern matches a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// It occurs in what it is compared with.
    #[default]
    Substring,
    /// It is the whole of it, or the test's path in its module.
    Exact,
}

/// What a pattern is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Of {
    /// The test's id.
    #[default]
    Id,
    /// Its path in its module, as libtest does.
    Path,
}

/// What becomes of tests that are expected to panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShouldPanic {
    /// They are chosen like all others.
    #[default]
    Meant,
    /// They are left out.
    LeftOut,
}

impl Filter {
    /// Whether this test is meant.
    pub fn matches(&self, test: &TestId, listed: &ListedTest) -> bool {
        if self.should_panic == ShouldPanic::LeftOut && listed.should_panic.is_some() {
            return false;
        }
        let tagged = |wanted: &[String]| wanted.iter().any(|t| listed.tags.contains(t));
        if tagged(&self.skip_tags) || (!self.tags.is_empty() && !tagged(&self.tags)) {
            return false;
        }
        if self.patterns.is_empty() && self.skip.is_empty() {
            return true;
        }
        let name = match self.of {
            Of::Id => test.to_string(),
            Of::Path => test.path.to_string(),
        };
        let hit = |pattern: &String| match self.matching {
            Matching::Substring => name.contains(pattern.as_str()),
            Matching::Exact => name == *pattern || *test.path == **pattern,
        };
        (self.patterns.is_empty() || self.patterns.iter().any(hit)) && !self.skip.iter().any(hit)
    }

    /// Whether every test is meant, whatever it is called.
    pub fn means_all(&self) -> bool {
        *self == Filter::default()
    }

    /// Whether a test that is in no unit is not ruled out by [`Filter::up_to`].
    pub fn reaches(&self, test: &TestId) -> bool {
        let mut named = self.up_to.iter();
        named.all(|name| test.is_called(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::libtest;

    fn listed(tags: &[&str]) -> ListedTest {
        ListedTest {
            tags: tags.iter().map(|t| (*t).to_owned()).collect(),
            ..ListedTest::named("", libtest::NAME)
        }
    }

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
            .matches(&id("a"), &listed(has))
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
        .matches(&id(path), &listed(&[]))
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

    #[test]
    fn libtests_patterns_are_compared_with_the_path_alone() {
        let of_path = |pattern: &str, matching| {
            Filter {
                patterns: vec![pattern.to_owned()],
                matching,
                of: Of::Path,
                ..Filter::default()
            }
            .matches(&id("a::b"), &listed(&[]))
        };
        assert!(of_path("::b", Matching::Substring));
        assert!(!of_path("wasm", Matching::Substring));
        assert!(of_path("a::b", Matching::Exact));
        assert!(!of_path("db.wasm a::b", Matching::Exact));
    }

    #[test]
    fn tests_that_should_panic_can_be_left_out() {
        let filter = Filter {
            should_panic: ShouldPanic::LeftOut,
            ..Filter::default()
        };
        let mut test = listed(&[]);
        assert!(filter.matches(&id("a"), &test));
        test.should_panic = Some(String::new());
        assert!(!filter.matches(&id("a"), &test));
    }
}
