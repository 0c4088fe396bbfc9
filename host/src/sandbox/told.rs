//! Listens to what std tells of a panic, and to nothing else that is written to stderr.
//!
//! What a test prints can look like it. So the stack decides: while std tells of a panic, the
//! function of its that begins one is on it. It is looked at only from what could be the
//! beginning on.

use crate::harness::termination::StackFrame;
use crate::harness::told::{self, ToldPanic};
use crate::instrument::OffsetMap;
use std::ops::Range;

/// How often a stack is looked at: each takes some microseconds, and a panic is told in some tens
/// of pieces at most, or in as many as the message is written in.
const MOST_LOOKS: usize = 4096;

/// By what it is known that std tells of a panic.
#[derive(Clone, Debug)]
pub enum Tells {
    /// By nothing: whatever looks like it.
    Anything,
    /// By a function on the stack: where it lies in the file, and the way back to that from what
    /// was compiled.
    Function(Range<u64>, OffsetMap),
}

/// Who listens.
#[derive(Debug)]
pub struct Listener {
    tells: Tells,
    words: Vec<u8>,
    is_cut: bool,
    looks: usize,
    /// The stack when the words began.
    stack: Vec<StackFrame>,
}

impl Listener {
    /// One who knows it by this.
    pub(super) fn new(tells: Tells) -> Listener {
        Listener {
            tells,
            words: Vec::new(),
            is_cut: false,
            looks: 0,
            stack: Vec::new(),
        }
    }

    /// Whether the stack has to be looked at, for what is written just now.
    pub(super) fn is_to_look(&self, bytes: &[u8]) -> bool {
        !self.words.is_empty() || told::may_begin(bytes)
    }

    /// Takes what is written from where this is the stack.
    pub(super) fn hears(&mut self, bytes: &[u8], stack: impl FnOnce() -> Vec<StackFrame>) {
        self.looks += 1;
        if self.looks > MOST_LOOKS {
            self.is_cut = true;
            return;
        }
        let stack = stack();
        let is_std = match &self.tells {
            Tells::Anything => true,
            Tells::Function(range, offsets) => {
                let mut places = stack.iter().filter_map(|frame| frame.offset);
                places.any(|place| range.contains(&(offsets.original(place) as u64)))
            }
        };
        if !is_std {
            return;
        }
        let begins = self.words.is_empty() || matches!(self.tells, Tells::Anything);
        if begins && told::may_begin(bytes) {
            self.words.clear();
            self.stack = stack;
        }
        let room = told::MOST.saturating_sub(self.words.len()).min(bytes.len());
        self.words.extend_from_slice(&bytes[..room]);
        self.is_cut |= room < bytes.len();
    }

    /// What was told, and the stack when that began.
    pub(super) fn told(self) -> (Option<ToldPanic>, Vec<StackFrame>) {
        (told::read(&self.words, self.is_cut), self.stack)
    }
}
