//! The lines of what a fixture writes.

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
}
