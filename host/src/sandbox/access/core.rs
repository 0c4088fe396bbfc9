//! The functions of WASI 0.1 and its predecessor that take a path, watched.
//!
//! They do what wasmtime's own do, traps included; that they touch files is noticed, and
//! what is refused is noted. Descriptors, addresses and lengths are the guest's word.

use super::super::grants::State;
use super::super::hostcall;
use super::{Came, Given, LONGEST, Spot, Target};
use crate::denied::Tried;
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p0::wasi_unstable as unstable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as snapshot;
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestMemory, GuestPtr};

/// Puts them in front of those that are there.
///
/// # Errors
/// If wasmtime refuses a definition.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    /// The same functions in a module: both versions have them with the same signatures.
    macro_rules! add {
        ($module:literal, $abi:ident, $($name:ident($($arg:ident: $ty:ty),*) $attempt:expr;)*) => {$(
            linker.func_wrap(
                $module,
                stringify!($name),
                |mut caller: Caller<'_, State>, $($arg: $ty),*| -> Result<i32> {
                    let attempt: Attempt = $attempt;
                    watched(&mut caller, attempt, async |wasi, memory| {
                        $abi::$name(wasi, memory, $($arg),*).await
                    })
                },
            )?;
        )*};
        ($module:literal, $abi:ident) => {
            add! { $module, $abi,
                path_create_directory(fd: i32, path: i32, length: i32)
                    at(Tried::Create, fd, path, length);
                path_filestat_get(fd: i32, flags: i32, path: i32, length: i32, to: i32)
                    at(Tried::LookAt, fd, path, length);
                path_filestat_set_times(fd: i32, flags: i32, path: i32, length: i32, read: i64, written: i64, which: i32)
                    at(Tried::Write, fd, path, length);
                path_link(fd: i32, flags: i32, path: i32, length: i32, new: i32, as_path: i32, as_length: i32)
                    at(Tried::Link, fd, path, length).and(new, as_path, as_length);
                path_open(fd: i32, flags: i32, path: i32, length: i32, how: i32, rights: i64, inherited: i64, status: i32, to: i32)
                    opening(how, rights, (fd, path, length));
                path_readlink(fd: i32, path: i32, length: i32, to: i32, room: i32, told: i32)
                    at(Tried::LookAt, fd, path, length);
                path_remove_directory(fd: i32, path: i32, length: i32)
                    at(Tried::Remove, fd, path, length);
                path_rename(fd: i32, path: i32, length: i32, new: i32, as_path: i32, as_length: i32)
                    at(Tried::Rename, fd, path, length).and(new, as_path, as_length);
                path_symlink(what: i32, long: i32, fd: i32, path: i32, length: i32)
                    at(Tried::Link, fd, path, length);
                path_unlink_file(fd: i32, path: i32, length: i32)
                    at(Tried::Remove, fd, path, length);
            }
        };
    }
    add!("wasi_snapshot_preview1", snapshot);
    add!("wasi_unstable", unstable);
    Ok(())
}

/// A folder's descriptor, and the address and length of a path in it.
type At = (i32, i32, i32);

/// What is tried, and where.
#[derive(Clone, Copy)]
struct Attempt {
    tried: Tried,
    target: Target,
    at: At,
    and: Option<At>,
}

fn at(tried: Tried, fd: i32, path: i32, length: i32) -> Attempt {
    Attempt {
        tried,
        target: Target::Entry,
        at: (fd, path, length),
        and: None,
    }
}

impl Attempt {
    fn and(self, fd: i32, path: i32, length: i32) -> Attempt {
        Attempt {
            and: Some((fd, path, length)),
            ..self
        }
    }
}

fn opening(how: i32, rights: i64, (fd, path, length): At) -> Attempt {
    const CREATE: i32 = 1;
    const DIRECTORY: i32 = 1 << 1;
    const TRUNCATE: i32 = 1 << 3;
    const WRITE: i64 = 1 << 6;
    let writes = how & (CREATE | TRUNCATE) != 0 || rights & WRITE != 0;
    let tried = if writes { Tried::Write } else { Tried::Read };
    Attempt {
        target: match how & DIRECTORY {
            0 => Target::Entry,
            _ => Target::Folder,
        },
        ..at(tried, fd, path, length)
    }
}

/// What an error number means here, if it means anything.
fn came(errno: i32) -> Option<Came> {
    const ACCES: i32 = 2;
    const NOENT: i32 = 44;
    const PERM: i32 = 63;
    const ROFS: i32 = 69;
    const NOTCAPABLE: i32 = 76;
    match errno {
        ACCES => Some(Came::OfTheSystem),
        NOENT => Some(Came::NoEntry),
        PERM | ROFS | NOTCAPABLE => Some(Came::NotPermitted),
        _ => None,
    }
}

/// Calls wasmtime's function, and looks at what it gives.
fn watched(
    caller: &mut Caller<'_, State>,
    attempt: Attempt,
    call: impl AsyncFnOnce(&mut WasiP1Ctx, &mut GuestMemory<'_>) -> Result<i32>,
) -> Result<i32> {
    hostcall::enter(caller, |state, memory| {
        let before = std::mem::replace(&mut state.touched_files, true);
        let errno = in_tokio(call(state.wasi(), memory))?;
        if let Some(came) = came(errno) {
            note(state, memory, attempt, came, before);
        }
        Ok(errno)
    })
}

#[cold]
fn note(state: &mut State, memory: &GuestMemory<'_>, attempt: Attempt, came: Came, before: bool) {
    let mut spots = Vec::new();
    for (fd, path, length) in [Some(attempt.at), attempt.and].into_iter().flatten() {
        let (path, length) = (path as u32, length as u32);
        let kept = length.min(LONGEST as u32);
        // a path that cannot be read was not refused for where it leads
        let Ok(bytes) = memory.as_cow(GuestPtr::<[u8]>::new((path, kept))) else {
            return;
        };
        let name = name_of(state.wasi(), fd);
        let place = name.and_then(|name| state.watch.place_of(&name));
        let is_read_only = match place {
            Some(place) => state.watch.list()[place].is_read_only(),
            None => came == Came::NotPermitted && is_read_only(state.wasi(), fd),
        };
        spots.push(Spot {
            place,
            is_read_only,
            path: Given::new(&bytes, length as usize),
        });
    }
    let Attempt { tried, target, .. } = attempt;
    if state.watch.refused(tried, target, came, spots) {
        state.touched_files = before;
    }
}

/// The name under which a folder was there from the beginning; `None` for one that the
/// guest has opened.
fn name_of(wasi: &mut WasiP1Ctx, fd: i32) -> Option<String> {
    const ROOM: usize = 4 << 10;
    let mut name = vec![0; ROOM];
    let mut memory = GuestMemory::Unshared(&mut name);
    let errno = snapshot::fd_prestat_dir_name(wasi, &mut memory, fd, 0, ROOM as i32).ok()?;
    let length = name.iter().position(|b| *b == 0).unwrap_or(ROOM);
    name.truncate(length);
    String::from_utf8(name).ok().filter(|_| errno == 0)
}

/// Whether a folder that the guest has opened may only be read. Asked by removing what
/// has no name, which is refused there before it fails for that.
fn is_read_only(wasi: &mut WasiP1Ctx, fd: i32) -> bool {
    let mut memory = GuestMemory::Unshared(&mut []);
    let removed = in_tokio(snapshot::path_unlink_file(wasi, &mut memory, fd, 0, 0));
    removed.is_ok_and(|errno| came(errno) == Some(Came::NotPermitted))
}
