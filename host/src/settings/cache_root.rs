//! Where compiled modules are kept.

use crate::cli::{UsageError, usage};
use std::ffi::OsStr;
use std::path::PathBuf;

/// Where compiled modules are kept.
#[derive(Clone, Debug)]
pub struct CacheRoot {
    /// The folder.
    pub dir: PathBuf,
    /// Why it is that one.
    pub chosen: Chosen,
}

/// Who has chosen something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The user, who is told if it cannot be.
    Asked,
    /// Nobody: one can do without.
    Usual,
}

/// The cache folder: the one asked for, or the user's.
///
/// # Errors
/// If none was asked for and the user has none.
pub fn cache_root(asked: Option<&OsStr>) -> Result<CacheRoot, UsageError> {
    match asked.filter(|dir| !dir.is_empty()) {
        Some(dir) => Ok(CacheRoot {
            dir: PathBuf::from(dir),
            chosen: Chosen::Asked,
        }),
        None => match dirs::cache_dir() {
            Some(dir) => Ok(CacheRoot {
                dir: dir.join("wasmtest"),
                chosen: Chosen::Usual,
            }),
            None => usage(
                "--cache-dir",
                "this user has no cache folder (HOME is not set): name one",
            ),
        },
    }
}
