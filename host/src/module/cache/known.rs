//! What was found out about files: what they hold, how they run, their tests.

use super::stamp::Stamp;
use super::{Cache, gaps_name, now};
use crate::event::HarnessName;
use crate::harness;
use crate::protocol::{ContentHash, ListedTest, StdGaps};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

/// To be raised with any change in how files are listed.
const LISTING: u32 = 8;
/// How much of a list is read, in bytes: more than a worker may send.
const LARGEST_LISTING: u64 = 512 << 20;

/// What a file of the user's was found to hold.
#[derive(Serialize, Deserialize)]
struct Known {
    content: ContentHash,
    stamp: Stamp,
    /// When it was read, nanoseconds since the epoch.
    read: i128,
}

impl Cache {
    /// What a file of the user's holds, if it was read before and has not changed since.
    pub fn known_content(&self, file: &fs::Metadata) -> Option<ContentHash> {
        let known = self.open_file(&known_name(file)).ok()?;
        let known: Known = serde_json::from_reader(known.take(4096)).ok()?;
        let same = known.stamp == Stamp::of(file) && known.stamp.is_settled_at(known.read);
        same.then_some(known.content)
    }

    /// Keeps what a file of the user's holds, which had this metadata before it was read.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn store_content(&self, file: &fs::Metadata, content: ContentHash) -> io::Result<()> {
        let stamp = Stamp::of(file);
        let read = now();
        if !stamp.is_settled_at(read) {
            // it would never be believed
            return Ok(());
        }
        let known = Known {
            content,
            stamp,
            read,
        };
        self.write_whole(&known_name(file), &serde_json::to_vec(&known)?)
    }

    /// How a file of this content runs when it is started, if that was found out; the inner
    /// `None` if there is nothing to start.
    pub fn kind(&self, content: ContentHash) -> Option<Option<HarnessName>> {
        let bytes = self.read_sealed(&kind_name(content), 256)?;
        let kind: Option<HarnessName> = serde_json::from_slice(&bytes).ok()?;
        kind.is_none_or(harness::is_known).then_some(kind)
    }

    /// Keeps how a file of this content runs; a failure costs the next call a look.
    pub fn store_kind(&self, content: ContentHash, kind: Option<HarnessName>) {
        if let Ok(bytes) = serde_json::to_vec(&kind) {
            let _ = self.write_sealed(&kind_name(content), &bytes);
        }
    }

    /// The tests that a module was found to hold.
    pub fn listing(
        &self,
        content: ContentHash,
        harness: HarnessName,
        std_gaps: StdGaps,
    ) -> Option<Vec<ListedTest>> {
        let name = listing_name(content, harness, std_gaps);
        let bytes = self.read_sealed(&name, LARGEST_LISTING)?;
        let tests: Vec<ListedTest> = ciborium::from_reader(bytes.as_slice()).ok()?;
        let mut harnesses = tests.iter().map(|test| test.harness);
        harnesses.all(harness::is_known).then_some(tests)
    }

    /// Keeps the tests that a module was found to hold; a failure costs the next run a listing.
    pub fn store_listing(
        &self,
        content: ContentHash,
        harness: HarnessName,
        std_gaps: StdGaps,
        tests: &[ListedTest],
    ) {
        let mut bytes = Vec::new();
        if ciborium::into_writer(tests, &mut bytes).is_ok() {
            let _ = self.write_sealed(&listing_name(content, harness, std_gaps), &bytes);
        }
    }
}

/// By the harness too: a program is a command to who does not ask it for tests.
fn listing_name(content: ContentHash, harness: HarnessName, std_gaps: StdGaps) -> String {
    // another wasmtest may know more of a file
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    let gaps = gaps_name(std_gaps);
    format!("{content}-{version}-{LISTING}-{harness}{gaps}.tests")
}

fn known_name(file: &fs::Metadata) -> String {
    format!("{:x}-{:x}.known", file.dev(), file.ino())
}

fn kind_name(content: ContentHash) -> String {
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    format!("{content}-{version}.kind")
}

#[cfg(test)]
mod tests {
    use super::super::stamp::RACY;
    use super::super::tests::cache;
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_is_known_until_it_changes_and_never_while_that_could_be_missed() {
        let (root, cache) = cache();
        let path = root.path().join("program.wasm");
        let hash = ContentHash::of(b"a program");
        let write = |age: u64| {
            let mut file = File::create(&path).expect("made");
            file.write_all(b"a program").expect("written");
            file.set_modified(SystemTime::now() - Duration::from_secs(age))
                .expect("ours");
            file.metadata().expect("there")
        };
        let written = write(100);
        // its time of change, which nobody can set, is this moment
        cache.store_content(&written, hash).expect("left out");
        assert_eq!(cache.known_content(&written), None);
        let known = Known {
            content: hash,
            stamp: Stamp::of(&written),
            read: now() + RACY,
        };
        let known = serde_json::to_vec(&known).expect("it can be written");
        cache
            .write_whole(&known_name(&written), &known)
            .expect("written");
        assert_eq!(cache.known_content(&written), Some(hash));
        assert_eq!(cache.known_content(&write(50)), None);
    }

    #[test]
    fn a_list_that_was_damaged_is_none() {
        let (_root, cache) = cache();
        let (content, harness) = (ContentHash::of(b"a program"), harness::command::NAME);
        let tests = ["one", "two"].map(|name| ListedTest::named(name, harness));
        cache.store_listing(content, harness, StdGaps::Left, &tests);
        let listing = || cache.listing(content, harness, StdGaps::Left);
        assert_eq!(listing().as_deref(), Some(&tests[..]));
        let path = cache
            .dir()
            .join(listing_name(content, harness, StdGaps::Left));
        let whole = fs::read(&path).expect("there");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            fs::write(&path, damaged).expect("ours");
            assert_eq!(listing(), None, "byte {at}");
            fs::write(&path, &whole[..at]).expect("ours");
            assert_eq!(listing(), None, "{at} bytes");
        }
        fs::write(&path, [&whole[..], b"more"].concat()).expect("ours");
        assert_eq!(listing(), None);
    }
}
