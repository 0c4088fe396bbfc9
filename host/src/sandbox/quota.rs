//! How much a test may have in its own folders, and what is counted of it before it is written.
//!
//! What a guest asks to write is counted as the most that it can take. Only when that passes what
//! is left are the folders looked through, which tells what the disk gave for them: to overwrite,
//! to remove and make again, or to leave holes costs nothing. What is refused is that one call of
//! that one test's. It counts per folder, not per instance: those that share a folder share it.

use super::deadline::Guard;
use crate::protocol::MaxScratch;
use crate::temporary::usage::{Count, Usage};
use crate::text;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a file system gives at once, in bytes.
const BLOCK: u64 = 4096;

/// What one test may still write to its own folders.
#[derive(Debug)]
pub struct Quota {
    most: MaxScratch,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    folders: Vec<PathBuf>,
    /// What can be taken without looking.
    left: Usage,
    /// Why there was no room when it was asked for last.
    no_room: Option<Refused>,
    refused: Option<Refused>,
}

/// What was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Bytes,
    Entries,
    /// A single file, whose length the system limits.
    Length,
    /// Nothing of its own: the disk has no room.
    Disk,
}

impl Quota {
    /// A whole one.
    pub fn new(most: MaxScratch) -> Arc<Quota> {
        Arc::new(Quota {
            most,
            state: Mutex::new(State {
                folders: Vec::new(),
                left: Usage {
                    bytes: most.bytes,
                    entries: most.entries,
                },
                no_room: None,
                refused: None,
            }),
        })
    }

    /// A folder whose contents count.
    pub fn covers(&self, folder: &Path) {
        let mut state = self.lock();
        // as the system names what was removed in it
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if !state.folders.contains(&folder) {
            state.folders.push(folder);
        }
    }

    /// Something came there that was not counted: it is before anything else does.
    pub fn recount(&self) {
        self.lock().left = Usage::default();
    }

    /// Counts bytes that are about to be written; whether there is room for them.
    fn has_room_for_bytes(&self, bytes: u64, guard: &Guard) -> bool {
        // wherever they begin, this many blocks
        let most = (bytes.div_ceil(BLOCK) + 1).saturating_mul(BLOCK);
        self.has_room(Usage { bytes, entries: 0 }, most, guard)
    }

    /// The same for an entry that is about to be made.
    fn has_room_for_entry(&self, guard: &Guard) -> bool {
        let entry = Usage {
            bytes: 0,
            entries: 1,
        };
        self.has_room(entry, BLOCK, guard)
    }

    /// The same for a file that is about to be so long, and may be all holes.
    fn has_room_for_length(&self, bytes: u64, guard: &Guard) -> bool {
        let nothing = Usage::default();
        self.has_room(nothing, bytes.min(self.most.bytes), guard)
    }

    fn has_room(&self, least: Usage, most_bytes: u64, guard: &Guard) -> bool {
        let mut state = self.lock();
        let left = state.left.bytes.checked_sub(most_bytes);
        let entries = state.left.entries.checked_sub(least.entries);
        if let (Some(bytes), Some(entries)) = (left, entries) {
            state.left = Usage { bytes, entries };
            return true;
        }
        // where that cannot be told nothing more is written
        let Some(used) = self.used(&state.folders, guard) else {
            state.no_room = Some(Refused::Bytes);
            return false;
        };
        let bytes = self
            .most
            .bytes
            .checked_sub(used.bytes.saturating_add(least.bytes));
        let entries = self.most.entries.checked_sub(used.entries + least.entries);
        match (bytes, entries) {
            (Some(_), Some(entries)) => {
                let bytes = self.most.bytes - used.bytes;
                state.left = Usage {
                    bytes: bytes.saturating_sub(most_bytes),
                    entries,
                };
                true
            }
            (None, _) => {
                state.no_room = Some(Refused::Bytes);
                false
            }
            (_, None) => {
                state.no_room = Some(Refused::Entries);
                false
            }
        }
    }

    /// What the disk gave for the folders; `None` if that cannot be told, or the guest is to stop.
    fn used(&self, folders: &[PathBuf], guard: &Guard) -> Option<Usage> {
        let most = Usage {
            bytes: self.most.bytes,
            entries: self.most.entries,
        };
        let is_to_stop = || guard.is_to_stop();
        let mut count = Count::new(most, &is_to_stop);
        for folder in folders {
            count.folder(folder).ok()?;
        }
        count.removed(folders);
        Some(count.usage())
    }

    /// What was refused since this was asked for last, in words.
    pub fn take_refused(&self) -> Option<String> {
        let refused = self.lock().refused.take()?;
        Some(match refused {
            Refused::Bytes => format!(
                "its own folder (/tmp) was full: it may hold {} (--max-scratch SIZE)",
                text::size(self.most.bytes)
            ),
            Refused::Entries => format!(
                "its own folder (/tmp) was full: it may hold {} files and folders (--max-scratch-entries N)",
                self.most.entries
            ),
            Refused::Length => format!(
                "a file was to be longer than {}, which none may be that a test writes (--max-scratch SIZE allows more)",
                text::size(self.most.longest_file())
            ),
            Refused::Disk => "the disk that its own folder (/tmp) lies on is full, whoever filled it (TMPDIR names another place)".to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one guest writes, and which of its descriptors lead to its own folders.
#[derive(Clone, Default)]
pub struct Account {
    quota: Option<Arc<Quota>>,
    guard: Guard,
    /// Those that lead to folders of the host's, by the guest's numbers for them. Only known
    /// where it is granted such a folder to write to.
    elsewhere: Option<HashSet<u32>>,
}

impl Account {
    /// Of a guest that may write to these folders, and to others if it is `granted` some.
    pub fn new(quota: Arc<Quota>, granted: bool) -> Account {
        Account {
            quota: Some(quota),
            guard: Guard::default(),
            elsewhere: granted.then(HashSet::new),
        }
    }

    /// Who stops the guest, and with it any look at its folders.
    pub fn stopped_by(&mut self, guard: Guard) {
        self.guard = guard;
    }

    /// Whether it can write to folders that are not its own.
    pub fn tells_apart(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// Whether a descriptor was opened elsewhere than in its own folders.
    pub fn is_elsewhere(&self, number: u32) -> bool {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.is_some_and(|elsewhere| elsewhere.contains(&number))
    }

    /// A descriptor was opened.
    pub fn opened(&mut self, number: u32, is_own: bool) {
        if let Some(elsewhere) = &mut self.elsewhere {
            match is_own {
                true => elsewhere.remove(&number),
                false => elsewhere.insert(number),
            };
        }
    }

    /// A descriptor has another number now, or, without one, none any more.
    pub fn renumbered(&mut self, from: u32, to: Option<u32>) {
        let was_elsewhere = self.is_elsewhere(from);
        self.opened(from, true);
        if let Some(to) = to {
            self.opened(to, !was_elsewhere);
        }
    }

    /// Counts bytes that are about to be written; whether there is room for them.
    pub fn has_room_for_bytes(&self, bytes: usize) -> bool {
        let quota = self.quota.as_ref();
        quota.is_none_or(|quota| quota.has_room_for_bytes(bytes as u64, &self.guard))
    }

    /// Counts a file, folder or link that is about to be made.
    pub fn has_room_for_entry(&self) -> bool {
        let quota = self.quota.as_ref();
        quota.is_none_or(|quota| quota.has_room_for_entry(&self.guard))
    }

    /// Counts a length that a file is about to have.
    pub fn has_room_for_length(&self, bytes: u64) -> bool {
        let quota = self.quota.as_ref();
        quota.is_none_or(|quota| quota.has_room_for_length(bytes, &self.guard))
    }

    /// Something may have come into its own folders from elsewhere.
    pub fn recount(&self) {
        if let Some(quota) = &self.quota {
            quota.recount();
        }
    }

    /// The system refused what was counted.
    #[cold]
    pub fn refused_by_the_system(&self, what: Refused) {
        if let Some(quota) = &self.quota {
            quota.lock().refused.get_or_insert(what);
        }
    }

    /// What there was no room for just now is refused.
    #[cold]
    pub fn refuse(&self) {
        if let Some(quota) = &self.quota {
            let mut state = quota.lock();
            state.refused = state.no_room.take();
        }
    }

    /// What was refused since this was asked for last, in words.
    pub fn take_refused(&self) -> Option<String> {
        self.quota.as_ref()?.take_refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn quota(folder: &Path, bytes: u64, entries: u64) -> Account {
        let quota = Quota::new(MaxScratch { bytes, entries });
        quota.covers(folder);
        let mut account = Account::new(quota, false);
        // a guest that runs
        account.stopped_by(Guard::default());
        account
    }

    #[test]
    fn what_was_counted_and_is_not_there_any_more_does_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let account = quota(folder.path(), 1 << 20, 10);
        for _ in 0..1000 {
            assert!(account.has_room_for_bytes(64 << 10));
            assert!(account.has_room_for_entry());
            assert!(account.has_room_for_length(1 << 40));
        }
        assert_eq!(account.take_refused(), None);
        for n in 0..10 {
            fs::write(folder.path().join(n.to_string()), "x").expect("written");
        }
        account.recount();
        assert!(!account.has_room_for_entry());
        assert_eq!(
            account.take_refused(),
            None,
            "it may have been for elsewhere"
        );
        account.refuse();
        let why = account.take_refused().expect("refused");
        assert!(why.contains("10 files and folders"), "{why}");
        assert!(account.has_room_for_bytes(64 << 10));
        assert!(!account.has_room_for_bytes(2 << 20));
        account.refuse();
        let why = account.take_refused().expect("refused");
        assert!(why.contains("--max-scratch SIZE"), "{why}");
    }
}
