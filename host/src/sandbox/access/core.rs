//! The functions of WASI 0.1 and its predecessor that take a path, watched.
//!
//! They do what wasmtime's own do, traps included; that they touch files is noticed, and
//! what is refused is noted. Descriptors, addresses and lengths are the guest's word.

use super::super::hostcall;
use super::super::quota::Refused;
use super::super::state::State;
use super::folders::Folder;
use super::sources::{Lookup, Wanted};
use super::{AccessError, PathArg, Source};
use crate::event::denials::AccessKind;
use crate::grant::advice::{GuestPath, LONGEST, Target};
use wasmtime::{Caller, Linker, Result};
use wasmtime_wasi::p0::wasi_unstable as unstable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as snapshot, WasiSnapshotPreview1 as _};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestMemory, GuestPtr};

/// The version of WASI 0.1 that is built for.
const SNAPSHOT: &str = "wasi_snapshot_preview1";

/// The number of the error for what there is no room for.
pub(super) const NOSPC: i32 = 51;

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
                    let mut attempt: Attempt = $attempt;
                    // its structs are others, and nothing new is built for it
                    attempt.again = attempt.again.filter(|_| $module == SNAPSHOT);
                    watched(&mut caller, attempt, async |wasi, memory| {
                        $abi::$name(wasi, memory, $($arg),*).await
                    })
                },
            )?;
        )*};
        ($module:literal, $abi:ident) => {
            add! { $module, $abi,
                path_create_directory(fd: i32, path: i32, length: i32)
                    at(AccessKind::Create, fd, path, length).again(Again::Create);
                path_filestat_get(fd: i32, flags: i32, path: i32, length: i32, to: i32)
                    at(AccessKind::LookAt, fd, path, length).again(Again::Look { flags, to });
                path_filestat_set_times(fd: i32, flags: i32, path: i32, length: i32, read: i64, written: i64, which: i32)
                    at(AccessKind::Write, fd, path, length);
                path_link(fd: i32, flags: i32, path: i32, length: i32, new: i32, as_path: i32, as_length: i32)
                    at(AccessKind::Link, fd, path, length).and(new, as_path, as_length);
                path_open(fd: i32, flags: i32, path: i32, length: i32, how: i32, rights: i64, inherited: i64, status: i32, to: i32)
                    opening(how, rights, (fd, path, length), to)
                        .again(Again::Open { flags, how, rights, inherited, status, to });
                path_readlink(fd: i32, path: i32, length: i32, to: i32, room: i32, told: i32)
                    at(AccessKind::LookAt, fd, path, length);
                path_remove_directory(fd: i32, path: i32, length: i32)
                    at(AccessKind::Remove, fd, path, length);
                path_rename(fd: i32, path: i32, length: i32, new: i32, as_path: i32, as_length: i32)
                    at(AccessKind::Rename, fd, path, length).and(new, as_path, as_length);
                path_symlink(what: i32, long: i32, fd: i32, path: i32, length: i32)
                    at(AccessKind::Link, fd, path, length);
                path_unlink_file(fd: i32, path: i32, length: i32)
                    at(AccessKind::Remove, fd, path, length);
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
    tried: AccessKind,
    target: Target,
    at: At,
    and: Option<At>,
    again: Option<Again>,
    /// Whether it may make an entry.
    makes: bool,
    /// Where the number of what was opened is written.
    opens: Option<i32>,
}

/// How a lookup of a source is made at another path: the arguments beside that.
#[derive(Clone, Copy)]
enum Again {
    Look {
        flags: i32,
        to: i32,
    },
    Open {
        flags: i32,
        how: i32,
        rights: i64,
        inherited: i64,
        status: i32,
        to: i32,
    },
    Create,
}

fn at(tried: AccessKind, fd: i32, path: i32, length: i32) -> Attempt {
    Attempt {
        tried,
        target: Target::Entry,
        at: (fd, path, length),
        and: None,
        again: None,
        makes: matches!(tried, AccessKind::Create | AccessKind::Link),
        opens: None,
    }
}

impl Attempt {
    fn and(self, fd: i32, path: i32, length: i32) -> Attempt {
        Attempt {
            and: Some((fd, path, length)),
            ..self
        }
    }

    fn again(self, again: Again) -> Attempt {
        Attempt {
            again: Some(again),
            ..self
        }
    }
}

fn opening(how: i32, rights: i64, (fd, path, length): At, to: i32) -> Attempt {
    const CREATE: i32 = 1;
    const DIRECTORY: i32 = 1 << 1;
    const TRUNCATE: i32 = 1 << 3;
    const WRITE: i64 = 1 << 6;
    let writes = how & (CREATE | TRUNCATE) != 0 || rights & WRITE != 0;
    let tried = if writes {
        AccessKind::Write
    } else {
        AccessKind::Read
    };
    Attempt {
        target: match how & DIRECTORY {
            0 => Target::Entry,
            _ => Target::Folder,
        },
        makes: how & CREATE != 0,
        opens: Some(to),
        ..at(tried, fd, path, length)
    }
}

/// What a guest is told that has too many files open.
const MFILE: i32 = 33;

/// What an error number means here, if it means anything.
fn access_error(errno: i32) -> Option<AccessError> {
    const ACCES: i32 = 2;
    const NOENT: i32 = 44;
    const PERM: i32 = 63;
    const ROFS: i32 = 69;
    const NOTCAPABLE: i32 = 76;
    match errno {
        ACCES => Some(AccessError::OfTheSystem),
        NOENT => Some(AccessError::NoEntry),
        PERM | ROFS | NOTCAPABLE => Some(AccessError::NotPermitted),
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
        if attempt.opens.is_some() && !state.has_room_for_a_file() {
            return Ok(MFILE);
        }
        if attempt.makes && !state.account.has_room_for_entry() {
            let (into, ..) = attempt.and.unwrap_or(attempt.at);
            if is_own(state, into) {
                state.account.refuse();
                return Ok(NOSPC);
            }
        }
        let errno = in_tokio(call(state.wasi(), memory))?;
        if errno == NOSPC && is_own(state, attempt.at.0) {
            state.account.refused_by_the_system(Refused::Disk);
        }
        if errno == 0 && state.account.tells_apart() {
            went_elsewhere(state, memory, attempt);
        }
        let Some(error) = access_error(errno) else {
            if let (0, Target::Folder, Some(Again::Open { to, .. })) =
                (errno, attempt.target, attempt.again)
            {
                remember(state, memory, attempt.at, to);
            }
            return Ok(errno);
        };
        if let Some(found) = as_source(state, memory, attempt)? {
            return Ok(found);
        }
        note(state, memory, attempt, error, before);
        Ok(errno)
    })
}

/// Whether what is below a descriptor, or behind it, is in the guest's own folders.
pub(super) fn is_own(state: &mut State, fd: i32) -> bool {
    if !state.account.tells_apart() {
        return true;
    }
    if state.account.is_elsewhere(fd as u32) {
        return false;
    }
    match name_of(state.wasi(), fd) {
        None => true,
        Some(name) => {
            let preopen = state.watch.preopen_of(&name);
            preopen.is_some_and(|at| state.watch.list()[at].is_own())
        }
    }
}

/// Tells apart what was opened of the host's folders, and what came from there.
#[cold]
fn went_elsewhere(state: &mut State, memory: &GuestMemory<'_>, attempt: Attempt) {
    let is_own = is_own(state, attempt.at.0);
    if let Some(to) = attempt.opens
        && let Ok(opened) = memory.read(GuestPtr::<u32>::new(to as u32))
    {
        state.account.opened(opened, is_own);
    }
    if attempt.and.is_some() && !is_own {
        state.account.recount();
    }
}

/// Remembers as what a folder was opened, whose number was written to this address.
fn remember(state: &mut State, memory: &GuestMemory<'_>, (fd, path, length): At, to: i32) {
    if !state.watch.remembers() || length as u32 as usize > LONGEST {
        return;
    }
    let path = memory.as_cow(GuestPtr::<[u8]>::new((path as u32, length as u32)));
    let Ok(path) = path else { return };
    let Ok(path) = std::str::from_utf8(&path) else {
        return;
    };
    let Ok(opened) = memory.read(GuestPtr::<u32>::new(to as u32)) else {
        return;
    };
    if let Some(folder) = folder(state, fd).and_then(|folder| folder.join(path)) {
        state.watch.folders.add(opened, folder);
    }
}

/// The folder that a guest has under this number, if that is known.
fn folder(state: &mut State, fd: i32) -> Option<Folder> {
    if let Some(folder) = state.watch.folders.get(fd as u32) {
        return Some(folder.clone());
    }
    let name = name_of(state.wasi(), fd)?;
    state.watch.preopen_of(&name).map(Folder::at)
}

/// Notes that a folder was not told of, for a name in it.
#[cold]
pub fn not_unicode(state: &mut State, fd: i32) {
    if let Some(folder) = folder(state, fd) {
        state.watch.not_unicode(&folder);
    }
}

/// A number stands for nothing any more, or for something else.
pub fn closed(state: &mut State, fd: i32) {
    state.watch.folders.remove(fd as u32);
}

/// Where what is written for a guest lies in the memory that stands for its own: behind
/// the path.
const OUT: usize = LONGEST;
/// A file's status in bytes, and where in it its kind is.
const STATUS: usize = 64;
const KIND: usize = 16;

/// The same attempt where a name that `file!()` gives leads to; `None` if it is not answered.
#[cold]
fn as_source(
    state: &mut State,
    memory: &mut GuestMemory<'_>,
    attempt: Attempt,
) -> Result<Option<i32>> {
    const FIRST: usize = 3;
    let Some(again) = attempt.again else {
        return Ok(None);
    };
    let (fd, path, length) = attempt.at;
    if length as u32 as usize > LONGEST {
        return Ok(None);
    }
    let lookup = match (again, attempt.tried, attempt.target) {
        (Again::Look { .. }, ..) => Lookup::Look,
        (Again::Create, ..) => Lookup::Create,
        (Again::Open { .. }, AccessKind::Write, Target::Entry) => Lookup::Write,
        (Again::Open { .. }, _, Target::Entry) => Lookup::Read,
        (Again::Open { .. }, _, Target::Folder) => return Ok(None),
    };
    let path = memory.as_cow(GuestPtr::<[u8]>::new((path as u32, length as u32)))?;
    let Some(source) = std::str::from_utf8(&path)
        .ok()
        .and_then(|path| state.watch.source(lookup, path))
    else {
        return Ok(None);
    };
    let name = name_of(state.wasi(), fd);
    let from = name.and_then(|name| state.watch.preopen_of(&name));
    // a guest may have closed what it was given, and opened something else
    let to = FIRST + source.preopen;
    let name = name_of(state.wasi(), to as i32);
    let there = name.and_then(|name| state.watch.preopen_of(&name));
    if !state.watch.is_package(from) || there != Some(source.preopen) {
        return Ok(None);
    }
    let mut room = vec![0; hostcall::room(OUT + STATUS)];
    let room = hostcall::aligned(&mut room);
    room[..source.path.len()].copy_from_slice(source.path.as_bytes());
    let call = Call {
        fd: to as i32,
        length: source.path.len() as i32,
        room,
    };
    let made = call.make(state.wasi(), again, &source)?;
    if !matches!(made, Made::NotThere) {
        state.watch.found.add(lookup, &source.below);
    }
    match made {
        Made::Written(at, bytes) => {
            let to = GuestPtr::<[u8]>::new((at as u32, bytes.len() as u32));
            memory.copy_from_slice(&bytes, to)?;
            if attempt.opens.is_some()
                && let Ok(opened) = bytes.as_slice().try_into()
            {
                state.account.opened(u32::from_le_bytes(opened), false);
            }
            Ok(Some(0))
        }
        Made::NotThere => Ok(None),
        Made::Failed(errno) => {
            if source.changes()
                && let Some(error) = access_error(errno)
            {
                let Attempt { tried, target, .. } = attempt;
                let arg = source.path_arg(&state.watch);
                state.watch.refused(tried, target, error, vec![arg]);
            }
            Ok(Some(errno))
        }
    }
}

/// A call with a path that is the host's own.
struct Call<'a> {
    fd: i32,
    length: i32,
    room: &'a mut [u8],
}

/// What came of it.
enum Made {
    /// This is to be written for the guest.
    Written(i32, Vec<u8>),
    /// Nothing that is wanted is there.
    NotThere,
    /// It failed with this number.
    Failed(i32),
}

impl Call<'_> {
    fn make(self, wasi: &mut WasiP1Ctx, again: Again, source: &Source) -> Result<Made> {
        const FOLLOW: i32 = 1;
        const FOLDER: u8 = 3;
        const FILE: u8 = 4;
        // the path is copied once a call
        wasi.set_hostcall_fuel(2 * LONGEST);
        let Call { fd, length, room } = self;
        let out = OUT as i32;
        let mut memory = GuestMemory::Unshared(&mut *room);
        let memory = &mut memory;
        let flags = match again {
            Again::Look { flags, .. } => flags,
            _ => FOLLOW,
        };
        if !source.changes() {
            let looked = snapshot::path_filestat_get(wasi, memory, fd, flags, 0, length, out);
            let errno = in_tokio(looked)?;
            let GuestMemory::Unshared(bytes) = &*memory else {
                return Ok(Made::NotThere);
            };
            let wanted = match source.wanted {
                Wanted::File => FILE,
                Wanted::Folder => FOLDER,
            };
            if errno != 0 || bytes[OUT + KIND] != wanted {
                return Ok(Made::NotThere);
            }
        }
        let (errno, written) = match again {
            Again::Look { to, .. } => (0, Some((to, STATUS))),
            Again::Create => {
                let created = snapshot::path_create_directory(wasi, memory, fd, 0, length);
                (in_tokio(created)?, None)
            }
            Again::Open {
                flags,
                how,
                rights,
                inherited,
                status,
                to,
            } => {
                let opened = snapshot::path_open(
                    wasi, memory, fd, flags, 0, length, how, rights, inherited, status, out,
                );
                (in_tokio(opened)?, Some((to, size_of::<u32>())))
            }
        };
        if errno != 0 {
            return Ok(Made::Failed(errno));
        }
        let (to, length) = written.unwrap_or((0, 0));
        Ok(Made::Written(to, room[OUT..OUT + length].to_vec()))
    }
}

#[cold]
fn note(
    state: &mut State,
    memory: &GuestMemory<'_>,
    attempt: Attempt,
    error: AccessError,
    before: bool,
) {
    let mut args = Vec::new();
    for (fd, path, length) in [Some(attempt.at), attempt.and].into_iter().flatten() {
        let (path, length) = (path as u32, length as u32);
        let kept = length.min(LONGEST as u32);
        // a path that cannot be read was not refused for where it leads
        let Ok(bytes) = memory.as_cow(GuestPtr::<[u8]>::new((path, kept))) else {
            return;
        };
        let name = name_of(state.wasi(), fd);
        let preopen = name.and_then(|name| state.watch.preopen_of(&name));
        let is_read_only = match preopen {
            Some(preopen) => state.watch.list()[preopen].is_read_only(),
            None => error == AccessError::NotPermitted && is_read_only(state.wasi(), fd),
        };
        args.push(PathArg {
            preopen,
            is_read_only,
            path: GuestPath::new(&bytes, length as usize),
        });
    }
    let Attempt { tried, target, .. } = attempt;
    if state.watch.refused(tried, target, error, args) {
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
    removed.is_ok_and(|errno| access_error(errno) == Some(AccessError::NotPermitted))
}
