//! `fd_readdir` of WASI 0.1 and its predecessor, which reads a folder once.
//!
//! wasmtime-wasi's own reads the whole folder and looks at each entry, twice, for each buffer that a
//! guest fills; wasi-libc's are of 4 KiB. Here it is called with a large buffer of the host's, and what
//! it wrote there is handed out in a guest's small ones, to the byte as it would have. So
//! errors, rights, numbers and cookies are its own. A cookie of 0 reads the folder again. As on any system, what is
//! made or removed while a listing goes on may be in it or not; what stays is told once.

use super::grants::State;
use super::{access, hostcall};
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p0::wasi_unstable as unstable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as snapshot;
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestMemory, GuestPtr};

/// How large a buffer is tried, in bytes; a folder that needs more than the last is handed out
/// in parts of that size, for each of which it is read again.
const SIZES: [usize; 3] = [64 << 10, 1 << 20, 8 << 20];
/// What is kept of all listings of one guest, in bytes.
const KEPT: usize = 16 << 20;
/// And how many.
const MOST: usize = 64;

/// A name is not UTF-8.
const ILSEQ: i32 = 25;

/// An entry's head: the next cookie, a number, the name's length, a kind.
const HEAD: usize = 24;
const LENGTH: usize = 16;

/// Puts both, and what gives a descriptor's number to another folder, in front of those
/// that are there.
///
/// # Errors
/// If wasmtime refuses a definition.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    macro_rules! add {
        ($module:literal, $abi:ident) => {
            linker.func_wrap(
                $module,
                "fd_readdir",
                |mut caller: Caller<'_, State>,
                 fd: i32,
                 to: i32,
                 length: i32,
                 cookie: i64,
                 told: i32|
                 -> Result<i32> {
                    hostcall::enter(&mut caller, |state, memory| {
                        let asked = Asked {
                            fd,
                            cookie: cookie as u64,
                        };
                        let length = length as u32;
                        let (errno, bytes) = state.list(asked, length as usize)?;
                        if errno == 0 {
                            let to = GuestPtr::<[u8]>::new((to as u32, bytes.len() as u32));
                            memory.copy_from_slice(&bytes, to)?;
                            memory.write(GuestPtr::<u32>::new(told as u32), bytes.len() as u32)?;
                        } else if errno == ILSEQ {
                            access::core::not_unicode(state, fd);
                        }
                        Ok(errno)
                    })
                },
            )?;
            linker.func_wrap(
                $module,
                "fd_close",
                |mut caller: Caller<'_, State>, fd: i32| -> Result<i32> {
                    hostcall::enter(&mut caller, |state, memory| {
                        state.touched_files = true;
                        state.listings.forget(fd);
                        access::core::closed(state, fd);
                        in_tokio($abi::fd_close(state.wasi(), memory, fd))
                    })
                },
            )?;
            linker.func_wrap(
                $module,
                "fd_renumber",
                |mut caller: Caller<'_, State>, from: i32, to: i32| -> Result<i32> {
                    hostcall::enter(&mut caller, |state, memory| {
                        state.touched_files = true;
                        for fd in [from, to] {
                            state.listings.forget(fd);
                            access::core::closed(state, fd);
                        }
                        in_tokio($abi::fd_renumber(state.wasi(), memory, from, to))
                    })
                },
            )?;
        };
    }
    add!("wasi_snapshot_preview1", snapshot);
    add!("wasi_unstable", unstable);
    Ok(())
}

/// Where a guest wants its buffer to begin.
#[derive(Clone, Copy)]
struct Asked {
    fd: i32,
    cookie: u64,
}

/// What was read of folders, by the descriptor's number; the last used is last.
#[derive(Default)]
pub struct Listings(Vec<Listing>);

/// A part of a folder's entries, whole ones.
struct Listing {
    fd: i32,
    bytes: Vec<u8>,
    /// Each entry's cookie, and where it begins.
    entries: Vec<(u64, usize)>,
    /// The cookie after the last of them, and whether anything comes there.
    next: u64,
    is_whole: bool,
}

impl Listings {
    fn forget(&mut self, fd: i32) {
        self.0.retain(|listing| listing.fd != fd);
    }

    /// The one that goes on at this cookie.
    fn take(&mut self, asked: Asked) -> Option<(Listing, usize)> {
        let at = self.0.iter().position(|listing| listing.fd == asked.fd)?;
        let start = self.0[at].start(asked.cookie)?;
        Some((self.0.remove(at), start))
    }

    fn keep(&mut self, listing: Listing) {
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
    fn new(asked: Asked, mut bytes: Vec<u8>, size: usize) -> Listing {
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

    fn held(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<(u64, usize)>()
    }

    /// Where the entry with this cookie begins.
    fn start(&self, cookie: u64) -> Option<usize> {
        if self.is_whole && cookie == self.next {
            return Some(self.bytes.len());
        }
        // that it counts up is not promised, and looking costs less than a system call
        let entry = self.entries.iter().find(|(c, _)| *c == cookie)?;
        Some(entry.1)
    }
}

/// The first bytes, which are there.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

impl State {
    /// What a guest's buffer of this length is filled with, and an error's number.
    fn list(&mut self, mut asked: Asked, length: usize) -> Result<(i32, Vec<u8>)> {
        let mut filled = Vec::new();
        // a listing begins anew, whatever was read before
        if asked.cookie == 0 {
            self.listings.forget(asked.fd);
        }
        loop {
            let (listing, start) = match self.listings.take(asked) {
                Some(found) => found,
                None => match read(self.wasi(), asked)? {
                    Ok(listing) => (listing, 0),
                    Err(errno) => return Ok((errno, Vec::new())),
                },
            };
            let left = &listing.bytes[start..];
            let fits = left.len().min(length - filled.len());
            filled.extend_from_slice(&left[..fits]);
            let goes_on = !listing.is_whole && !listing.entries.is_empty();
            let next = listing.next;
            self.listings.keep(listing);
            // a buffer that is not full says that this was the last
            if !goes_on || filled.len() == length {
                return Ok((0, filled));
            }
            asked.cookie = next;
        }
    }
}

/// Has wasmtime-wasi read a folder, from this cookie on, into as large a buffer as it takes.
fn read(wasi: &mut WasiP1Ctx, asked: Asked) -> Result<Result<Listing, i32>> {
    let [mut size, larger @ ..] = SIZES;
    let mut larger = larger.into_iter();
    loop {
        let mut room = vec![0; hostcall::room(size + size_of::<u32>())];
        let room = hostcall::aligned(&mut room);
        let mut memory = GuestMemory::Unshared(&mut *room);
        let (fd, cookie, told) = (asked.fd, asked.cookie as i64, size as i32);
        let read = snapshot::fd_readdir(wasi, &mut memory, fd, 0, size as i32, cookie, told);
        let errno = in_tokio(read)?;
        if errno != 0 {
            return Ok(Err(errno));
        }
        let written = u32::from_le_bytes(array(&room[size..])) as usize;
        let listing = Listing::new(asked, room[..written.min(size)].to_vec(), size);
        match larger.next() {
            Some(more) if !listing.is_whole => size = more,
            _ => return Ok(Ok(listing)),
        }
    }
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
