//! Stops a guest: at its limit, or because the run is interrupted.
//!
//! One thread for each worker sleeps until the deadline of the moment and then
//! raises the engine's epoch, at which guest code traps; and once before, when a guest has
//! run for [`GLANCE`], at which it only shows its stack. It wakes for nothing
//! else: no ticking. A guest that sleeps or polls in the host is woken as well
//! (`waiting` asks here); one that is blocked in any other host call does not
//! notice, and the primary ends its worker instead.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wasmtime::Engine;

/// A guest that has run for so long is looked at, once: what is it at?
pub const GLANCE: Duration = Duration::from_millis(500);

/// Guards one guest at a time.
#[derive(Default)]
pub struct Deadline {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
    /// Whether guests are looked at: their stores have to know what to do then.
    glances: bool,
}

/// Why a guest was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It reached its limit.
    Limit,
    /// The run was interrupted.
    Interrupt,
}

/// What an interrupt means for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtInterrupt {
    /// It stops, or is not begun.
    Stop,
    /// It runs: it tears down what was set up.
    GoOn,
}

/// The guest is to stop: what host functions in which it waits come back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Woken;

/// A handle to whatever guest runs: for the thread that listens, and for host
/// functions in which a guest waits.
#[derive(Clone, Default)]
pub struct Guard(Arc<Shared>);

#[derive(Default)]
struct Shared {
    armed: Mutex<State>,
    changed: Condvar,
    /// Wakes a guest that sleeps in the host.
    woken: Condvar,
    /// The same for one that waits in a future.
    notify: Notify,
}

#[derive(Default)]
struct State {
    armed: Option<Armed>,
    /// Why the guest of the moment, or the last one, was stopped.
    stopped: Option<StopReason>,
    interrupted: bool,
    /// When the thread will look again by itself.
    wakes: Option<Instant>,
    closed: bool,
}

struct Armed {
    /// `None`: a limit beyond what the clock can count is no limit.
    at: Option<Instant>,
    /// When it is looked at, if it was not yet.
    glance: Option<Instant>,
    engine: Engine,
    at_interrupt: AtInterrupt,
}

impl Armed {
    /// When there is something to do.
    fn due(&self) -> Option<Instant> {
        match (self.at, self.glance) {
            (Some(at), Some(glance)) => Some(at.min(glance)),
            (at, glance) => at.or(glance),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.armed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Under the lock: the guest of this moment, and no later one.
    fn stop(&self, state: &mut State, why: StopReason) {
        if let Some(armed) = state.armed.take() {
            armed.engine.increment_epoch();
            state.stopped = Some(why);
            self.woken.notify_all();
            self.notify.notify_waiters();
        }
    }
}

impl Deadline {
    /// A handle to the guests that will run.
    pub fn guard(&self) -> Guard {
        Guard(self.shared.clone())
    }

    /// The same, for guests that are looked at: in each of their stores, an epoch at which
    /// [`Guard::is_to_stop`] says no is no end.
    pub fn with_glances(mut self) -> Deadline {
        self.glances = true;
        self
    }

    /// Runs `call`, during which `engine`'s epoch is raised once `limit` has
    /// passed or the run is interrupted. The store must have been given an epoch
    /// deadline of 1 just before. Gives why the guest was stopped, if it was;
    /// `None` for the result if the run was interrupted before it began.
    pub fn during<R>(
        &mut self,
        engine: &Engine,
        limit: Duration,
        at_interrupt: AtInterrupt,
        call: impl FnOnce() -> R,
    ) -> (Option<R>, Option<StopReason>) {
        let now = Instant::now();
        let at = now.checked_add(limit);
        let glance = now.checked_add(GLANCE);
        let glance = glance.filter(|_| self.glances && at.is_some());
        // without a limit there is nothing to watch for
        if self.thread.is_none() && at.is_some() {
            let shared = self.shared.clone();
            self.thread = Some(thread::spawn(move || watch(&shared)));
        }
        {
            let mut state = self.shared.lock();
            if state.interrupted && at_interrupt == AtInterrupt::Stop {
                return (None, Some(StopReason::Interrupt));
            }
            state.stopped = None;
            let armed = state.armed.insert(Armed {
                at,
                glance,
                engine: engine.clone(),
                at_interrupt,
            });
            let due = armed.due();
            if due.is_some_and(|due| state.wakes.is_none_or(|w| w > due)) {
                self.shared.changed.notify_one();
            }
        }
        let result = call();
        let mut state = self.shared.lock();
        state.armed = None;
        (Some(result), state.stopped)
    }
}

impl Guard {
    /// The run is interrupted: the guest of the moment stops, unless it tears
    /// something down, and no other test begins.
    pub fn interrupt(&self) {
        let mut state = self.0.lock();
        state.interrupted = true;
        if matches!(&state.armed, Some(a) if a.at_interrupt == AtInterrupt::Stop) {
            self.0.stop(&mut state, StopReason::Interrupt);
        }
    }

    /// Whether the run was interrupted.
    pub fn is_interrupted(&self) -> bool {
        self.0.lock().interrupted
    }

    /// Whether the guest is to stop: else it was only looked at.
    pub fn is_to_stop(&self) -> bool {
        self.0.lock().armed.is_none()
    }

    /// Sleeps for this long, or until the guest is to stop.
    ///
    /// # Errors
    /// If the guest is to stop.
    pub fn sleep(&self, duration: Duration) -> Result<(), Woken> {
        let until = Instant::now().checked_add(duration);
        let mut state = self.0.lock();
        loop {
            if state.armed.is_none() {
                return Err(Woken);
            }
            let now = Instant::now();
            let left = match until {
                Some(until) if until <= now => return Ok(()),
                Some(until) => until - now,
                None => Duration::MAX,
            };
            let woken = self.0.woken.wait_timeout(state, left);
            state = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Comes back once the guest is to stop.
    pub async fn stopped(&self) {
        // asked for before looking: what happens in between is not missed
        let notified = self.0.notify.notified();
        let mut notified = std::pin::pin!(notified);
        notified.as_mut().enable();
        if self.0.lock().armed.is_some() {
            notified.await;
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(shared: &Shared) {
    let mut state = shared.lock();
    while !state.closed {
        let now = Instant::now();
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if let Some(armed) = &mut state.armed {
            if is_past(armed.at) {
                shared.stop(&mut state, StopReason::Limit);
            } else if is_past(armed.glance) {
                // under the lock: the guest of this moment, and no later one
                armed.glance = None;
                armed.engine.increment_epoch();
            }
        }
        state.wakes = match state.armed.as_ref().and_then(Armed::due) {
            Some(at) => Some(at),
            // still asleep for a deadline that was met: look then, arm nothing
            None => state.wakes.filter(|w| *w > now),
        };
        state = match state.wakes {
            Some(at) => {
                let wait = at.saturating_duration_since(now);
                let woken = shared.changed.wait_timeout(state, wait);
                woken.unwrap_or_else(std::sync::PoisonError::into_inner).0
            }
            None => shared
                .changed
                .wait(state)
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        };
    }
}
