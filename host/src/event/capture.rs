//! A stream, kept up to a cap: its head and its tail, and how much was between them.
//!
//! Takes bytes as they come, gives what an event holds of them; looks at none of them.

use serde::{Deserialize, Serialize};
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
}
