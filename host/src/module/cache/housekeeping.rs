//! How large the cache is, and what of it goes.

use super::Cache;
use super::sweep::remove;
use crate::protocol::Compiler;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Entries not used for this long are removed.
pub const MAX_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// The least recently used entries go when all together are larger than this:
/// room for some hundred edits of a large debug binary.
pub const MAX_BYTES: u64 = 2 << 30;
/// An entry in use by a run that is under way is never removed.
pub(super) const IN_USE: Duration = Duration::from_secs(3600);

/// What the cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Compiled forms.
    pub artefacts: usize,
    /// How many of them each compiler has made.
    pub made_by: [(Compiler, usize); Compiler::BEST_FIRST.len()],
    /// Bytes of all files.
    pub bytes: u64,
}

impl Cache {
    /// What the cache holds.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage {
            artefacts: 0,
            made_by: Compiler::BEST_FIRST.map(|compiler| (compiler, 0)),
            bytes: 0,
        };
        for (path, meta) in self.files()? {
            usage.bytes += meta.len();
            if path.extension().is_none_or(|e| e != "cwasm") {
                continue;
            }
            usage.artefacts += 1;
            for (compiler, made) in &mut usage.made_by {
                *made += usize::from(Cache::is_of(&path, *compiler));
            }
        }
        Ok(usage)
    }

    /// Removes everything that is the cache's; gives what there was. What is
    /// being written just now stays, and so do locks, which others may hold.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clear(&self) -> io::Result<Usage> {
        let usage = self.usage()?;
        // `gaps` is what versions before the first wrote
        let ours = [
            "cwasm",
            "json",
            "tests",
            "facts",
            "passes",
            "gaps",
            "known",
            "identity",
            "kind",
            "state",
            "alive",
            "durations",
        ];
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if !path
                .extension()
                .is_some_and(|e| ours.iter().any(|o| e == *o))
            {
                continue;
            }
            // a folder is none of ours, and in the way
            match remove(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(usage)
    }

    /// Removes what is too old, and the least recently used while all is too large.
    pub fn prune(&self, max_bytes: u64, max_age: Duration) {
        let Ok(files) = self.files() else { return };
        // an entry: the files whose names begin alike, as old as its youngest
        let mut entries: std::collections::HashMap<String, (Duration, u64, Vec<PathBuf>)> =
            std::collections::HashMap::new();
        for (path, meta) in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let entry = name.split('.').next().unwrap_or_default().to_owned();
            let age = meta
                .modified()
                .ok()
                .and_then(|t| t.elapsed().ok())
                .unwrap_or_default();
            let known = entries.entry(entry).or_insert((age, 0, Vec::new()));
            known.0 = known.0.min(age);
            known.1 += meta.len();
            known.2.push(path);
        }
        let mut entries: Vec<_> = entries.into_values().collect();
        entries.sort_by_key(|(age, ..)| *age);
        let mut bytes = 0;
        for (age, size, paths) in entries {
            bytes += size;
            if age > IN_USE && (age > max_age || bytes > max_bytes) {
                for path in paths {
                    let _ = fs::remove_file(path);
                }
            }
        }
    }

    fn files(&self) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if let Ok(meta) = entry.metadata()
                && meta.is_file()
            {
                files.push((entry.path(), meta));
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cache;
    use super::*;
    use std::fs::OpenOptions;
    use std::time::SystemTime;

    #[test]
    fn old_entries_go_first_and_those_in_use_stay() {
        let (_root, cache) = cache();
        let age = |name: &str, hours: u64| {
            for suffix in ["", ".json"] {
                let file = OpenOptions::new()
                    .write(true)
                    .open(cache.dir().join(format!("{name}{suffix}")))
                    .expect("there");
                file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600))
                    .expect("ours");
            }
        };
        for (name, hours) in [("new.cwasm", 0), ("day.cwasm", 24), ("week.cwasm", 168)] {
            cache.store_artefact(name, &[0; 1000]).expect("stored");
            age(name, hours);
        }
        cache.prune(u64::MAX, Duration::from_secs(100 * 3600));
        assert!(!cache.dir().join("week.cwasm").exists());
        assert!(cache.dir().join("day.cwasm").exists());
        cache.prune(0, MAX_AGE);
        assert!(!cache.dir().join("day.cwasm").exists());
        assert!(cache.dir().join("new.cwasm").exists());
    }
}
