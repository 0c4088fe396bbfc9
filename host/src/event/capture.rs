//! A stream, kept up to a cap: its head and its tail, and how much was between them.
//!
//! Takes bytes as they come, gives what an event holds of them; looks at none of them.

use super::Captured;
use std::collections::VecDeque;

/// What of a stream was kept until now.
#[derive(Debug)]
pub struct Capture {
    cap: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Capture {
    /// Keeps `cap` bytes of the head and as many of the tail.
    pub fn new(cap: usize) -> Capture {
        Capture {
            cap,
            head: Vec::new(),
            tail: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.cap - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        if let Some(excess) = self.tail.len().checked_sub(self.cap) {
            self.tail.drain(..excess);
            self.dropped += excess as u64;
        }
    }

    /// What was kept; the stream begins anew.
    pub fn take(&mut self) -> Captured {
        let taken = std::mem::replace(self, Capture::new(self.cap));
        Captured {
            head: taken.head,
            tail: taken.tail.into(),
            dropped: taken.dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_are_kept_and_the_middle_is_counted() {
        let mut capture = Capture::new(4);
        // the second stream is as the first
        for _ in 0..2 {
            for piece in ["ab", "cdef", "ghijklm", "no"] {
                capture.push(piece.as_bytes());
            }
            let kept = capture.take();
            assert_eq!(
                (kept.head.as_slice(), kept.tail.as_slice(), kept.dropped),
                (&b"abcd"[..], &b"lmno"[..], 7)
            );
        }
    }
}
