//! Stops a guest: at its limit, or because the run is interrupted.
//!
//! One thread for each worker sleeps until the deadline of the moment and then has the guest
//! trap where it is ([`super::reach`]), or where code checks for it, raises the engine's epoch;
//! and once before, when a guest has run for [`GLANCE`], shows where it is. It wakes for nothing
//! else: no ticking. A guest that sleeps or polls in the host is woken as well
//! (`waiting` asks here), and one that comes back from any host call stops there. One that is in a
//! host call that does not come back, blocked or busy (a `memory.fill` of
//! gigabytes is one), does not notice: that is told a moment later (`on_stuck`), and the worker is
//! given up.

use super::guest_code::GuestCode;
use super::own_thread::OwnThread;
use super::reach::{self, Answered, GuestThread};
use crate::harness::termination::StackFrame;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A guest that has run for so long is looked at, once: what is it at?
pub const GLANCE: Duration = Duration::from_millis(500);
/// What a guest is given to come back once it is to stop: guest code notices in a millisecond.
const STUCK: Duration = Duration::from_millis(50);
/// When to look again at one that had no processor to come back on.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// When to ask again a guest that was in the host, and how much longer each further time.
const ASK_AGAIN: Duration = Duration::from_micros(200);
/// But no longer than this.
const ASK_SELDOM: Duration = Duration::from_millis(20);
/// How often one is asked where it is that is in the host: it may sleep there.
const MOST_LOOKS: u32 = 8;
/// And one to stop that nobody watches over.
const MOST_ASKED: u32 = 100;

/// What is wanted of the guest of the moment, wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Nothing,
    /// That it shows where it is.
    Look,
    /// That it comes to its end.
    Stop,
}

impl Wanted {
    const ALL: [Wanted; 3] = [Wanted::Nothing, Wanted::Look, Wanted::Stop];
}

/// How a call came back that was guarded.
pub struct CameBack<R> {
    /// `None` if the run was interrupted before it began.
    pub result: Option<R>,
    /// Why the guest was to stop, if it was.
    pub stopped: Option<StopReason>,
    /// Whether it was made to trap in its own code.
    pub caught: bool,
    /// Where it was when it had run for [`GLANCE`], innermost first, if it was seen in its code.
    pub seen_at: Vec<StackFrame>,
}

/// Guards one guest at a time.
#[derive(Default)]
pub struct Deadline {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
    /// Whether guests are looked at: their stores have to know what to do then.
    glances: bool,
    on_stuck: Option<OnStuck>,
}

/// Is told of a guest that does not come back, with where it was found, innermost first.
type OnStuck = Box<dyn FnMut(&[StackFrame]) + Send>;

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
    /// What is wanted of the guest, for its way between the host and its code.
    wanted: AtomicU8,
    /// The thread that guests run on, where it can be reached.
    guest: OnceLock<Option<GuestThread>>,
}

#[derive(Default)]
struct State {
    armed: Option<Armed>,
    /// Why the guest of the moment, or the last one, was stopped.
    stopped: Option<StopReason>,
    interrupted: bool,
    /// When a guest that was stopped at its limit should have come back.
    overdue: Option<Instant>,
    /// What is to be asked of a guest in its own code, until it has come back.
    asking: Option<Asking>,
    /// When the thread will look again by itself.
    wakes: Option<Instant>,
    /// Whether a thread watches over the guest.
    is_watched: bool,
    closed: bool,
}

struct Armed {
    /// `None`: a limit beyond what the clock can count is no limit.
    at: Option<Instant>,
    /// When it is looked at, if it was not yet.
    glance: Option<Instant>,
    code: Arc<GuestCode>,
    at_interrupt: AtInterrupt,
}

struct Asking {
    what: Wanted,
    code: Arc<GuestCode>,
    /// When to ask again.
    at: Instant,
    after: Duration,
    times: u32,
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
            self.ask(state, Wanted::Stop, armed.code);
            if why == StopReason::Limit {
                state.overdue = Instant::now().checked_add(STUCK);
            }
            state.stopped = Some(why);
            self.woken.notify_all();
            self.notify.notify_waiters();
        }
    }

    /// Under the lock: the guest of this moment, wherever it is.
    fn ask(&self, state: &mut State, what: Wanted, code: Arc<GuestCode>) {
        self.wanted.store(what as u8, Ordering::Relaxed);
        if !reach::AVAILABLE {
            return code.interrupt();
        }
        state.asking = Some(Asking {
            what,
            code,
            at: Instant::now(),
            after: ASK_AGAIN,
            times: 0,
        });
        self.ask_in_code(state);
    }

    /// Under the lock: the same guest, in its own code.
    fn ask_in_code(&self, state: &mut State) {
        let Some(asking) = &mut state.asking else {
            return;
        };
        if asking.what == Wanted::Look && asking.times == MOST_LOOKS {
            // once it comes back from where it is it shows itself
            state.asking = None;
            return;
        }
        if let Some(Some(guest)) = self.guest.get() {
            let has_answered = match asking.what {
                Wanted::Nothing => true,
                Wanted::Look => guest.was_seen() || self.wanted() != Wanted::Look,
                Wanted::Stop => guest.was_caught(),
            };
            if has_answered {
                self.saw(asking.what);
                state.asking = None;
                return;
            }
            let functions = asking.code.functions();
            match asking.what {
                Wanted::Nothing => {}
                Wanted::Look => guest.look(functions),
                Wanted::Stop => guest.stop(functions),
            }
        }
        asking.times += 1;
        asking.at = Instant::now() + asking.after;
        asking.after = (asking.after * 2).min(ASK_SELDOM);
        self.changed.notify_one();
    }

    /// Under the lock: where the guest of this moment is, which does not come back from the host.
    fn find(&self, state: &State) -> Vec<StackFrame> {
        let (Some(Some(guest)), Some(asking)) = (self.guest.get(), &state.asking) else {
            return Vec::new();
        };
        let code = &asking.code;
        code.frames(&guest.find(code.functions()))
    }

    /// If that was wanted that it shows where it is, it has.
    fn saw(&self, what: Wanted) {
        if what == Wanted::Look {
            let (look, nothing) = (Wanted::Look as u8, Wanted::Nothing as u8);
            let (set, was) = (Ordering::Relaxed, Ordering::Relaxed);
            let _ = self.wanted.compare_exchange(look, nothing, set, was);
        }
    }

    fn wanted(&self) -> Wanted {
        Wanted::ALL[usize::from(self.wanted.load(Ordering::Relaxed)) % Wanted::ALL.len()]
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
    pub fn on_stuck(mut self, tell: impl FnMut(&[StackFrame]) + Send + 'static) -> Deadline {
        self.on_stuck = Some(Box::new(tell));
        self
    }

    /// Runs `call`, in which a guest of this code runs that is stopped once `limit` has
    /// passed or the run is interrupted. The store must have been given an epoch
    /// deadline of 1 just before.
    pub(super) fn during<R>(
        &mut self,
        code: &Arc<GuestCode>,
        limit: Duration,
        at_interrupt: AtInterrupt,
        call: impl FnOnce() -> R,
    ) -> CameBack<R> {
        let guest = self.shared.guest.get_or_init(GuestThread::here);
        let now = Instant::now();
        let at = now.checked_add(limit);
        let glance = now.checked_add(GLANCE);
        let glance = glance.filter(|_| self.glances && at.is_some());
        // without a limit there is nothing to watch for
        if self.thread.is_none() && at.is_some() {
            let shared = self.shared.clone();
            let (on_stuck, here) = (self.on_stuck.take(), OwnThread::here());
            self.thread = Some(thread::spawn(move || watch(&shared, on_stuck, &here)));
            self.shared.lock().is_watched = true;
        }
        {
            let mut state = self.shared.lock();
            if state.interrupted && at_interrupt == AtInterrupt::Stop {
                return CameBack {
                    result: None,
                    stopped: Some(StopReason::Interrupt),
                    caught: false,
                    seen_at: Vec::new(),
                };
            }
            state.stopped = None;
            let armed = state.armed.insert(Armed {
                at,
                glance,
                code: code.clone(),
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
        // nobody asks from here on, and what was asked is not heard any more
        state.asking = None;
        let stopped = state.stopped;
        drop(state);
        let nothing = Wanted::Nothing as u8;
        self.shared.wanted.store(nothing, Ordering::Relaxed);
        let answered = guest.as_ref().map(GuestThread::came_back);
        let Answered { caught, seen_at } = answered.unwrap_or_default();
        CameBack {
            result: Some(result),
            stopped,
            caught,
            seen_at: code.frames(&seen_at),
        }
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
        // where nobody watches over the guest nobody else asks it again
        for _ in 0..MOST_ASKED {
            if state.is_watched || state.asking.is_none() {
                return;
            }
            drop(state);
            thread::sleep(ASK_AGAIN);
            state = self.0.lock();
            self.0.ask_in_code(&mut state);
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

    /// What is wanted of the guest: for its way back from the host, which is often taken.
    pub fn wanted(&self) -> Wanted {
        self.0.wanted()
    }

    /// It was seen where it is.
    pub fn was_seen(&self) {
        self.0.saw(Wanted::Look);
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

fn watch(shared: &Shared, mut on_stuck: Option<OnStuck>, guest: &OwnThread) {
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
                armed.glance = None;
                let code = armed.code.clone();
                shared.ask(&mut state, Wanted::Look, code);
            }
        }
        if is_past(state.asking.as_ref().map(|asking| asking.at)) {
            shared.ask_in_code(&mut state);
        }
        if is_past(state.overdue) {
            if guest.waits_for_a_processor(had) {
                state.overdue = now.checked_add(LOOK_AGAIN);
            } else {
                state.overdue = None;
                if let Some(tell) = &mut on_stuck {
                    let stack = shared.find(&state);
                    // whoever is told takes locks of its own
                    drop(state);
                    tell(&stack);
                    state = shared.lock();
                    continue;
                }
            }
        }
        let overdue = state.overdue.filter(|_| on_stuck.is_some());
        let due = state.armed.as_ref().and_then(Armed::due).or(overdue);
        let ask = state.asking.as_ref().map(|asking| asking.at);
        state.wakes = match due.into_iter().chain(ask).min() {
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
        let mut deadline = told.on_stuck(move |_| tx.send(()).expect("somebody waits"));
        let code = Arc::new(GuestCode::none());
        let (stop, at_once) = (AtInterrupt::Stop, Duration::from_millis(1));
        let back = deadline.during(&code, at_once, stop, || rx.recv());
        let told = (back.result, back.stopped);
        assert_eq!(told, (Some(Ok(())), Some(StopReason::Limit)));
        // one that comes back at its limit is not told of, nor the next one in its place
        let guard = deadline.guard();
        let comes_back = || while !guard.is_to_stop() {};
        let back = deadline.during(&code, at_once, stop, comes_back);
        assert_eq!(back.stopped, Some(StopReason::Limit));
        let back = deadline.during(&code, Duration::from_secs(3600), stop, || ());
        assert_eq!(back.stopped, None);
        drop(deadline);
        assert!(rx.recv().is_err(), "nothing more was told");
    }
}
