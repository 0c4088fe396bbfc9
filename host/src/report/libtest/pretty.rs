//! `--format pretty`: a line a test.

use super::result::{Audience, Flags, LibtestFormat, LibtestResult, LibtestStatus, Paint, Tally};
use super::sections::{Sections, running};

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
    pub fn new(audience: Audience, flags: Flags) -> Self {
        Pretty {
            audience,
            sections: Sections::new(audience, flags),
            report_time: flags.report_time,
            nocapture: flags.nocapture,
            serial: flags.serial,
            seed: flags.seed,
        }
    }
}

impl LibtestFormat for Pretty {
    fn begin(&mut self, total: usize) -> String {
        running(total, self.seed)
    }

    fn ended(&mut self, result: &LibtestResult) -> String {
        let name = self.audience.show(&result.name);
        let mode = if result.should_panic {
            " - should panic"
        } else {
            ""
        };
        let word = match &result.status {
            LibtestStatus::Ok => self.audience.paint("ok", Paint::Green),
            LibtestStatus::Failed => self.audience.paint("FAILED", Paint::Red),
            LibtestStatus::TooSlow => {
                let word = "FAILED (time limit exceeded)";
                self.audience.paint(word, Paint::Red)
            }
            LibtestStatus::Ignored { reason: None } => {
                self.audience.paint("ignored", Paint::Yellow)
            }
            LibtestStatus::Ignored {
                reason: Some(reason),
            } => {
                let word = format!("ignored, {}", self.audience.show(reason));
                self.audience.paint(&word, Paint::Yellow)
            }
            LibtestStatus::Measured(measure) => format!(
                "{}:{}",
                self.audience.paint("bench", Paint::Cyan),
                measure.text
            ),
        };
        let time = match result.time.filter(|_| self.report_time) {
            Some(time) => format!(" <{:.3}s>", time.as_secs_f64()),
            None => String::new(),
        };
        let (before, within) = match (self.nocapture, self.serial) {
            (false, _) => ("".into(), "".into()),
            (true, false) => (self.audience.show(&result.stdout), "".into()),
            (true, true) => ("".into(), self.audience.show(&result.stdout)),
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

    fn result(status: LibtestStatus) -> LibtestResult {
        LibtestResult {
            stdout: "out".into(),
            ..LibtestResult::example("a::b", status)
        }
    }

    fn line(flags: Flags, result: &LibtestResult) -> String {
        let audience = Audience {
            terminal: false,
            color: false,
        };
        Pretty::new(audience, flags).ended(result)
    }

    #[test]
    fn a_line_says_how_a_test_ended() {
        let captured = Flags::default();
        assert_eq!(
            line(captured, &result(LibtestStatus::Ok)),
            "test a::b ... ok\n"
        );
        let reason = Some("slow".to_owned());
        assert_eq!(
            line(captured, &result(LibtestStatus::Ignored { reason })),
            "test a::b ... ignored, slow\n"
        );
    }

    #[test]
    fn without_capture_a_test_is_printed_whole() {
        let mut flags = Flags {
            nocapture: true,
            ..Flags::default()
        };
        let test = result(LibtestStatus::Ok);
        assert_eq!(line(flags, &test), "out\ntest a::b ... ok\n");
        flags.serial = true;
        assert_eq!(line(flags, &test), "test a::b ... outok\n");
    }
}
