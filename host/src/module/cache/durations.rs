//! How long tests computed in earlier runs, by their names, so that it is known beforehand which are
//! long. Kept of a file by its path: its content is another after each edit.

use super::{Cache, now};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// To be raised with any change in what is kept.
const VERSION: u32 = 1;
/// A test that takes less is short, and nothing is kept of it.
pub const WORTH_KEEPING: Duration = Duration::from_millis(20);
/// Of no more tests is anything kept.
const MOST: usize = 100_000;
/// No more is read, in bytes.
const LARGEST: u64 = 4 << 20;
/// What was not seen for so long, in nanoseconds, is of a test that is no more.
const FORGOTTEN: i128 = 90 * 86_400 * 1_000_000_000;

/// How long the tests of a file took that took long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations(HashMap<u64, Took>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Took {
    millis: u32,
    /// When that was kept, nanoseconds since the epoch.
    kept: i128,
}

impl Durations {
    /// Whether nothing is known of any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long the test of this path took, if it took long.
    pub fn of(&self, path: &str) -> Option<Duration> {
        let took = self.0.get(&key(path))?;
        Some(Duration::from_millis(took.millis.into()))
    }

    /// Notes how long a test took; whether that is worth being kept.
    pub fn note(&mut self, path: &str, took: Duration) -> bool {
        let before = self.of(path);
        if took < WORTH_KEEPING {
            return before.is_some() && self.0.remove(&key(path)).is_some();
        }
        let millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        if before.is_none() && self.0.len() >= MOST {
            return false;
        }
        let kept = now();
        self.0.insert(key(path), Took { millis, kept });
        // no two runs take the same time
        before.is_none_or(|before| took.abs_diff(before) > before / 4)
    }
}

fn key(path: &str) -> u64 {
    let hash = blake3::hash(path.as_bytes());
    let (first, _) = hash.as_bytes().split_at(size_of::<u64>());
    u64::from_le_bytes(first.try_into().expect("so many bytes"))
}

impl Cache {
    /// How long the tests of this file took in earlier runs.
    pub fn durations(&self, file: &Path) -> Durations {
        let read = || {
            let bytes = self.read_sealed(&durations_name(file), LARGEST)?;
            let (version, all): (u32, Vec<(u64, u32, i128)>) = postcard::from_bytes(&bytes).ok()?;
            (version == VERSION).then_some(all)
        };
        let all = read().unwrap_or_default().into_iter();
        let all = all.map(|(key, millis, kept)| (key, Took { millis, kept }));
        Durations(all.collect())
    }

    /// Keeps how long the tests of this file took; a failure costs the next run a guess.
    pub fn store_durations(&self, file: &Path, durations: &Durations) {
        let oldest = now() - FORGOTTEN;
        let all = durations.0.iter().filter(|(_, took)| took.kept > oldest);
        let all = all.map(|(key, took)| (*key, took.millis, took.kept));
        let all: Vec<(u64, u32, i128)> = all.collect();
        if let Ok(bytes) = postcard::to_stdvec(&(VERSION, all)) {
            let _ = self.write_sealed(&durations_name(file), &bytes);
        }
    }
}

fn durations_name(file: &Path) -> String {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let hash = blake3::hash(path.as_os_str().as_bytes()).to_hex();
    format!("{}.durations", &hash[..32])
}

#[cfg(test)]
mod tests {
    use super::super::tests::cache;
    use super::*;

    #[test]
    fn what_took_long_is_known_of_the_file_from_then_on() {
        let (_root, cache) = cache();
        let (file, other) = (Path::new("/a/tests.wasm"), Path::new("/b/tests.wasm"));
        let mut durations = cache.durations(file);
        let (second, two) = (Duration::from_secs(1), Duration::from_secs(2));
        assert!(durations.note("long", second));
        assert!(!durations.note("short", WORTH_KEEPING / 2));
        cache.store_durations(file, &durations);
        let mut again = cache.durations(file);
        assert_eq!(again, durations);
        assert_eq!((again.of("long"), again.of("short")), (Some(second), None));
        assert!(cache.durations(other).is_empty());
        // about the same is nothing new, what has become short is
        assert!(!again.note("long", second + second / 8));
        assert!(again.note("long", two));
        assert!(again.note("long", WORTH_KEEPING / 2));
        assert!(again.is_empty());
    }

    #[test]
    fn what_was_damaged_is_not_believed() {
        let (_root, cache) = cache();
        let file = Path::new("/a/tests.wasm");
        let mut durations = Durations::default();
        durations.note("long", Duration::from_secs(1));
        cache.store_durations(file, &durations);
        let path = cache.dir().join(durations_name(file));
        let mut bytes = std::fs::read(&path).expect("there");
        *bytes.last_mut().expect("some") ^= 1;
        std::fs::write(&path, bytes).expect("ours");
        assert!(cache.durations(file).is_empty());
    }
}
