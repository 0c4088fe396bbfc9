//! Which variables a package's tests see: by name, and of several of one name which counts.
//!
//! Takes variables from wherever they come, gives those that pass. None of the caller's passes
//! that is not named here: there are secrets among them.

use std::path::Path;

/// The variables of a package's tests, by who gives them. Of several of one name the first
/// counts, in this order.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// What settings ask for.
    pub settings: Vec<(String, String)>,
    /// What cargo sets for a program that it starts, and the build script for its package.
    pub cargo: Vec<(String, String)>,
    /// `[env]` of cargo's configuration.
    pub configured: Vec<(String, String)>,
    /// What passes from the caller.
    pub passed: Vec<(String, String)>,
}

impl Variables {
    /// All of them.
    pub fn once_each(self) -> Vec<(String, String)> {
        once_each([self.settings, self.cargo, self.configured, self.passed].concat())
    }
}

/// Of variables of one name, the first.
pub fn once_each(env: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut once: Vec<(String, String)> = Vec::new();
    for (name, value) in env {
        if !once.iter().any(|(n, _)| *n == name) {
            once.push((name, value));
        }
    }
    once
}

/// Variables of the caller's that tests may see: none of them is a secret.
pub const PASSED: [&str; 9] = [
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_LOG",
    "RUST_LOG_STYLE",
    "CI",
    "NO_COLOR",
    "TZ",
    "UPDATE_EXPECT",
    "CRITERION_HOME",
];
/// The same, whatever follows.
pub const PASSED_PREFIXES: [&str; 5] = ["INSTA_", "PROPTEST_", "QUICKCHECK_", "RSTEST_", "NEXTEST"];

/// Variables that cargo sets for a program that it starts, beside `OUT_DIR` and what a
/// build script asks for.
const OF_CARGO: [&str; 4] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_CRATE_NAME",
    "OUT_DIR",
];
const OF_CARGO_PREFIXES: [&str; 2] = ["CARGO_PKG_", "CARGO_BIN_EXE_"];

/// Whether a variable of the caller's passes.
pub fn passes(name: &str) -> bool {
    PASSED.contains(&name) || PASSED_PREFIXES.iter().any(|p| name.starts_with(p))
}

/// Whether a variable is one of cargo's for tests.
pub fn is_of_cargo(name: &str) -> bool {
    OF_CARGO.contains(&name) || OF_CARGO_PREFIXES.iter().any(|p| name.starts_with(p))
}

/// Those of the caller's variables that pass. Where insta finds the workspace is set in any
/// case: by itself it would start cargo.
pub fn passed_env(
    workspace: &Path,
    all: impl Iterator<Item = (String, String)>,
) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = all.filter(|(name, _)| passes(name)).collect();
    if !env.iter().any(|(name, _)| name == "INSTA_WORKSPACE_ROOT")
        && let Some(root) = workspace.to_str()
    {
        env.push(("INSTA_WORKSPACE_ROOT".to_owned(), root.to_owned()));
    }
    env.sort();
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_variables_of_one_name_the_first_counts() {
        let one = |value: &str| vec![("A".to_owned(), value.to_owned())];
        let all = Variables {
            settings: Vec::new(),
            cargo: one("cargo's"),
            configured: one("configured"),
            passed: [one("passed"), vec![("B".to_owned(), "b".to_owned())]].concat(),
        };
        let expected = [one("cargo's"), vec![("B".to_owned(), "b".to_owned())]].concat();
        assert_eq!(all.once_each(), expected);
    }

    #[test]
    fn where_insta_finds_the_workspace_is_said_unless_the_caller_says_it() {
        let of = |all: &[(&str, &str)]| {
            let all = all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            passed_env(Path::new("/w"), all.collect::<Vec<_>>().into_iter())
        };
        let is = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(of(&[("HOME", "/h")]), [is("INSTA_WORKSPACE_ROOT", "/w")]);
        let own = ("INSTA_WORKSPACE_ROOT", "/x");
        assert_eq!(of(&[own]), [is("INSTA_WORKSPACE_ROOT", "/x")]);
    }

    #[test]
    fn no_secret_passes() {
        for name in [
            "CARGO_REGISTRY_TOKEN",
            "HOME",
            "AWS_SECRET_ACCESS_KEY",
            "CARGO",
            "PATH",
        ] {
            assert!(!passes(name) && !is_of_cargo(name), "{name}");
        }
        for name in ["INSTA_UPDATE", "RUST_LOG", "PROPTEST_CASES"] {
            assert!(passes(name), "{name}");
        }
        assert!(is_of_cargo("CARGO_BIN_EXE_a-b") && is_of_cargo("CARGO_PKG_NAME"));
    }
}
