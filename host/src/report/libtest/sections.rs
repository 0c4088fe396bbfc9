//! What pretty and terse have in common: the first line, the sections at the end, the result.

use super::result::{Audience, Flags, LibtestResult, Paint, Tally};
use std::fmt::Write as _;

/// `running 3 tests`.
pub fn running(total: usize, seed: Option<u64>) -> String {
    let noun = if total == 1 { "test" } else { "tests" };
    let seed = match seed {
        Some(seed) => format!(" (shuffle seed: {seed})"),
        None => String::new(),
    };
    format!("\nrunning {total} {noun}{seed}\n")
}

/// Whose output the sections hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sections {
    audience: Audience,
    show_output: bool,
    nocapture: bool,
}

impl Sections {
    pub fn new(audience: Audience, flags: Flags) -> Self {
        Sections {
            audience,
            show_output: flags.show_output,
            nocapture: flags.nocapture,
        }
    }

    /// All that comes after the last test.
    pub fn end(&self, tally: &Tally) -> String {
        let mut text = String::new();
        if self.show_output {
            self.section(&mut text, "successes", &tally.successes);
        }
        if !tally.failures.is_empty() {
            self.section(&mut text, "failures", &tally.failures);
        }
        if !tally.too_slow.is_empty() {
            self.section(&mut text, "failures (time limit exceeded)", &tally.too_slow);
        }
        let word = match tally.is_good() {
            true => self.audience.paint("ok", Paint::Green),
            false => self.audience.paint("FAILED", Paint::Red),
        };
        let _ = write!(
            text,
            "\ntest result: {word}. {} passed; {} failed; {} ignored; {} measured; {} filtered out; finished in {:.2}s\n\n",
            tally.passed,
            tally.failed,
            tally.ignored,
            tally.measured,
            tally.filtered_out,
            tally.elapsed.as_secs_f64()
        );
        text
    }

    /// What was captured of each, then their names.
    fn section(&self, text: &mut String, title: &str, tests: &[LibtestResult]) {
        let _ = write!(text, "\n{title}:\n");
        let mut outputs = String::new();
        for test in tests {
            // what a test wrote was printed already where nothing is captured
            let output = match self.nocapture {
                true => test.host.clone(),
                false => test.captured(),
            };
            if !output.is_empty() {
                let name = self.audience.show(&test.name);
                let _ = writeln!(outputs, "---- {name} stdout ----");
                let _ = writeln!(outputs, "{}", self.audience.show(&output));
            }
        }
        if !outputs.is_empty() {
            let _ = write!(text, "\n{outputs}");
        }
        let _ = write!(text, "\n{title}:\n");
        let mut names: Vec<&str> = tests.iter().map(|t| t.name.as_str()).collect();
        names.sort_unstable();
        for name in names {
            let _ = writeln!(text, "    {}", self.audience.show(name));
        }
    }
}
