//! `--format json`: an object an event.

use super::result::{Form, Seen, Tally, Verdict};
use crate::cli::libtest::Parsed;
use crate::text::is_terminal_control;
use std::collections::HashSet;
use std::fmt::Write as _;

/// An object an event.
pub struct Json {
    show_output: bool,
    nocapture: bool,
    report_time: bool,
    /// Tests of which the beginning was told.
    begun: HashSet<String>,
}

impl Json {
    pub fn new(parsed: &Parsed) -> Self {
        Json {
            show_output: parsed.show_output,
            nocapture: parsed.nocapture,
            report_time: parsed.report_time,
            begun: HashSet::new(),
        }
    }
}

/// A string in JSON, without anything that a terminal would act on.
pub fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    if !json.contains(is_terminal_control) {
        return json;
    }
    let mut harmless = String::with_capacity(json.len());
    for c in json.chars() {
        match is_terminal_control(c) {
            // all of them are in the first plane
            true => write!(harmless, "\\u{:04x}", u32::from(c)).expect("a string takes it"),
            false => harmless.push(c),
        }
    }
    harmless
}

impl Form for Json {
    fn begin(&mut self, total: usize) -> String {
        format!("{{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": {total} }}\n")
    }

    fn started(&mut self, name: &str) -> String {
        match self.begun.insert(name.to_owned()) {
            true => format!(
                "{{ \"type\": \"test\", \"event\": \"started\", \"name\": {} }}\n",
                quoted(name)
            ),
            false => String::new(),
        }
    }

    fn ended(&mut self, seen: &Seen) -> String {
        // every test begins, those too that are not run
        let mut text = self.started(&seen.name);
        let name = quoted(&seen.name);
        if let Verdict::Measured(measure) = &seen.verdict {
            let throughput = match &measure.throughput {
                Some(throughput) => format!(", \"mib_per_second\": {throughput}"),
                None => String::new(),
            };
            let _ = writeln!(
                text,
                "{{ \"type\": \"bench\", \"name\": {name}, \"median\": {}, \"deviation\": {}{throughput} }}",
                measure.median, measure.deviation
            );
            return text;
        }
        let (event, more) = match &seen.verdict {
            Verdict::Ok | Verdict::Measured(_) => ("ok", String::new()),
            Verdict::Failed => ("failed", String::new()),
            Verdict::TooSlow => ("failed", ", \"reason\": \"time limit exceeded\"".to_owned()),
            Verdict::Ignored { reason: None } => ("ignored", String::new()),
            Verdict::Ignored {
                reason: Some(reason),
            } => ("ignored", format!(", \"message\": {}", quoted(reason))),
        };
        let _ = write!(
            text,
            "{{ \"type\": \"test\", \"name\": {name}, \"event\": \"{event}\""
        );
        if let Some(time) = seen.time.filter(|_| self.report_time) {
            let _ = write!(text, ", \"exec_time\": {}", time.as_secs_f64());
        }
        // a line of this output is an object: what is not captured is told in it too
        let shown = self.show_output || self.nocapture || event == "failed";
        let output = seen.captured();
        if shown && !output.is_empty() {
            let _ = write!(text, ", \"stdout\": {}", quoted(&output));
        }
        let _ = writeln!(text, "{more} }}");
        text
    }

    fn finish(&mut self, tally: &Tally) -> String {
        format!(
            "{{ \"type\": \"suite\", \"event\": \"{}\", \"passed\": {}, \"failed\": {}, \"ignored\": {}, \"measured\": {}, \"filtered_out\": {}, \"exec_time\": {} }}\n",
            if tally.is_good() { "ok" } else { "failed" },
            tally.passed,
            tally.failed,
            tally.ignored,
            tally.measured,
            tally.filtered_out,
            tally.elapsed.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_json_and_moves_no_cursor() {
        let text = "a\"\u{9b}31m\n\u{202e}";
        let json = quoted(text);
        assert!(!json.contains(is_terminal_control));
        let back: String = serde_json::from_str(&json).expect("JSON");
        assert_eq!(back, text);
    }
}
