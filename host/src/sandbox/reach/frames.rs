//! A guest's frames on its thread's stack, read by the thread itself in the middle of anything:
//! nothing is touched but that stack, its code, and atomics.

use super::functions::Functions;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Of a guest that is looked at no more frames are taken.
const MOST_FRAMES: usize = 128;
/// So much of a stack is searched for where a guest has left its code, in bytes.
const MOST_SEARCHED: usize = 64 << 10;

/// Where a guest was seen: written by its thread, and read once that says so.
pub(super) struct Seen {
    /// Innermost first.
    frames: [AtomicUsize; MOST_FRAMES],
    count: AtomicUsize,
}

impl Seen {
    /// Nowhere yet.
    pub(super) fn nowhere() -> Seen {
        Seen {
            frames: [const { AtomicUsize::new(0) }; MOST_FRAMES],
            count: AtomicUsize::new(0),
        }
    }

    /// Where, innermost first; from then on it is nowhere.
    pub(super) fn take(&self) -> Vec<usize> {
        let count = self.count.swap(0, Ordering::Acquire);
        let seen = self.frames.iter().take(count);
        seen.map(|frame| frame.load(Ordering::Relaxed)).collect()
    }
}

/// With which a function of a guest's begins: `push rbp`, after which comes `mov rbp, rsp`.
const PUSH_FRAME: usize = 1;
/// With which it ends: a return, or one that takes its parameters off the stack.
const RETURNS: [u8; 2] = [0xc3, 0xc2];

/// What of a thread's registers tells where it is.
pub(super) struct Registers<'a>(pub(super) &'a mut [libc::greg_t]);

impl Registers<'_> {
    pub(super) fn get(&self, which: libc::c_int) -> usize {
        self.0[which as usize] as usize
    }

    pub(super) fn set(&mut self, which: libc::c_int, to: usize) {
        self.0[which as usize] = to as libc::greg_t;
    }

    /// # Safety
    /// Below the stack pointer there has to be room, in which nothing is that is still needed.
    pub(super) unsafe fn push(&mut self, word: usize) {
        let at = self.get(libc::REG_RSP) - size_of::<usize>();
        // SAFETY: the caller's.
        unsafe { ptr::with_exposed_provenance_mut::<usize>(at).write(word) };
        self.set(libc::REG_RSP, at);
    }
}

/// What of its frame a function has, that it is just making or has just taken down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameState {
    /// The return address is on the stack alone.
    None,
    /// Its caller's frame pointer is, too.
    Pushed,
    Whole,
}

/// # Safety
/// The address has to be in the function, which has to be there.
unsafe fn frame_state(at: usize, function: &Range<usize>) -> FrameState {
    // SAFETY: the caller's.
    let instruction = unsafe { ptr::with_exposed_provenance::<u8>(at).read() };
    match at - function.start {
        0 => FrameState::None,
        _ if RETURNS.contains(&instruction) => FrameState::None,
        PUSH_FRAME => FrameState::Pushed,
        _ => FrameState::Whole,
    }
}

/// Makes a function's frame whole, if it is not: so the function stands in the chain.
///
/// # Safety
/// As those of [`Registers::push`] and [`frame_state`].
pub(super) unsafe fn frame(registers: &mut Registers<'_>, function: &Range<usize>) {
    let at = registers.get(libc::REG_RIP);
    // SAFETY: the caller's.
    unsafe {
        let state = frame_state(at, function);
        if state == FrameState::None {
            let caller = registers.get(libc::REG_RBP);
            registers.push(caller);
        }
        if state != FrameState::Whole {
            let own = registers.get(libc::REG_RSP);
            registers.set(libc::REG_RBP, own);
        }
    }
}

/// What lies on a guest thread's stack.
struct Stack<'a> {
    seen: &'a Seen,
    whole: &'a Range<usize>,
    functions: &'a Functions,
    /// Its end at this moment.
    lowest: usize,
    frames: usize,
}

const WORD: usize = size_of::<usize>();

impl<'a> Stack<'a> {
    fn new(
        seen: &'a Seen,
        whole: &'a Range<usize>,
        functions: &'a Functions,
        registers: &Registers<'_>,
    ) -> Stack<'a> {
        Stack {
            seen,
            whole,
            functions,
            lowest: registers.get(libc::REG_RSP).max(whole.start),
            frames: 0,
        }
    }

    /// A word, if it lies on the stack.
    fn read(&self, at: usize) -> Option<usize> {
        let is_there = at >= self.lowest && at.is_multiple_of(WORD) && at < self.whole.end - WORD;
        // SAFETY: it lies on the stack of this thread, above its end.
        is_there.then(|| unsafe { ptr::with_exposed_provenance::<usize>(at).read() })
    }

    /// Notes where a frame is; whether there is room for it.
    fn note(&mut self, address: usize) -> bool {
        let Some(frame) = self.seen.frames.get(self.frames) else {
            return false;
        };
        frame.store(address, Ordering::Relaxed);
        self.frames += 1;
        true
    }

    /// Notes the call before this place, if that is one of a guest's.
    fn note_caller(&mut self, back_to: usize) -> bool {
        let call = back_to.wrapping_sub(1);
        self.functions.of(call).is_some() && self.note(call)
    }

    /// Notes the chain of frames from this one's pointer on, as long as it is a guest's.
    fn note_chain(&mut self, mut pointer: usize) {
        while let (Some(older), Some(caller)) =
            (self.read(pointer), self.read(pointer.wrapping_add(WORD)))
        {
            if !self.note_caller(caller) || older <= pointer {
                break;
            }
            pointer = older;
        }
    }
}

/// Notes where a guest is that is in its own code, and what called that.
///
/// # Safety
/// The thread has to be in this function of a guest's.
pub(super) unsafe fn look(
    seen: &Seen,
    stack: &Range<usize>,
    functions: &Functions,
    function: &Range<usize>,
    registers: &Registers<'_>,
) {
    let mut stack = Stack::new(seen, stack, functions, registers);
    let (at, lowest) = (registers.get(libc::REG_RIP), registers.get(libc::REG_RSP));
    stack.note(at);
    // SAFETY: the caller's.
    let own = match unsafe { frame_state(at, function) } {
        FrameState::None => stack.read(lowest),
        FrameState::Pushed => stack.read(lowest + WORD),
        FrameState::Whole => None,
    };
    if own.is_none_or(|caller| stack.note_caller(caller)) {
        stack.note_chain(registers.get(libc::REG_RBP));
    }
    stack.seen.count.store(stack.frames, Ordering::Release);
}

/// Notes where a guest has left its own code for the host, and what called that. The host's frames
/// are no chain, so that of the guest's is looked for above them: a place in its code to go back
/// to, and right below it the pointer of a frame that is further up.
pub(super) fn find(
    seen: &Seen,
    (stack, left_at): (&Range<usize>, usize),
    functions: &Functions,
    registers: &Registers<'_>,
) {
    let mut stack = Stack::new(seen, stack, functions, registers);
    let left = left_at / WORD * WORD;
    let from = left.max(stack.lowest.next_multiple_of(WORD)) + WORD;
    for at in (from..from + MOST_SEARCHED).step_by(WORD) {
        let (Some(caller), Some(pointer)) = (stack.read(at), stack.read(at - WORD)) else {
            break;
        };
        if pointer > at && stack.read(pointer).is_some() && stack.note_caller(caller) {
            stack.note_chain(pointer);
            break;
        }
    }
    stack.seen.count.store(stack.frames, Ordering::Release);
}
