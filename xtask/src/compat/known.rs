//! Why verdicts here differ from the native ones, where they do and are known to.
//!
//! A row is of one crate, and says what is said of the test here: so nothing that fails for
//! another reason, or is lost, is taken for known.

use super::verdict::{Difference, Verdict};

/// Differences of one cause.
#[derive(Debug)]
struct Known {
    name: &'static str,
    /// How the Rusts begin on which it is so; empty for all of them.
    on: &'static str,
    /// How the module and the test begin, with a space between them.
    tests: &'static [&'static str],
    /// Part of what is told of it here.
    here: &'static str,
    cause: &'static str,
}

/// On all Rusts.
const fn known(
    name: &'static str,
    tests: &'static [&'static str],
    here: &'static str,
    cause: &'static str,
) -> Known {
    Known {
        name,
        on: "",
        tests,
        here,
        cause,
    }
}

const SHOULD_PANIC: &str = "libtest does not run `should_panic` where a panic aborts";
const IGNORED: &str = "the crate itself ignores it on WASI, for what that lacks";
const OTHER_CFG: &str = "the crate itself compiles it for one of the two alone";
const READ_ONLY: &str = "it writes to the package's folder, which takes `--rw`";
const UNWINDS: &str = "it catches a panic, which aborts on WASI";
const SOCKETS: &str = "it opens a socket";
const PROCESSES: &str = "it starts a compiler, and WASI no processes";
const NEEDS: &str = "a dependency of its does not build for WASI";
const REFUSED_ANYWAY: &str = "it may be refused for what is left out of a dependency alone";
const NOT_THERE: &str = "not there";

const KNOWN: &[Known] = &[
    known("tempfile", &["tempfile::tempdir "], "ignored: ", IGNORED),
    known(
        "tempfile",
        &[
            "tempfile::namedtempfile test_make_uds",
            "tempfile::namedtempfile test_temp_path_resolve_missing_cwd",
            "tempfile::tempfile test_pathological_cleaner",
        ],
        NOT_THERE,
        OTHER_CFG,
    ),
    known(
        "tempfile",
        &["tempfile::spooled test_set_len_truncation"],
        "passed",
        OTHER_CFG,
    ),
    known(
        "tempfile",
        &["tempfile::doc/tempfile "],
        "PermissionDenied",
        READ_ONLY,
    ),
    known(
        "regex-syntax",
        &[
            "regex-syntax ast::tests::no_stack_overflow_on_drop",
            "regex-syntax hir::tests::no_stack_overflow_on_drop",
        ],
        NOT_THERE,
        OTHER_CFG,
    ),
    known("httparse", &["httparse simd::"], NOT_THERE, OTHER_CFG),
    known(
        "hashbrown",
        &[
            "hashbrown map::test_map::test_catch_panic_clone_from",
            "hashbrown map::test_map_with_mmap_allocations::",
            "hashbrown raw::test_map::test_catch_panic_clone_from",
        ],
        NOT_THERE,
        OTHER_CFG,
    ),
    known(
        "hashbrown",
        &["hashbrown::hasher_unwind "],
        "aborted",
        UNWINDS,
    ),
    known(
        "winnow",
        &["winnow"],
        "not built: it needs `snapbox`, which does not build",
        NEEDS,
    ),
    known(
        "winnow",
        &["winnow::doc/winnow "],
        "compile_fail, and `",
        REFUSED_ANYWAY,
    ),
    known(
        "smallvec",
        &["smallvec tests::"],
        "catch_unwind catches nothing",
        UNWINDS,
    ),
    known(
        "indexmap",
        &["indexmap::quick drain_bounds"],
        "catch_unwind catches nothing",
        UNWINDS,
    ),
    // quickcheck's `must_fail`
    known(
        "indexmap",
        &[
            "indexmap::quick replace_index",
            "indexmap::quick vacant_replace_index",
        ],
        "index out of bounds",
        UNWINDS,
    ),
    known(
        "serde_json",
        &["serde_json::test test_deserialize_from_stream"],
        "no sockets",
        SOCKETS,
    ),
    Known {
        on: "nightly",
        ..known(
            "serde_json",
            &["serde_json::compiletest ui"],
            "panicked at",
            PROCESSES,
        )
    },
];

/// The cause of a difference, if it is known.
pub fn cause(name: &str, rust: &str, difference: &Difference) -> Option<&'static str> {
    if let (Some(Verdict::Passed), Some(Verdict::Skipped(why))) =
        (&difference.native, &difference.ours)
        && why.starts_with("should_panic")
    {
        return Some(SHOULD_PANIC);
    }
    let here = match &difference.ours {
        Some(Verdict::Failed(why) | Verdict::Skipped(why)) => why.as_str(),
        Some(Verdict::Passed) => "passed",
        None => NOT_THERE,
    };
    let test = format!("{} {}", difference.module, difference.test);
    let is_so = |known: &&Known| {
        known.name == name
            && rust.starts_with(known.on)
            && known.tests.iter().any(|begin| test.starts_with(begin))
            && here.contains(known.here)
    };
    KNOWN.iter().find(is_so).map(|known| known.cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites;

    #[test]
    fn a_difference_is_known_by_its_test_and_what_is_said_of_it() {
        let difference = |test: &str, ours: Option<Verdict>| Difference {
            module: "tempfile::tempfile".to_owned(),
            test: test.to_owned(),
            native: Some(Verdict::Passed),
            ours,
        };
        let cause = |name, d: &Difference| cause(name, "1.99.1", d);
        let lost = difference("test_pathological_cleaner", None);
        assert_eq!(cause("tempfile", &lost), Some(OTHER_CFG));
        assert_eq!(cause("csv", &lost), None);
        assert_eq!(cause("tempfile", &difference("test_basic", None)), None);
        let failed = Some(Verdict::Failed("panicked".to_owned()));
        let failed = difference("test_pathological_cleaner", failed);
        assert_eq!(cause("tempfile", &failed), None);
        let skipped = Some(Verdict::Skipped("should_panic: libtest".to_owned()));
        let skipped = difference("any", skipped);
        assert_eq!(cause("csv", &skipped), Some(SHOULD_PANIC));
        for known in KNOWN {
            assert!(suites::all().any(|s| s.name == known.name), "{known:?}");
        }
    }
}
