//! `-q`, `--format terse`: a character a test.

use super::result::{Audience, Flags, LibtestFormat, LibtestResult, LibtestStatus, Paint, Tally};
use super::sections::{Sections, running};
use std::fmt::Write as _;

/// So many characters stand on a line.
const WIDTH: usize = 87;

/// A character a test.
pub struct Terse {
    audience: Audience,
    sections: Sections,
    nocapture: bool,
    seed: Option<u64>,
    total: usize,
    ended: usize,
    /// Characters on the line so far.
    column: usize,
}

impl Terse {
    pub fn new(audience: Audience, flags: Flags) -> Self {
        Terse {
            audience,
            sections: Sections::new(audience, flags),
            nocapture: flags.nocapture,
            seed: flags.seed,
            total: 0,
            ended: 0,
            column: 0,
        }
    }

    /// Ends the line with how far the run is.
    fn end_line(&mut self, text: &mut String) {
        let _ = writeln!(text, " {}/{}", self.ended, self.total);
        self.column = 0;
    }
}

impl LibtestFormat for Terse {
    fn begin(&mut self, total: usize) -> String {
        self.total = total;
        running(total, self.seed)
    }

    fn ended(&mut self, result: &LibtestResult) -> String {
        let mut text = String::new();
        if self.nocapture && !result.stdout.is_empty() {
            text.push_str(&self.audience.show(&result.stdout));
        }
        let name = self.audience.show(&result.name);
        match &result.status {
            LibtestStatus::Failed | LibtestStatus::TooSlow => {
                if self.column > 0 {
                    self.end_line(&mut text);
                }
                let word = self.audience.paint("FAILED", Paint::Red);
                let _ = writeln!(text, "{name} --- {word}");
                self.ended += 1;
            }
            LibtestStatus::Measured(measure) => {
                let word = self.audience.paint("bench", Paint::Cyan);
                let _ = writeln!(text, "test {name} ... {word}:{}", measure.text);
                self.ended += 1;
            }
            LibtestStatus::Ok | LibtestStatus::Ignored { .. } => {
                let (dot, color) = match result.status {
                    LibtestStatus::Ok => (".", Paint::Green),
                    _ => ("i", Paint::Yellow),
                };
                text.push_str(&self.audience.paint(dot, color));
                self.ended += 1;
                self.column += 1;
                if self.column == WIDTH {
                    self.end_line(&mut text);
                }
            }
        }
        text
    }

    fn finish(&mut self, tally: &Tally) -> String {
        self.sections.end(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_full_at_87_and_ends_before_a_failure() {
        let audience = Audience {
            terminal: false,
            color: false,
        };
        let mut terse = Terse::new(audience, Flags::default());
        let mut text = terse.begin(92);
        let mut end = |status| {
            text.push_str(&terse.ended(&LibtestResult::example("f", status)));
        };
        end(LibtestStatus::Failed);
        for _ in 0..88 {
            end(LibtestStatus::Ok);
        }
        end(LibtestStatus::Ignored { reason: None });
        end(LibtestStatus::Failed);
        end(LibtestStatus::Ok);
        let full = ".".repeat(87);
        assert_eq!(
            text,
            format!("\nrunning 92 tests\nf --- FAILED\n{full} 88/92\n.i 90/92\nf --- FAILED\n.")
        );
    }
}
