//! Which files and which of their tests are meant.

use super::{CacheRoot, cache_root};
use crate::cli::{MatchArgs, SelectArgs, UsageError};
use crate::event::HarnessName;
use crate::grant::ModuleGrants;
use crate::harness::{command, side_files};
use crate::plan::filter::{Filter, Matching};
use crate::plan::{Choice, Ignored};
use crate::protocol::{Benchmarks, ListedTest, UnknownImports};
use std::path::PathBuf;

/// Which files and tests are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Files and folders to look for test modules in.
    pub paths: Vec<PathBuf>,
    /// Files that a build tool has named.
    pub files: Vec<TestFile>,
    /// The harness that plain programs in `paths` are taken for.
    pub unmarked: HarnessName,
    /// Which of their tests.
    pub filter: Filter,
    /// What is done with those that are ignored, and with benchmarks.
    pub choice: Choice,
    /// Where compiled modules are kept.
    pub cache_root: CacheRoot,
}

/// A file that a build tool has named, with what it said of it.
#[derive(Clone, Debug)]
pub struct TestFile {
    pub file: PathBuf,
    /// Its name in the run, unique among these.
    pub name: String,
    /// What its tests may reach beside what the run grants.
    pub grants: ModuleGrants,
    /// What is done about its unknown imports.
    pub unknown_imports: UnknownImports,
    /// The first part of the command that runs its tests again.
    pub rerun: String,
    /// The harness that it is taken for if it is a program that bears the marks of none.
    pub unmarked: HarnessName,
    /// Whether a word is lost on it if it holds no tests.
    pub without_tests: Silence,
    /// Its tests, where they are known already.
    pub listed: Option<Vec<ListedTest>>,
}

/// What it means that a file holds no tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing: many such files hold none.
    Usual,
    /// It may be a mistake, and is told.
    Told,
}

/// The harness that plain programs are taken for.
fn taken_for(args: &SelectArgs) -> HarnessName {
    match args.side_files {
        true => side_files::NAME,
        false => command::NAME,
    }
}

impl Selection {
    /// What `wasmtest run` and `list` are given.
    pub(super) fn new(args: &SelectArgs) -> Result<Selection, UsageError> {
        let paths = match args.paths.is_empty() {
            true => vec![PathBuf::from(".")],
            false => args.paths.clone(),
        };
        let selection = Selection::of(paths, &args.filters, &args.matching)?;
        Ok(Selection {
            unmarked: taken_for(args),
            ..selection
        })
    }

    /// The same in parts.
    pub(super) fn of(
        paths: Vec<PathBuf>,
        filters: &[String],
        args: &MatchArgs,
    ) -> Result<Selection, UsageError> {
        Ok(Selection {
            paths,
            files: Vec::new(),
            unmarked: command::NAME,
            filter: Filter {
                patterns: filters.to_vec(),
                skip: args.skip.clone(),
                tags: args.tags.clone(),
                skip_tags: args.skip_tags.clone(),
                up_to: args.up_to.clone(),
                matching: match args.exact {
                    true => Matching::Exact,
                    false => Matching::Substring,
                },
                ..Filter::default()
            },
            choice: Choice {
                ignored: match (args.run_ignored, args.include_ignored) {
                    (true, _) => Ignored::Only,
                    (_, true) => Ignored::Include,
                    _ => Ignored::Skip,
                },
                benchmarks: Benchmarks::Once,
            },
            cache_root: cache_root(args.cache_dir.as_deref())?,
        })
    }
}
