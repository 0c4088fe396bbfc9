//! What a guest has been told of folders, kept for its next buffer.

/// What is kept of all listings of one guest, in bytes.
const KEPT: usize = 16 << 20;
/// And how many.
const MOST: usize = 64;

/// An entry's head: the next cookie, a number, the name's length, a kind.
const HEAD: usize = 24;
const LENGTH: usize = 16;

/// Where a guest wants its buffer to begin.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) fd: i32,
    pub(super) cookie: u64,
}

/// What was read of folders, by the descriptor's number; the last used is last.
#[derive(Default)]
pub struct Listings(Vec<Listing>);

/// A part of a folder's entries, whole ones.
pub(super) struct Listing {
    pub(super) fd: i32,
    pub(super) bytes: Vec<u8>,
    /// Each entry's cookie, and where it begins.
    pub(super) entries: Vec<(u64, usize)>,
    /// The cookie after the last of them, and whether anything comes there.
    pub(super) next: u64,
    pub(super) is_whole: bool,
}

impl Listings {
    pub(super) fn forget(&mut self, fd: i32) {
        self.0.retain(|listing| listing.fd != fd);
    }

    /// The one that goes on at this cookie.
    pub(super) fn take(&mut self, asked: Asked) -> Option<(Listing, usize)> {
        let at = self.0.iter().position(|listing| listing.fd == asked.fd)?;
        let start = self.0[at].start(asked.cookie)?;
        Some((self.0.remove(at), start))
    }

    pub(super) fn keep(&mut self, listing: Listing) {
        self.forget(listing.fd);
        self.0.push(listing);
        let held = |all: &[Listing]| all.iter().map(Listing::held).sum::<usize>();
        while self.0.len() > MOST || held(&self.0) > KEPT {
            self.0.remove(0);
        }
    }
}

impl Listing {
    /// Of what wasmtime-wasi has written to a buffer of this size, beginning at this cookie.
    pub(super) fn new(asked: Asked, mut bytes: Vec<u8>, size: usize) -> Listing {
        let is_whole = bytes.len() < size;
        let mut entries = Vec::new();
        let (mut at, mut cookie) = (0, asked.cookie);
        while let Some(head) = bytes.get(at..at + HEAD) {
            let next = u64::from_le_bytes(array(head));
            let length = u32::from_le_bytes(array(&head[LENGTH..])) as usize;
            if at + HEAD + length > bytes.len() {
                break;
            }
            entries.push((cookie, at));
            cookie = next;
            at += HEAD + length;
        }
        bytes.truncate(at);
        bytes.shrink_to_fit();
        entries.shrink_to_fit();
        Listing {
            fd: asked.fd,
            bytes,
            entries,
            next: cookie,
            is_whole,
        }
    }

    pub(super) fn held(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<(u64, usize)>()
    }

    /// Where the entry with this cookie begins.
    pub(super) fn start(&self, cookie: u64) -> Option<usize> {
        if self.is_whole && cookie == self.next {
            return Some(self.bytes.len());
        }
        // that it counts up is not promised, and looking costs less than a system call
        let entry = self.entries.iter().find(|(c, _)| *c == cookie)?;
        Some(entry.1)
    }
}

/// The first bytes, which are there.
pub(super) fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(next: u64, name: &str) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        bytes[..8].copy_from_slice(&next.to_le_bytes());
        bytes[LENGTH..LENGTH + 4].copy_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes
    }

    fn asked(fd: i32, cookie: u64) -> Asked {
        Asked { fd, cookie }
    }

    #[test]
    fn an_entry_that_was_cut_is_left_to_the_next_part() {
        let two = [entry(8, "a"), entry(9, "bc")].concat();
        let whole = Listing::new(asked(3, 7), two.clone(), 100);
        assert_eq!((whole.start(7), whole.start(8)), (Some(0), Some(25)));
        assert_eq!((whole.start(9), whole.start(10)), (Some(51), None));
        for cut in [1, 2, 3, 20, 26] {
            let length = two.len() - cut;
            let part = Listing::new(asked(3, 7), two[..length].to_vec(), length);
            assert_eq!((part.start(7), part.start(8)), (Some(0), None), "{cut}");
            assert!(!part.is_whole);
            assert_eq!((part.bytes.len(), part.next), (25, 8), "{cut}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let mut all = Listings::default();
        for fd in 0..1000 {
            all.keep(Listing::new(asked(fd, 0), entry(1, "a"), 100));
        }
        assert_eq!(all.0.len(), MOST);
        assert!(all.take(asked(999, 0)).is_some());
        let large = "x".repeat(KEPT / 3);
        for fd in 0..10 {
            all.keep(Listing::new(asked(fd, 0), entry(1, &large), KEPT));
        }
        assert_eq!(all.0.len(), 2);
        all.forget(9);
        assert!(all.take(asked(9, 0)).is_none());
        assert!(all.take(asked(8, 2)).is_none());
    }
}
