//! Stops a guest that runs for too long.
//!
//! One thread for each worker sleeps until the deadline of the moment and then
//! raises the engine's epoch, at which guest code traps. It wakes for nothing
//! else: no ticking. A guest that is blocked in a host call does not notice; the
//! primary ends its worker instead.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// Guards one guest at a time.
#[derive(Default)]
pub struct Deadline {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    armed: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    armed: Option<(Instant, Engine)>,
    /// When the thread will look again by itself.
    wakes: Option<Instant>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.armed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Deadline {
    /// Runs `call`, during which `engine`'s epoch is raised once `limit` has
    /// passed. The store must have been given an epoch deadline of 1.
    pub fn during<R>(&mut self, engine: &Engine, limit: Duration, call: impl FnOnce() -> R) -> R {
        if self.thread.is_none() {
            let shared = self.shared.clone();
            self.thread = Some(thread::spawn(move || watch(&shared)));
        }
        // a limit beyond what the clock can count is no limit
        let at = Instant::now().checked_add(limit);
        if let Some(at) = at {
            let mut state = self.shared.lock();
            state.armed = Some((at, engine.clone()));
            if state.wakes.is_none_or(|w| w > at) {
                self.shared.changed.notify_one();
            }
        }
        let result = call();
        self.shared.lock().armed = None;
        result
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
        state.wakes = match &state.armed {
            Some((at, engine)) if *at <= now => {
                // under the lock: the guest of this deadline, and no later one
                engine.increment_epoch();
                state.armed = None;
                None
            }
            Some((at, _)) => Some(*at),
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
