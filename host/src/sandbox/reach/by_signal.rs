//! Reaches a guest in the middle of its own code, which checks nothing: to stop it, or to see where
//! it is.
//!
//! A signal is sent to the thread that it runs on. Where the handler finds the thread in a
//! function of the guest's, it has the thread go on at an instruction that traps, as if the
//! function had called it there: wasmtime unwinds then as from any trap, with the guest's stack as
//! it was. So a limit costs a guest nothing until it is reached, and the thread, its process and
//! the host around it are left as a trap leaves them. A guest that is in the host at that moment
//! is left alone, and asked again: it is stopped on its way back
//! ([`on_the_way`](super::super::guest::on_the_way)), or in its code.
//!
//! The handler touches nothing but atomics, what the thread's own stack holds, and the context
//! that the system gives it.

use super::Answered;
use super::frames::{Registers, Seen, find, frame, look};
use super::functions::Functions;
use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use wasmtime::{Config, Engine, Module};

/// Ignored where nobody handles it, and what runtimes use that stop their own code in this way.
const SIGNAL: libc::c_int = libc::SIGURG;

/// How often it is looked whether a guest was found that is in the host, and how long is waited in
/// between.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// What is wanted of the thread, and what it has done: bits.
const NOTHING: u32 = 0;
const LOOK: u32 = 1;
const STOP: u32 = 2;
const FIND: u32 = 4;

/// Whether guests are reached without checking anything themselves.
pub(in crate::sandbox) const AVAILABLE: bool = true;

/// A thread that guests run on, as others reach it.
pub(in crate::sandbox) struct GuestThread(Arc<Slot>);

struct Slot {
    thread: libc::pthread_t,
    /// Where its stack lies.
    stack: Range<usize>,
    wanted: AtomicU32,
    /// What it has done of that.
    done: AtomicU32,
    /// The functions of the guest of the moment, which whoever set this keeps alive.
    functions: AtomicPtr<Functions>,
    /// Where it is sent to be stopped.
    trap: AtomicUsize,
    /// Where its stack ended when it left its code for the host; 0 while it is not there.
    left_at: AtomicUsize,
    /// Where it was seen.
    seen: Seen,
}

thread_local! {
    /// This thread's, for the handler.
    static HERE: Cell<*const Slot> = const { Cell::new(ptr::null()) };
}

impl GuestThread {
    /// The thread that calls this, which runs no guest yet; `None` where it cannot be reached.
    /// Each thread has one, which lasts as long as the process.
    pub(in crate::sandbox) fn here() -> Option<GuestThread> {
        if HERE.get().is_null() {
            handle()?;
            let_through()?;
            let slot = Arc::new(Slot {
                // SAFETY: it has no preconditions.
                thread: unsafe { libc::pthread_self() },
                stack: own_stack()?,
                wanted: AtomicU32::new(NOTHING),
                done: AtomicU32::new(NOTHING),
                functions: AtomicPtr::new(ptr::null_mut()),
                trap: AtomicUsize::new(0),
                left_at: AtomicUsize::new(0),
                seen: Seen::nowhere(),
            });
            // one count is the thread's for good: the handler may run until it is gone
            HERE.set(Arc::into_raw(slot));
        }
        let slot = HERE.get();
        // SAFETY: it came from `into_raw`, whose count is never given back; this is one more.
        let slot = unsafe {
            Arc::increment_strong_count(slot);
            Arc::from_raw(slot)
        };
        Some(GuestThread(slot))
    }
}

impl GuestThread {
    /// Asks that the guest, which has these functions, be stopped where it is in one of them. To be
    /// repeated until it has come back.
    pub(in crate::sandbox) fn stop(&self, functions: &Functions) {
        if let Some(trap) = trap() {
            self.0.trap.store(trap, Ordering::Relaxed);
            self.ask(STOP, functions);
        }
    }

    /// Asks where the guest is, which has these functions.
    pub(in crate::sandbox) fn look(&self, functions: &Functions) {
        self.ask(LOOK, functions);
    }

    /// Where the guest is that does not come back from the host, innermost first.
    pub(in crate::sandbox) fn find(&self, functions: &Functions) -> Vec<usize> {
        self.ask(FIND, functions);
        for _ in 0..LOOKS {
            if self.0.done.load(Ordering::Acquire) & FIND != 0 {
                return self.0.seen.take();
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Vec::new()
    }

    fn ask(&self, what: u32, functions: &Functions) {
        let functions = ptr::from_ref(functions).cast_mut();
        self.0.functions.store(functions, Ordering::Release);
        self.0.wanted.store(what, Ordering::Release);
        self.signal();
    }

    /// Whether it was seen where it is.
    pub(in crate::sandbox) fn was_seen(&self) -> bool {
        self.0.done.load(Ordering::Acquire) & LOOK != 0
    }

    /// Whether it was made to trap.
    pub(in crate::sandbox) fn was_caught(&self) -> bool {
        self.0.done.load(Ordering::Acquire) & STOP != 0
    }

    fn signal(&self) {
        // SAFETY: the thread is there: it runs guests, and who asks holds off its end.
        unsafe { libc::pthread_kill(self.0.thread, SIGNAL) };
    }

    /// The guest has come back: nothing is wanted of it any more. To be called by the thread
    /// itself, after which the functions may go.
    pub(in crate::sandbox) fn came_back(&self) -> Answered {
        self.0.wanted.store(NOTHING, Ordering::Release);
        self.0.functions.store(ptr::null_mut(), Ordering::Release);
        let caught = self.was_caught();
        self.0.done.store(NOTHING, Ordering::Release);
        Answered {
            caught,
            seen_at: self.0.seen.take(),
        }
    }
}

/// This thread leaves its guest's code for the host, or goes back to it: on a way that is often
/// taken.
pub(in crate::sandbox) fn is_in_the_host(is: bool) {
    // SAFETY: either there is none, or it lasts as long as the process.
    if let Some(slot) = unsafe { HERE.get().as_ref() } {
        let here = 0u8;
        let at = if is { (&raw const here).addr() } else { 0 };
        slot.left_at.store(at, Ordering::Relaxed);
    }
}

/// Where this thread's stack lies.
fn own_stack() -> Option<Range<usize>> {
    // SAFETY: the attributes are filled for this thread, read, and given back.
    unsafe {
        let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return None;
        }
        let (mut lowest, mut size) = (ptr::null_mut(), 0);
        let known =
            libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size) == 0;
        libc::pthread_attr_destroy(&raw mut attributes);
        let lowest = lowest.addr();
        known.then(|| lowest..lowest + size)
    }
}

/// Has the signal handled, from the first call on; `None` where it cannot be.
fn handle() -> Option<()> {
    static HANDLED: OnceLock<bool> = OnceLock::new();
    let handled = HANDLED.get_or_init(|| {
        // SAFETY: all-zero is a valid value; the handler has the type that the flags say.
        unsafe {
            let mut action = std::mem::zeroed::<libc::sigaction>();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                on_signal;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()) == 0
        }
    });
    handled.then_some(())
}

/// Has the signal come to this thread, also where it was held back by whoever started this process.
fn let_through() -> Option<()> {
    // SAFETY: the set is made in memory of this function's, and changes this thread's mask alone.
    let changed = unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, SIGNAL);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut())
    };
    (changed == 0).then_some(())
}

/// The address of an instruction that traps in code that wasmtime knows as a guest's; the first
/// time it is made.
fn trap() -> Option<usize> {
    static TRAP: OnceLock<Option<(Module, usize)>> = OnceLock::new();
    let trap = TRAP.get_or_init(|| {
        let mut config = Config::new();
        config.parallel_compilation(false);
        let engine = Engine::new(&config).ok()?;
        // one function, in which nothing is but `unreachable`
        let bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x05\x01\x03\0\0\x0b";
        let module = Module::new(&engine, bytes).ok()?;
        let function = module.functions().next()?;
        let code = module
            .text()
            .get(function.offset..function.offset + function.len)?;
        let at = code.windows(UD2.len()).position(|bytes| bytes == UD2)?;
        let address = code.as_ptr().addr() + at;
        Some((module, address))
    });
    trap.as_ref().map(|(_, address)| *address)
}

/// The instruction that `unreachable` becomes.
const UD2: [u8; 2] = [0x0f, 0x0b];

extern "C" fn on_signal(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: either there is none, or it lasts as long as the process.
    let Some(slot) = (unsafe { HERE.get().as_ref() }) else {
        return;
    };
    // SAFETY: whoever set it keeps them until the guest has come back, which is this thread's
    // to do, and it is here.
    let Some(functions) = (unsafe { slot.functions.load(Ordering::Acquire).as_ref() }) else {
        return;
    };
    // SAFETY: the system gives the handler of such a signal a context that is its own.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let mut registers = Registers(&mut context.uc_mcontext.gregs);
    let at = registers.get(libc::REG_RIP);
    let Some(function) = functions.of(at) else {
        // in the host: to stop there it is asked again
        if slot.wanted.load(Ordering::Acquire) == FIND {
            let left_at = slot.left_at.load(Ordering::Relaxed);
            find(&slot.seen, (&slot.stack, left_at), functions, &registers);
            slot.done.fetch_or(FIND, Ordering::AcqRel);
        }
        return;
    };
    match slot.wanted.swap(NOTHING, Ordering::AcqRel) {
        what @ (LOOK | FIND) => {
            // SAFETY: the thread is in a function of a guest's.
            unsafe { look(&slot.seen, &slot.stack, functions, function, &registers) };
            slot.done.fetch_or(what, Ordering::AcqRel);
        }
        STOP => {
            let trap = slot.trap.load(Ordering::Relaxed);
            // SAFETY: the thread is in a function of a guest's, which does not go on: what lies
            // below its stack pointer is not needed, and there is room, since a guest's stack ends
            // megabytes above the thread's.
            unsafe {
                frame(&mut registers, function);
                // as a call leaves it, whose return address is one more than the place that is
                // looked up for it
                registers.push(at + 1);
                let caller = registers.get(libc::REG_RBP);
                registers.push(caller);
                let own = registers.get(libc::REG_RSP);
                registers.set(libc::REG_RBP, own);
                registers.set(libc::REG_RIP, trap);
            }
            slot.done.fetch_or(STOP, Ordering::AcqRel);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_place_that_traps() {
        let place = trap().expect("it can be compiled");
        // SAFETY: it lies in a module that stays.
        let there = unsafe { ptr::with_exposed_provenance::<[u8; 2]>(place).read() };
        assert_eq!(there, UD2);
    }
}
