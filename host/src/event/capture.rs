//! A stream, kept up to a cap: its head and its tail, and how much was between them.
//!
//! Takes bytes as they come, gives what an event holds of them. A byte counts for what it becomes
//! in a report, so that a guest that writes zeros alone makes no line that is six times as long.

use super::written::{cost, counted};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What of a stream was kept until now.
#[derive(Debug)]
pub struct Capture {
    cap: usize,
    head: Vec<u8>,
    /// What its bytes count for; more than the cap once a byte has not fitted.
    head_counts: usize,
    tail: VecDeque<u8>,
    tail_counts: usize,
    dropped: u64,
}

impl Capture {
    /// Keeps `cap` bytes of the head and as many of the tail.
    pub fn new(cap: usize) -> Capture {
        Capture {
            cap,
            head: Vec::new(),
            head_counts: 0,
            tail: VecDeque::new(),
            tail_counts: 0,
            dropped: 0,
        }
    }

    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        let fits = match self.head_counts > self.cap {
            true => 0,
            false => self.fits_head(bytes),
        };
        let (head, rest) = bytes.split_at(fits);
        self.head.extend_from_slice(head);
        if !rest.is_empty() {
            self.push_tail(rest);
        }
    }

    /// How many of these bytes the head takes.
    fn fits_head(&mut self, bytes: &[u8]) -> usize {
        let counts = counted(bytes);
        if self.head_counts + counts <= self.cap {
            self.head_counts += counts;
            return bytes.len();
        }
        for (at, byte) in bytes.iter().enumerate() {
            self.head_counts += cost(*byte);
            if self.head_counts > self.cap {
                // and nothing that comes later, small as it may be
                self.head_counts = usize::MAX >> 1;
                return at;
            }
        }
        bytes.len()
    }

    fn push_tail(&mut self, bytes: &[u8]) {
        let counts = counted(bytes);
        if counts <= self.cap {
            self.tail.extend(bytes);
            self.tail_counts += counts;
            // many that are small are dropped together
            if self.tail_counts > self.cap.saturating_mul(2) {
                self.trim();
            }
            return;
        }
        // of much that comes at once most is not even copied
        let mut counts = 0;
        let last = bytes.iter().rev().take_while(|byte| {
            counts += cost(**byte);
            counts <= self.cap
        });
        let (passed, last) = bytes.split_at(bytes.len() - last.count());
        self.dropped += (self.tail.len() + passed.len()) as u64;
        self.tail.clear();
        self.tail.extend(last);
        self.tail_counts = counted(last);
    }

    /// Drops of the tail what is more than is kept.
    fn trim(&mut self) {
        let mut drop = 0;
        for byte in &self.tail {
            if self.tail_counts <= self.cap {
                break;
            }
            self.tail_counts -= cost(*byte);
            drop += 1;
        }
        self.tail.drain(..drop);
        self.dropped += drop as u64;
    }

    /// What was kept; the stream begins anew.
    pub fn take(&mut self) -> Captured {
        self.trim();
        let taken = std::mem::replace(self, Capture::new(self.cap));
        Captured {
            head: taken.head,
            tail: taken.tail.into(),
            dropped: taken.dropped,
        }
    }
}

/// What a test wrote to one stream: its head and its tail, up to a cap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The first bytes.
    #[serde(with = "serde_bytes")]
    pub head: Vec<u8>,
    /// The last bytes, where the head did not hold everything.
    #[serde(with = "serde_bytes")]
    pub tail: Vec<u8>,
    /// How many bytes between the two were dropped.
    pub dropped: u64,
}

impl Captured {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.size() == 0 && self.dropped == 0
    }

    /// How many bytes are kept.
    pub fn size(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// How much it was, and none of it.
    pub fn counted(&self) -> Captured {
        Captured {
            dropped: self.dropped.saturating_add(self.size() as u64),
            ..Captured::default()
        }
    }

    /// The text, as far as it is text, with a line that says what was dropped.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        if self.dropped > 0 {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&format!("[{} bytes left out]\n", self.dropped));
        }
        text.push_str(&String::from_utf8_lossy(&self.tail));
        text
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

    #[test]
    fn a_byte_that_is_written_as_six_counts_for_six() {
        let mut capture = Capture::new(13);
        capture.push(&[0; 3]);
        capture.push(b"ab\n");
        capture.push(&[0; 100]);
        let kept = capture.take();
        assert_eq!(
            (kept.head.len(), kept.tail.len(), kept.dropped),
            (2, 2, 102)
        );
    }
}
