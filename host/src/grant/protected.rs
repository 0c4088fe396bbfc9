//! What on this machine is run outside of any sandbox: nothing there may be granted for writing.
//!
//! Told by what lies on the disk alone: manifests and build scripts, cargo's configuration,
//! what it has built, git's hooks; and our own cache of compiled modules. Changes nothing.

use super::{Access, DirGrant};
use crate::cli::{UsageError, usage};
use crate::layout::{self, STAND_INS};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// How many entries of a folder are looked at.
const MOST: usize = 50_000;

/// Cargo's configuration, in words.
const CONFIGURATION: &str = "cargo's configuration";
/// What git runs, in words.
const HOOKS: &str = "git's hooks";
/// What is called in place of rustc, in words.
const WRAPPER: &str = "what cargo calls in place of rustc";
/// What cargo has built, in words.
const BUILT: &str = "what cargo has built";

/// What a folder is, or lies in, that is run here. It need not exist yet.
pub fn lies_in(folder: &Path) -> Option<&'static str> {
    let folder = where_it_lies(folder);
    let named = |name: &str| folder.components().any(|c| c.as_os_str() == name);
    if named(".cargo") {
        return Some(CONFIGURATION);
    }
    if named(".git") {
        return Some(HOOKS);
    }
    if layout::is_of_stand_ins(&folder) {
        return Some(WRAPPER);
    }
    let is_built = |f: &Path| layout::is_profile(f) || layout::is_unit(f);
    folder.ancestors().any(is_built).then_some(BUILT)
}

/// What a folder holds, at any depth, that is run here, or that it holds all that a user has,
/// whose home is set so. Which manifests are run, the caller knows.
pub fn holds(
    folder: &Path,
    home_dir: Option<&Path>,
    is_built: impl Fn(&Path) -> bool,
) -> Option<&'static str> {
    let folder = where_it_lies(folder);
    if home_dir
        .and_then(home)
        .is_some_and(|home| home.starts_with(&folder))
    {
        return Some("all that you have");
    }
    let mut seen = 0;
    for entry in WalkDir::new(&folder).into_iter().flatten() {
        seen += 1;
        if seen > MOST {
            return Some("more files than can be looked through for what");
        }
        let is_folder = entry.file_type().is_dir();
        match entry.file_name().to_str() {
            Some(".cargo") if is_folder => return Some(CONFIGURATION),
            Some(".git") => return Some(HOOKS),
            Some(STAND_INS) => return Some(WRAPPER),
            Some("Cargo.toml") if entry.path().parent().is_some_and(&is_built) => {
                return Some("the manifest and the build script of a package");
            }
            _ if layout::marks_built(entry.path(), is_folder) => return Some(BUILT),
            _ => {}
        }
    }
    None
}

/// Whether a folder is plainly one that is run here, or all that a user has: without looking
/// through what it holds.
pub fn is_run(folder: &Path, home_dir: Option<&Path>) -> bool {
    let marks = ["Cargo.toml", "CACHEDIR.TAG", ".cargo", ".git"];
    let home = home_dir.and_then(home);
    let holds_all = home.is_some_and(|home| home.starts_with(where_it_lies(folder)));
    holds_all || lies_in(folder).is_some() || marks.iter().any(|mark| folder.join(mark).exists())
}

/// Compiled forms are native code: whoever can write them is not in a sandbox.
///
/// # Errors
/// For a grant through which the cache could be written.
pub fn refuse_writable_cache<'a>(
    granted: impl IntoIterator<Item = &'a DirGrant>,
    cache: &Path,
) -> Result<(), UsageError> {
    let cache = cache.canonicalize().unwrap_or_else(|_| cache.to_owned());
    let writable = |grant: &&DirGrant| grant.access == Access::ReadWrite;
    for grant in granted.into_iter().filter(writable) {
        if cache.starts_with(&grant.host) || grant.host.starts_with(&cache) {
            return usage(
                "--dir",
                format!(
                    "{} cannot be granted for writing: the cache of compiled modules is in {}; choose a smaller folder, or another --cache-dir",
                    grant.host.display(),
                    cache.display()
                ),
            );
        }
    }
    Ok(())
}

/// Where a path leads, whether or not its end exists.
pub fn where_it_lies(path: &Path) -> PathBuf {
    let there = path
        .ancestors()
        .find_map(|f| Some(f.canonicalize().ok()?.join(path.strip_prefix(f).ok()?)));
    there.unwrap_or_else(|| path.to_owned())
}

/// Where all that a user has lies, whose home is set so.
pub fn home(home_dir: &Path) -> Option<PathBuf> {
    home_dir.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_grant_for_writing_may_hold_the_cache_or_lie_in_it() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("there");
        let cache = root.join("a/cache");
        std::fs::create_dir_all(cache.join("inside")).expect("made");
        let grant = |path: &str, access| DirGrant {
            host: root.join(path),
            guest: vec!["x".to_owned()],
            access,
        };
        let beside = grant("a/other", Access::ReadWrite);
        for path in ["", "a", "a/cache", "a/cache/inside"] {
            let read = grant(path, Access::ReadOnly);
            assert!(refuse_writable_cache([&read, &beside], &cache).is_ok());
            let write = grant(path, Access::ReadWrite);
            let refused = refuse_writable_cache([&beside, &write], &cache);
            let why = refused.expect_err(path).why;
            assert!(why.contains("cannot be granted for writing"), "{why}");
        }
    }
}
