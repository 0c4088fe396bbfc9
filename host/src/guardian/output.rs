//! What a fixture writes: its head and its tail are kept, its lines are looked at.

use crate::event::Captured;
use std::collections::VecDeque;

/// A stream, kept up to a cap.
pub(super) struct Output {
    cap: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Output {
    /// Keeps `cap` bytes of the head and as many of the tail.
    pub(super) fn new(cap: usize) -> Output {
        Output {
            cap,
            head: Vec::new(),
            tail: VecDeque::new(),
            dropped: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.cap - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        if let Some(excess) = self.tail.len().checked_sub(self.cap) {
            self.tail.drain(..excess);
            self.dropped += excess as u64;
        }
    }

    pub(super) fn finish(self) -> Captured {
        Captured {
            head: self.head,
            tail: self.tail.into(),
            dropped: self.dropped,
        }
    }
}

/// No line worth reading is longer.
const LONGEST: usize = 64 << 10;

/// A stream, cut into lines.
#[derive(Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Takes more of the stream; `on_line` gets each line that ends in it.
    pub(super) fn feed(&mut self, bytes: &[u8], mut on_line: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (piece, ends) = match piece.strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (piece, false),
            };
            self.too_long |= self.partial.len() + piece.len() > LONGEST;
            if !self.too_long {
                self.partial.extend_from_slice(piece);
            }
            if ends {
                if !self.too_long {
                    let line = String::from_utf8_lossy(&self.partial);
                    on_line(line.strip_suffix('\r').unwrap_or(&line));
                }
                self.partial.clear();
                self.too_long = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_they_arrive_and_huge_ones_are_passed_over() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let huge = [b'x'; LONGEST];
        for piece in [&b"a"[..], b"b\r\n\nc", b"d", b"\n", &huge, b"x\ne\nf"] {
            lines.feed(piece, |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["ab", "", "cd", "e"]);
    }

    #[test]
    fn the_head_and_the_tail_are_kept() {
        let mut output = Output::new(4);
        for piece in ["ab", "cdef", "ghijklm", "no"] {
            output.push(piece.as_bytes());
        }
        let kept = output.finish();
        assert_eq!(
            (kept.head.as_slice(), kept.tail.as_slice(), kept.dropped),
            (&b"abcd"[..], &b"lmno"[..], 7)
        );
    }
}
