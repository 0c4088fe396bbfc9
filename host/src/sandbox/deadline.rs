//! Stops a guest: at its limit, or because the run is interrupted.
//!
//! One thread for each worker sleeps until the deadline of the moment and then
//! raises the engine's epoch, at which guest code traps; and once before, when a guest has
//! run for [`GLANCE`], at which it only shows its stack. It wakes for nothing
//! else: no ticking. A guest that sleeps or polls in the host is woken as well
//! (`waiting` asks here). One that is in any other host call, blocked or busy (a `memory.fill` of
//! gigabytes is one), does not notice: that is told a moment later (`on_stuck`), and the worker is
//! given up.

use super::own_thread::OwnThread;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use wasmtime::Engine;

/// A guest that has run for so long is looked at, once: what is it at?
pub const GLANCE: Duration = Duration::from_millis(500);
/// What a guest is given to come back once it is to stop: guest code notices in a millisecond.
const STUCK: Duration = Duration::from_millis(50);
/// When to look again at one that had no processor to come back on.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Guards one guest at a time.
#[derive(Default)]
pub struct Deadline {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
    /// Whether guests are looked at: their stores have to know what to do then.
    glances: bool,
    on_stuck: Option<Box<dyn FnMut() + Send>>,
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
    /// When a guest that was stopped at its limit should have come back.
    overdue: Option<Instant>,
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
            if why == StopReason::Limit {
                state.overdue = Instant::now().checked_add(STUCK);
            }
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

    /// The same with something to be called, from another thread, when a guest has reached
    /// its limit and does not come back: it is not in its own code.
    pub fn on_stuck(mut self, tell: impl FnMut() + Send + 'static) -> Deadline {
        self.on_stuck = Some(Box::new(tell));
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
            let (on_stuck, guest) = (self.on_stuck.take(), OwnThread::here());
            self.thread = Some(thread::spawn(move || watch(&shared, on_stuck, &guest)));
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
        state.overdue = None;
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

fn watch(shared: &Shared, mut on_stuck: Option<Box<dyn FnMut() + Send>>, guest: &OwnThread) {
    let mut state = shared.lock();
    let mut had = None;
    while !state.closed {
        let now = Instant::now();
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if let Some(armed) = &mut state.armed {
            if is_past(armed.at) {
                had = guest.processor_time();
                shared.stop(&mut state, StopReason::Limit);
            } else if is_past(armed.glance) {
                // under the lock: the guest of this moment, and no later one
                armed.glance = None;
                armed.engine.increment_epoch();
            }
        }
        if is_past(state.overdue) {
            if guest.waits_for_a_processor(had) {
                state.overdue = now.checked_add(LOOK_AGAIN);
            } else {
                state.overdue = None;
                if let Some(tell) = &mut on_stuck {
                    // whoever is told takes locks of its own
                    drop(state);
                    tell();
                    state = shared.lock();
                    continue;
                }
            }
        }
        let overdue = state.overdue.filter(|_| on_stuck.is_some());
        state.wakes = match state.armed.as_ref().and_then(Armed::due).or(overdue) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn of_a_guest_that_does_not_come_back_is_told_once_it_is_late() {
        let (tx, rx) = mpsc::channel();
        let told = Deadline::default();
        let mut deadline = told.on_stuck(move || tx.send(()).expect("somebody waits"));
        let engine = Engine::default();
        let (stop, at_once) = (AtInterrupt::Stop, Duration::from_millis(1));
        let (result, why) = deadline.during(&engine, at_once, stop, || rx.recv());
        assert_eq!((result, why), (Some(Ok(())), Some(StopReason::Limit)));
        // one that comes back at its limit is not told of, nor the next one in its place
        let guard = deadline.guard();
        let comes_back = || while !guard.is_to_stop() {};
        let (_, why) = deadline.during(&engine, at_once, stop, comes_back);
        assert_eq!(why, Some(StopReason::Limit));
        let (_, why) = deadline.during(&engine, Duration::from_secs(3600), stop, || ());
        assert_eq!(why, None);
        drop(deadline);
        assert!(rx.recv().is_err(), "nothing more was told");
    }
}
