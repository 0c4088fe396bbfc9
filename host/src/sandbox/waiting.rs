//! The host functions in which a guest waits, made to end when it is to stop.
//!
//! Epochs do not reach a guest that sleeps in the host: `poll_oneoff` of WASI
//! 0.1 and the polls of WASI 0.2 are put in front of wasmtime's own, and come
//! back with a trap at the guest's limit or at an interrupt.

use super::deadline::{Guard, Woken};
use super::grants::State;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime::{Caller, Extern, Result, Trap};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as p1;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll as waiting;
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::runtime::in_tokio;
use wiggle::GuestMemory;

/// A subscription's size in bytes, and an event's.
const SUBSCRIPTION: usize = 48;
const EVENT: usize = 32;
/// More are left to wasmtime's own function.
const MOST_CLOCKS: u32 = 64;

/// Puts `poll_oneoff` in front of the one that is there.
///
/// # Errors
/// If wasmtime refuses the definition.
pub fn add_to_core_linker(linker: &mut wasmtime::Linker<State>, module: &str) -> Result<()> {
    linker.func_wrap(
        module,
        "poll_oneoff",
        |mut caller: Caller<'_, State>, from: i32, to: i32, count: i32, told: i32| -> Result<i32> {
            match clocks(&mut caller, from, count) {
                Some(clocks) => sleep(&mut caller, &clocks, to, told),
                // files and streams are always ready, so this comes back
                None => {
                    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
                        wasmtime::bail!("the module exports no `memory`");
                    };
                    let (data, state) = memory.data_and_store_mut(&mut caller);
                    let mut memory = GuestMemory::Unshared(data);
                    let wasi = state.wasi();
                    in_tokio(p1::poll_oneoff(wasi, &mut memory, from, to, count, told))
                }
            }
        },
    )?;
    Ok(())
}

/// A clock that is waited for.
struct Clock {
    userdata: [u8; 8],
    wait: Duration,
}

/// The clocks that are waited for, if nothing else is.
fn clocks(caller: &mut Caller<'_, State>, from: i32, count: i32) -> Option<Vec<Clock>> {
    let count = count as u32;
    if count == 0 || count > MOST_CLOCKS {
        return None;
    }
    let memory = caller.get_export("memory")?.into_memory()?;
    let start = from as u32 as usize;
    let end = start.checked_add(count as usize * SUBSCRIPTION)?;
    let subscriptions = memory.data(&caller).get(start..end)?.to_vec();
    let clock = |sub: &[u8]| -> Option<Clock> {
        let number = |at: usize| Some(u64::from_le_bytes(sub.get(at..at + 8)?.try_into().ok()?));
        // the layout is WASI 0.1's: user data, kind, clock, timeout, precision, flags
        if *sub.get(8)? != 0 {
            return None;
        }
        let timeout = Duration::from_nanos(number(24)?);
        let absolute = sub.get(40)? & 1 == 1;
        let wait = match (absolute, sub.get(16)?) {
            (false, 0 | 1) => timeout,
            (true, 0) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
                timeout.saturating_sub(now)
            }
            // when the guest's own clock began only wasmtime knows
            _ => return None,
        };
        Some(Clock {
            userdata: sub.get(..8)?.try_into().ok()?,
            wait,
        })
    };
    subscriptions.chunks(SUBSCRIPTION).map(clock).collect()
}

/// Sleeps until the first of the clocks has come, and tells which have.
fn sleep(caller: &mut Caller<'_, State>, clocks: &[Clock], to: i32, told: i32) -> Result<i32> {
    const EFAULT: i32 = 21;
    let first = clocks.iter().map(|c| c.wait).min().unwrap_or_default();
    let guard = caller.data().guard.clone();
    guard.sleep(first).map_err(|Woken| Trap::Interrupt)?;
    let mut events = Vec::new();
    for clock in clocks.iter().filter(|c| c.wait <= first) {
        let mut event = [0; EVENT];
        event[..8].copy_from_slice(&clock.userdata);
        events.extend(event);
    }
    let count = ((events.len() / EVENT) as u32).to_le_bytes();
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Ok(EFAULT);
    };
    let written = memory
        .write(&mut *caller, to as u32 as usize, &events)
        .and_then(|()| memory.write(&mut *caller, told as u32 as usize, &count));
    Ok(written.map_or(EFAULT, |()| 0))
}

/// Puts the polls of WASI 0.2 in front of those that are there.
///
/// # Errors
/// If wasmtime refuses the definition.
pub fn add_to_component_linker(linker: &mut wasmtime::component::Linker<State>) -> Result<()> {
    poll::add_to_linker::<State, HasWaiting>(linker, |state| Waiting {
        guard: state.guard.clone(),
        table: state.ctx().table,
    })
}

struct HasWaiting;

impl HasData for HasWaiting {
    type Data<'a> = Waiting<'a>;
}

/// A store's resources, and who stops what waits for them.
struct Waiting<'a> {
    table: &'a mut ResourceTable,
    guard: Guard,
}

/// Runs a future, or traps as soon as the guest is to stop.
fn until_stopped<T>(guard: &Guard, future: impl Future<Output = Result<T>>) -> Result<T> {
    in_tokio(async {
        let (mut future, mut stopped) = (pin!(future), pin!(guard.stopped()));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => match stopped.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Err(Trap::Interrupt.into())),
                Poll::Pending => Poll::Pending,
            },
        })
        .await
    })
}

impl poll::Host for Waiting<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        let polled = waiting::Host::poll(self.table, pollables);
        until_stopped(&self.guard, polled)
    }
}

impl poll::HostPollable for Waiting<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        in_tokio(waiting::HostPollable::ready(self.table, pollable))
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        let blocked = waiting::HostPollable::block(self.table, pollable);
        until_stopped(&self.guard, blocked)
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        waiting::HostPollable::drop(self.table, pollable)
    }
}
