//! Whether a file has changed since it was looked at.

use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::MetadataExt;

/// Times closer together than this may hide a change (coarse file systems).
pub(super) const RACY: i128 = 2_000_000_000;

/// What changes with a file.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: i128,
    changed: i128,
}

impl Stamp {
    pub(super) fn of(meta: &fs::Metadata) -> Self {
        let nanos = |s: i64, n: i64| i128::from(s) * 1_000_000_000 + i128::from(n);
        Stamp {
            inode: meta.ino(),
            size: meta.size(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether a change after this moment cannot carry the same times.
    pub(super) fn is_settled_at(&self, moment: i128) -> bool {
        moment - self.modified.max(self.changed) >= RACY
    }
}
