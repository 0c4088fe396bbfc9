//! The host functions in which a guest waits, made to end when it is to stop.
//!
//! Epochs do not reach a guest that sleeps in the host: `poll_oneoff` of WASI
//! 0.1 and the polls of WASI 0.2 are put in front of wasmtime's own, and come
//! back with a trap at the guest's limit or at an interrupt.

use super::deadline::{Guard, Woken};
use super::hostcall;
use super::state::State;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime::{Caller, Result, Trap};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::p1::wasi_snapshot_preview1 as p1;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll as waiting;
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestMemory, GuestPtr};

/// An event's size in bytes: the same in both versions of WASI.
const EVENT: usize = 32;
/// More are not copied, whatever a guest says.
const MOST: u32 = 1024;
/// Error numbers.
const SUCCESS: i32 = 0;
const NOMEM: i32 = 48;

/// Where a subscription has what, in bytes from its begin; its kind is at 8.
struct Layout {
    module: &'static str,
    size: usize,
    clock: usize,
    timeout: usize,
    flags: usize,
}

/// WASI 0.1's, and that of its predecessor, in which a clock has an identifier, too.
const LAYOUTS: [Layout; 2] = [
    Layout {
        module: "wasi_snapshot_preview1",
        size: 48,
        clock: 16,
        timeout: 24,
        flags: 40,
    },
    Layout {
        module: "wasi_unstable",
        size: 56,
        clock: 24,
        timeout: 32,
        flags: 48,
    },
];

/// Puts `poll_oneoff` in front of those that are there.
///
/// # Errors
/// If wasmtime refuses the definition.
pub fn add_to_core_linker(linker: &mut wasmtime::Linker<State>) -> Result<()> {
    for layout in &LAYOUTS {
        linker.func_wrap(
            layout.module,
            "poll_oneoff",
            |mut caller: Caller<'_, State>,
             from: i32,
             to: i32,
             count: i32,
             told: i32|
             -> Result<i32> {
                hostcall::enter(&mut caller, |state, memory| {
                    let few = layout.read(memory, from, count)?;
                    let read = || state.clock.read();
                    let clocks = few.as_deref().and_then(|few| layout.clocks(few, read));
                    let (errno, events) = match (clocks, few) {
                        (Some(clocks), _) => (SUCCESS, sleep(&state.guard, &clocks)?),
                        (None, Some(few)) if layout.is_old() => layout.poll(state, &few)?,
                        // it would take the old ones for its own
                        (None, None) if layout.is_old() && count != 0 => (NOMEM, Vec::new()),
                        _ => {
                            let guard = state.guard.clone();
                            let wasi = state.wasi();
                            let polled = p1::poll_oneoff(wasi, memory, from, to, count, told);
                            return until_stopped(&guard, polled);
                        }
                    };
                    if errno == SUCCESS {
                        let count = (events.len() / EVENT) as u32;
                        let to = GuestPtr::new((to as u32, events.len() as u32));
                        memory.copy_from_slice(&events, to)?;
                        memory.write(GuestPtr::<u32>::new(told as u32), count)?;
                    }
                    Ok(errno)
                })
            },
        )?;
    }
    Ok(())
}

/// A clock that is waited for.
struct Awaited {
    userdata: [u8; 8],
    wait: Duration,
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Layout {
    fn is_old(&self) -> bool {
        self.module == "wasi_unstable"
    }

    /// The subscriptions, unless there are none or too many.
    fn read(&self, memory: &GuestMemory<'_>, from: i32, count: i32) -> Result<Option<Vec<u8>>> {
        let count = count as u32;
        if count == 0 || count > MOST {
            return Ok(None);
        }
        let all = GuestPtr::<[u8]>::new((from as u32, count * self.size as u32));
        Ok(Some(memory.as_cow(all)?.into_owned()))
    }

    /// The clocks that are waited for, if nothing else is; `read` reads the monotonic one.
    fn clocks(&self, subscriptions: &[u8], read: impl Fn() -> Duration) -> Option<Vec<Awaited>> {
        let clock = |sub: &[u8]| -> Option<Awaited> {
            if *sub.get(8)? != 0 {
                return None;
            }
            let timeout = Duration::from_nanos(number(sub, self.timeout)?);
            let absolute = sub.get(self.flags)? & 1 == 1;
            let wait = match (absolute, sub.get(self.clock)?) {
                (false, 0 | 1) => timeout,
                (true, 0) => {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
                    timeout.saturating_sub(now)
                }
                (true, 1) => timeout.saturating_sub(read()),
                _ => return None,
            };
            Some(Awaited {
                userdata: sub.get(..8)?.try_into().ok()?,
                wait,
            })
        };
        subscriptions.chunks(self.size).map(clock).collect()
    }

    /// Has wasmtime's function of WASI 0.1 wait; gives its error number and the events.
    /// That of the predecessor mistakes all subscriptions but the first.
    fn poll(&self, state: &mut State, subscriptions: &[u8]) -> Result<(i32, Vec<u8>)> {
        let [layout, _] = &LAYOUTS;
        let count = subscriptions.len() / self.size;
        let mut room = vec![0; hostcall::room(count * (layout.size + EVENT) + 4)];
        let room = hostcall::aligned(&mut room);
        for (sub, to) in subscriptions
            .chunks(self.size)
            .zip(room.chunks_mut(layout.size))
        {
            to[..16].copy_from_slice(&sub[..16]);
            let rest = &sub[self.clock..];
            let length = rest.len().min(layout.size - layout.clock);
            to[layout.clock..][..length].copy_from_slice(&rest[..length]);
            // a descriptor stands where an identifier does
            if sub[8] != 0 {
                to[16..20].copy_from_slice(&sub[16..20]);
            }
        }
        let events = count * layout.size;
        let told = events + count * EVENT;
        let guard = state.guard.clone();
        let mut memory = GuestMemory::Unshared(&mut *room);
        let (to, told_at) = (events as i32, told as i32);
        let polled = p1::poll_oneoff(state.wasi(), &mut memory, 0, to, count as i32, told_at);
        let errno = until_stopped(&guard, polled)?;
        let happened = u32::from_le_bytes(room[told..told + 4].try_into()?) as usize;
        let happened = happened.min(count) * EVENT;
        Ok((errno, room[events..events + happened].to_vec()))
    }
}

/// Sleeps until the first of the clocks has come; gives an event for each that has.
fn sleep(guard: &Guard, clocks: &[Awaited]) -> Result<Vec<u8>> {
    let first = clocks.iter().map(|c| c.wait).min().unwrap_or_default();
    guard.sleep(first).map_err(|Woken| Trap::Interrupt)?;
    let mut events = Vec::new();
    for clock in clocks.iter().filter(|c| c.wait <= first) {
        let mut event = [0; EVENT];
        event[..8].copy_from_slice(&clock.userdata);
        events.extend(event);
    }
    Ok(events)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_of_the_monotonic_clock_is_as_far_off_as_that_clock_says() {
        for layout in &LAYOUTS {
            let wait = |clock: u8, flags: u8, timeout: u64, shown: u64| {
                let mut sub = vec![0; layout.size];
                sub[layout.clock] = clock;
                sub[layout.timeout..layout.timeout + 8].copy_from_slice(&timeout.to_le_bytes());
                sub[layout.flags] = flags;
                let clocks = layout.clocks(&sub, || Duration::from_nanos(shown));
                clocks.map(|clocks| clocks[0].wait.as_nanos())
            };
            assert_eq!(wait(1, 1, 1000, 300), Some(700));
            // it has passed
            assert_eq!(wait(1, 1, 1000, 1001), Some(0));
            assert_eq!(wait(1, 0, 1000, 300), Some(1000));
            assert_eq!(wait(0, 1, 1000, 300), Some(0));
            // the time of a processor is no clock to wait for
            assert_eq!(wait(2, 0, 1000, 300), None);
        }
    }
}
