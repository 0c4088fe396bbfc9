//! Calls wasmtime-wasi's functions of WASI 0.1 as its own entry calls them.
//!
//! A function that stands in front of one of them does not come through that entry, which
//! finds the guest's memory and says how much the host may copy for the guest in this call:
//! without that a call lives on what the one before it has left, and the first one fails.

use super::state::State;
use wasmtime::{AsContextMut as _, Caller, Extern, Result};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wiggle::GuestMemory;

/// Enters the host: gives the store's state, ready for a function of wasmtime-wasi's, and the
/// guest's memory.
///
/// # Errors
/// Those of the call, and one if the guest has no memory.
pub fn enter<T>(
    caller: &mut Caller<'_, State>,
    call: impl FnOnce(&mut State, &mut GuestMemory<'_>) -> Result<T>,
) -> Result<T> {
    let export = caller.get_export("memory");
    let fuel = caller.as_context_mut().hostcall_fuel();
    let (mut memory, state) = match &export {
        Some(Extern::Memory(memory)) => {
            let (data, state) = memory.data_and_store_mut(&mut *caller);
            (GuestMemory::Unshared(data), state)
        }
        Some(Extern::SharedMemory(memory)) => {
            (GuestMemory::Shared(memory.data()), caller.data_mut())
        }
        _ => wasmtime::bail!("missing required memory export"),
    };
    state.wasi().set_hostcall_fuel(fuel);
    call(state, &mut memory)
}

/// What wasmtime-wasi asks of the place of anything that it reads or writes, in bytes.
const ALIGNED: usize = 8;

/// How much has to be had for so many [`aligned`] bytes.
pub fn room(bytes: usize) -> usize {
    bytes + ALIGNED
}

/// The part of a buffer that can stand for a guest's memory, from its address 0 on.
pub fn aligned(room: &mut [u8]) -> &mut [u8] {
    let skipped = room.as_ptr().align_offset(ALIGNED).min(room.len());
    &mut room[skipped..]
}
