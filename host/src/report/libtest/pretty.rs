//! `--format pretty`: a line a test.

use super::result::{Audience, Form, Paint, Seen, Tally, Verdict};
use super::sections::{Sections, running};
use crate::cli::libtest::Parsed;

/// A line a test.
pub struct Pretty {
    audience: Audience,
    sections: Sections,
    report_time: bool,
    nocapture: bool,
    /// Whether tests run one after the other: then what a test wrote stands in its line.
    serial: bool,
    seed: Option<u64>,
}

impl Pretty {
    pub fn new(audience: Audience, parsed: &Parsed, seed: Option<u64>) -> Self {
        Pretty {
            audience,
            sections: Sections::new(audience, parsed),
            report_time: parsed.report_time,
            nocapture: parsed.nocapture,
            serial: parsed.threads == Some(1) || parsed.is_single(),
            seed,
        }
    }
}

impl Form for Pretty {
    fn begin(&mut self, total: usize) -> String {
        running(total, self.seed)
    }

    fn ended(&mut self, seen: &Seen) -> String {
        let name = self.audience.show(&seen.name);
        let mode = if seen.should_panic {
            " - should panic"
        } else {
            ""
        };
        let word = match &seen.verdict {
            Verdict::Ok => self.audience.paint("ok", Paint::Green),
            Verdict::Failed => self.audience.paint("FAILED", Paint::Red),
            Verdict::TooSlow => {
                let word = "FAILED (time limit exceeded)";
                self.audience.paint(word, Paint::Red)
            }
            Verdict::Ignored { reason: None } => self.audience.paint("ignored", Paint::Yellow),
            Verdict::Ignored {
                reason: Some(reason),
            } => {
                let word = format!("ignored, {}", self.audience.show(reason));
                self.audience.paint(&word, Paint::Yellow)
            }
            Verdict::Measured(measure) => format!(
                "{}:{}",
                self.audience.paint("bench", Paint::Cyan),
                measure.text
            ),
        };
        let time = match seen.time.filter(|_| self.report_time) {
            Some(time) => format!(" <{:.3}s>", time.as_secs_f64()),
            None => String::new(),
        };
        let (before, within) = match (self.nocapture, self.serial) {
            (false, _) => ("".into(), "".into()),
            (true, false) => (self.audience.show(&seen.stdout), "".into()),
            (true, true) => ("".into(), self.audience.show(&seen.stdout)),
        };
        // what has no end of a line would hide the line from whoever looks for it
        let end = match before.is_empty() || before.ends_with('\n') {
            true => "",
            false => "\n",
        };
        format!("{before}{end}test {name}{mode} ... {within}{word}{time}\n")
    }

    fn finish(&mut self, tally: &Tally) -> String {
        self.sections.end(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(verdict: Verdict) -> Seen {
        Seen {
            name: "a::b".into(),
            order: (0, 0),
            file: None,
            should_panic: false,
            unable: false,
            verdict,
            time: None,
            stdout: "out".into(),
            stderr: String::new(),
            host: String::new(),
        }
    }

    fn line(parsed: &Parsed, seen: &Seen) -> String {
        let audience = Audience {
            terminal: false,
            color: false,
        };
        Pretty::new(audience, parsed, None).ended(seen)
    }

    #[test]
    fn a_line_says_how_a_test_ended() {
        let captured = Parsed::default();
        assert_eq!(line(&captured, &seen(Verdict::Ok)), "test a::b ... ok\n");
        let reason = Some("slow".to_owned());
        assert_eq!(
            line(&captured, &seen(Verdict::Ignored { reason })),
            "test a::b ... ignored, slow\n"
        );
    }

    #[test]
    fn without_capture_a_test_is_printed_whole() {
        let mut parsed = Parsed {
            nocapture: true,
            ..Parsed::default()
        };
        let test = seen(Verdict::Ok);
        assert_eq!(line(&parsed, &test), "out\ntest a::b ... ok\n");
        parsed.threads = Some(1);
        assert_eq!(line(&parsed, &test), "test a::b ... outok\n");
    }
}
