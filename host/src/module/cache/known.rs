//! What was found out about files: what they hold, how they run, their tests.

use super::stamp::Stamp;
use super::{Cache, now, passes_name};
use crate::event::{Cause, Format, HarnessName};
use crate::harness;
use crate::harness::sdk::Contents;
use crate::module::identify::{self, Identity, Looked};
use crate::protocol::{ContentHash, DirectCalls, Listing, StdGaps};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// To be raised with any change in how files are listed.
const LISTING: u32 = 12;
/// To be raised with any change in how files are told apart.
const IDENTITY: u32 = 1;
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
        let known: Known = serde_json::from_reader(io::BufReader::new(known.take(4096))).ok()?;
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

    /// Tells what a file holds and what it is, where plain programs are taken for this harness's:
    /// [`identify::look`], but for a file that was read before and has not changed since. One with
    /// tests of the SDK's, which are in it, is read each time. Gives what is to be remembered, too.
    ///
    /// # Errors
    /// As there.
    pub fn look(
        &self,
        path: &Path,
        taken_for: HarnessName,
    ) -> Result<(Looked, Option<Remembered>), Cause> {
        // a file that is not there is for who reads it
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        if let Some(meta) = &meta
            && let Some(content) = self.known_content(meta)
            && let Some(identity) = self.identity(content, taken_for)
        {
            let size = meta.len();
            let looked = Looked {
                content,
                size,
                identity,
            };
            return Ok((looked, None));
        }
        let looked = identify::look(path, taken_for)?;
        let has_all = looked.identity.sdk == Contents::default();
        let remembered = meta.filter(|_| has_all).map(|meta| Remembered {
            meta,
            content: looked.content,
            taken_for,
            identity: looked.identity.clone(),
        });
        Ok((looked, remembered))
    }

    /// Remembers what was found in a file; where that cannot be it is read again next time.
    pub fn remember(&self, of: &Remembered) {
        let _ = self.store_content(&of.meta, of.content);
        self.store_identity(of.content, of.taken_for, &of.identity);
    }

    fn identity(&self, content: ContentHash, taken_for: HarnessName) -> Option<Identity> {
        let bytes = self.read_sealed(&identity_name(content, taken_for), 256)?;
        let (format, harness): (Format, Option<HarnessName>) =
            serde_json::from_slice(&bytes).ok()?;
        harness.is_none_or(harness::is_known).then(|| Identity {
            format,
            harness,
            sdk: Contents::default(),
        })
    }

    fn store_identity(&self, content: ContentHash, taken_for: HarnessName, identity: &Identity) {
        if let Ok(bytes) = serde_json::to_vec(&(identity.format, identity.harness)) {
            let _ = self.write_sealed(&identity_name(content, taken_for), &bytes);
        }
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

    /// What a module answered when it was asked for its tests.
    pub fn listing(&self, of: Listed) -> Option<Listing> {
        let bytes = self.read_sealed(&of.name(), LARGEST_LISTING)?;
        let listing: Listing = postcard::from_bytes(&bytes).ok()?;
        let mut harnesses = listing.tests.iter().map(|test| test.harness);
        harnesses.all(harness::is_known).then_some(listing)
    }

    /// Keeps what a module answered when it was asked for its tests; a failure costs the next run
    /// a listing.
    pub fn store_listing(&self, of: Listed, listing: &Listing) {
        if let Ok(bytes) = postcard::to_stdvec(listing) {
            let _ = self.write_sealed(&of.name(), &bytes);
        }
    }
}

/// What was found in a file, with the metadata that it had before.
#[derive(Clone, Debug)]
pub struct Remembered {
    meta: fs::Metadata,
    content: ContentHash,
    taken_for: HarnessName,
    identity: Identity,
}

/// What a list is of.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    pub content: ContentHash,
    /// Who was asked: a program is a command to who does not ask it for tests.
    pub harness: HarnessName,
    pub std_gaps: StdGaps,
    /// Whether it was found out how they can be called directly.
    pub direct: DirectCalls,
}

impl Listed {
    fn name(self) -> String {
        // another wasmtest may know more of a file
        let version = env!("CARGO_PKG_VERSION").replace('.', "_");
        let (content, harness) = (self.content, self.harness);
        let passes = passes_name(self.std_gaps, self.direct);
        format!("{content}-{version}-{LISTING}-{harness}{passes}.tests")
    }
}

fn known_name(file: &fs::Metadata) -> String {
    format!("{:x}-{:x}.known", file.dev(), file.ino())
}

fn identity_name(content: ContentHash, taken_for: HarnessName) -> String {
    let version = env!("CARGO_PKG_VERSION").replace('.', "_");
    format!("{content}-{version}-{IDENTITY}-{taken_for}.identity")
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
    use crate::protocol::{Holds, ListedTest};
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
        let of = Listed {
            content: ContentHash::of(b"a program"),
            harness: harness::command::NAME,
            std_gaps: StdGaps::Left,
            direct: DirectCalls::Left,
        };
        let tests = ["one", "two"].map(|name| ListedTest::named(name, of.harness));
        let made = Listing {
            tests: tests.into(),
            plain: None,
            holds: Holds::ForTheModule,
        };
        cache.store_listing(of, &made);
        let listing = || cache.listing(of);
        assert_eq!(listing().as_ref(), Some(&made));
        let path = cache.dir().join(of.name());
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
