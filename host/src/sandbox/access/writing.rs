//! The functions of WASI 0.1 and its predecessor that write to files, counted.
//!
//! They do what wasmtime's own do, once there is room in the guest's own folders: in front of
//! `fd_write`, `fd_pwrite` and `fd_filestat_set_size`; what makes entries is counted in `core`.
//! `fd_allocate` needs nothing: wasmtime has none.

use super::super::call_result;
use super::super::hostcall;
use super::super::quota::Refused;
use super::super::state::State;
use super::core::{NOSPC, is_own};
use wasmtime::{Caller, Extern, Linker, Result, WasmBacktrace};
use wasmtime_wasi::p0::wasi_unstable as unstable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as snapshot};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestMemory, GuestPtr};

/// What is written to stdout or stderr at once is no more than that, in bytes; wasmtime takes more in
/// pieces.
const MOST_AT_ONCE: u32 = 1 << 20;
/// The number of the error for a file that is longer than the system allows.
const FBIG: i32 = 22;

/// Puts them in front of those that are there.
///
/// # Errors
/// If wasmtime refuses a definition.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    macro_rules! add {
        ($module:literal, $abi:ident) => {
            linker.func_wrap(
                $module,
                "fd_write",
                |mut caller: Caller<'_, State>, fd: i32, buffers: i32, count: i32, told: i32| {
                    if let Some(errno) = to_output(&mut caller, fd, (buffers, count), told) {
                        return errno;
                    }
                    written(&mut caller, fd, (buffers, count), async |wasi, memory| {
                        $abi::fd_write(wasi, memory, fd, buffers, count, told).await
                    })
                },
            )?;
            linker.func_wrap(
                $module,
                "fd_pwrite",
                |mut caller: Caller<'_, State>,
                 fd: i32,
                 buffers: i32,
                 count: i32,
                 at: i64,
                 told: i32| {
                    written(&mut caller, fd, (buffers, count), async |wasi, memory| {
                        $abi::fd_pwrite(wasi, memory, fd, buffers, count, at, told).await
                    })
                },
            )?;
            linker.func_wrap(
                $module,
                "fd_filestat_set_size",
                |mut caller: Caller<'_, State>, fd: i32, size: i64| {
                    hostcall::enter(&mut caller, |state, memory| {
                        if !state.account.has_room_for_length(size as u64) && is_full(state, fd) {
                            return Ok(NOSPC);
                        }
                        let set = $abi::fd_filestat_set_size(state.wasi(), memory, fd, size);
                        let errno = in_tokio(set)?;
                        looked_at(state, fd, errno)
                    })
                },
            )?;
        };
    }
    add!("wasi_snapshot_preview1", snapshot);
    add!("wasi_unstable", unstable);
    Ok(())
}

/// An address and a length.
const BUFFER: usize = 8;

/// Writes to the guest's own stdout or stderr in the shortest way there is, which many tests take
/// many times; `None` for whatever else a call may be about.
fn to_output(
    caller: &mut Caller<'_, State>,
    fd: i32,
    (at, count): (i32, i32),
    told: i32,
) -> Option<Result<i32>> {
    let memory = match caller.data().writes_from {
        Some(memory) => memory,
        None => {
            let memory = caller.get_export("memory").and_then(Extern::into_memory)?;
            *caller.data_mut().writes_from.insert(memory)
        }
    };
    let (memory, state) = memory.data_and_store_mut(&mut *caller);
    let stream = match (fd, &state.output) {
        (1, Some((stdout, _))) => stdout,
        (2, Some((_, stderr))) => stderr,
        _ => return None,
    };
    let (at, told) = (at.cast_unsigned() as usize, told.cast_unsigned() as usize);
    let length = usize::try_from(count).ok()?.checked_mul(BUFFER)?;
    let buffers = memory.get(at..at.checked_add(length)?)?;
    memory.get(told..told.checked_add(4)?)?;
    let word = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).ok();
    let piece = |buffer: &[u8]| {
        let (at, length) = (word(&buffer[..4])? as usize, word(&buffer[4..])? as usize);
        memory.get(at..at.checked_add(length)?)
    };
    let mut all = 0u32;
    for buffer in buffers.chunks_exact(BUFFER) {
        all = all.checked_add(u32::try_from(piece(buffer)?.len()).ok()?)?;
    }
    if all == 0 || all > MOST_AT_ONCE {
        return None;
    }
    if let Err(too_much) = stream.push(buffers.chunks_exact(BUFFER).filter_map(piece)) {
        return Some(Err(too_much.into()));
    }
    let mut heard = None;
    if let (2, Some(listener)) = (fd, &state.listener) {
        let pieces: Vec<&[u8]> = buffers.chunks_exact(BUFFER).filter_map(piece).collect();
        let bytes = pieces.concat();
        heard = listener.is_to_look(&bytes).then_some(bytes);
    }
    memory[told..told + 4].copy_from_slice(&all.to_le_bytes());
    if let Some(bytes) = heard
        && let Some(mut listener) = caller.data_mut().listener.take()
    {
        let stack = || call_result::frames(&WasmBacktrace::force_capture(&*caller));
        listener.hears(&bytes, stack);
        caller.data_mut().listener = Some(listener);
    }
    Some(Ok(0))
}

/// Writes, if there is room.
fn written(
    caller: &mut Caller<'_, State>,
    fd: i32,
    buffers: (i32, i32),
    call: impl AsyncFnOnce(&mut WasiP1Ctx, &mut GuestMemory<'_>) -> Result<i32>,
) -> Result<i32> {
    hostcall::enter(caller, |state, memory| {
        // without files there is nothing to write to but its output
        if state.touched_files
            && let Some(bytes) = first_length(memory, buffers)
            && !state.account.has_room_for_bytes(bytes as usize)
            && is_full(state, fd)
        {
            return Ok(NOSPC);
        }
        let errno = in_tokio(call(state.wasi(), memory))?;
        looked_at(state, fd, errno)
    })
}

/// Notes what the system refused.
fn looked_at(state: &mut State, fd: i32, errno: i32) -> Result<i32> {
    match errno {
        FBIG => state.account.refused_by_the_system(Refused::Length),
        NOSPC if is_own(state, fd) => state.account.refused_by_the_system(Refused::Disk),
        _ => {}
    }
    Ok(errno)
}

/// How long the first buffer is that holds anything, which is the one that wasmtime writes;
/// `None` if wasmtime refuses the call.
fn first_length(memory: &GuestMemory<'_>, (at, count): (i32, i32)) -> Option<u32> {
    const SIZE: u32 = BUFFER as u32;
    for n in 0..count as u32 {
        let at = (at as u32).checked_add(n.checked_mul(SIZE)?)?;
        let length = memory.read(GuestPtr::<u32>::new(at.checked_add(SIZE / 2)?));
        match length.ok()? {
            0 => {}
            length => return Some(length),
        }
    }
    None
}

/// Whether what there is no room for would go to a file in the guest's own folders.
#[cold]
fn is_full(state: &mut State, fd: i32) -> bool {
    let is_full = is_own(state, fd) && is_file(state.wasi(), fd);
    if is_full {
        state.account.refuse();
    }
    is_full
}

/// Whether a descriptor is a file's, and no stream's.
fn is_file(wasi: &mut WasiP1Ctx, fd: i32) -> bool {
    const STATUS: usize = 24;
    const FILE: u8 = 4;
    let mut room = vec![0; hostcall::room(STATUS)];
    let room = hostcall::aligned(&mut room);
    let mut memory = GuestMemory::Unshared(&mut *room);
    let told = in_tokio(snapshot::fd_fdstat_get(wasi, &mut memory, fd, 0));
    told.is_ok_and(|errno| errno == 0) && room[0] == FILE
}
