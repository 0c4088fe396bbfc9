//! `fd_readdir` of WASI 0.1 and its predecessor, which reads a folder once.
//!
//! wasmtime-wasi's own reads the whole folder and looks at each entry, twice, for each buffer that a
//! guest fills; wasi-libc's are of 4 KiB. Here it is called with a large buffer of the host's, and what
//! it wrote there is handed out in a guest's small ones, to the byte as it would have. So
//! errors, rights, numbers and cookies are its own. A cookie of 0 reads the folder again. As on any system, what is
//! made or removed while a listing goes on may be in it or not; what stays is told once.

pub(super) mod kept;

use super::state::State;
use super::{access, hostcall};
use kept::{Asked, Listing, array};
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p0::wasi_unstable as unstable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as snapshot;
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestMemory, GuestPtr};

/// How large a buffer is tried, in bytes; a folder that needs more than the last is handed out
/// in parts of that size, for each of which it is read again.
const SIZES: [usize; 3] = [64 << 10, 1 << 20, 8 << 20];
/// A name is not UTF-8.
const ILSEQ: i32 = 25;

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
                        state.is_moved(fd);
                        state.listings.forget(fd);
                        access::core::closed(state, fd);
                        state.account.renumbered(fd as u32, None);
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
                            state.is_moved(fd);
                            state.listings.forget(fd);
                            access::core::closed(state, fd);
                        }
                        let errno = in_tokio($abi::fd_renumber(state.wasi(), memory, from, to))?;
                        if errno == 0 && from != to {
                            state.account.renumbered(from as u32, Some(to as u32));
                        }
                        Ok(errno)
                    })
                },
            )?;
        };
    }
    add!("wasi_snapshot_preview1", snapshot);
    add!("wasi_unstable", unstable);
    Ok(())
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
