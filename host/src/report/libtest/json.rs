//! `--format json`: an object an event, and of `--list` an object a test.

use super::result::{Flags, LibtestFormat, LibtestResult, LibtestStatus, Tally};
use crate::report::output::json;
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
    pub fn new(flags: Flags) -> Self {
        Json {
            show_output: flags.show_output,
            nocapture: flags.nocapture,
            report_time: flags.report_time,
            begun: HashSet::new(),
        }
    }
}

/// A test of `--list`.
pub struct Discovered<'a> {
    pub name: &'a str,
    /// Whether it is a benchmark.
    pub benchmark: bool,
    /// Whether it is ignored, and why.
    pub ignored: Option<&'a str>,
    pub source: (&'a str, u64),
}

/// `--list --format json`: an object a test, between two that frame them.
pub fn list(tests: &[Discovered<'_>]) -> String {
    let mut text = "{ \"type\": \"suite\", \"event\": \"discovery\" }\n".to_owned();
    for test in tests {
        let _ = writeln!(
            text,
            "{{ \"type\": \"{}\", \"event\": \"discovered\", \"name\": {}, \"ignore\": {}, \"ignore_message\": {}, \"source_path\": {}, \"start_line\": {} }}",
            match test.benchmark {
                true => "benchmark",
                false => "test",
            },
            json(test.name),
            test.ignored.is_some(),
            json(test.ignored.unwrap_or_default()),
            json(test.source.0),
            test.source.1
        );
    }
    let benchmarks = tests.iter().filter(|t| t.benchmark).count();
    let ignored = tests.iter().filter(|t| t.ignored.is_some()).count();
    let _ = writeln!(
        text,
        "{{ \"type\": \"suite\", \"event\": \"completed\", \"tests\": {}, \"benchmarks\": {benchmarks}, \"total\": {}, \"ignored\": {ignored} }}",
        tests.len() - benchmarks,
        tests.len()
    );
    text
}

impl LibtestFormat for Json {
    fn begin(&mut self, total: usize) -> String {
        format!("{{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": {total} }}\n")
    }

    fn started(&mut self, name: &str) -> String {
        match self.begun.insert(name.to_owned()) {
            true => format!(
                "{{ \"type\": \"test\", \"event\": \"started\", \"name\": {} }}\n",
                json(name)
            ),
            false => String::new(),
        }
    }

    fn ended(&mut self, result: &LibtestResult) -> String {
        // every test begins, those too that are not run
        let mut text = self.started(&result.name);
        let name = json(&result.name);
        if let LibtestStatus::Measured(measure) = &result.status {
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
        let (event, more) = match &result.status {
            LibtestStatus::Ok | LibtestStatus::Measured(_) => ("ok", String::new()),
            LibtestStatus::Failed => ("failed", String::new()),
            LibtestStatus::TooSlow => {
                ("failed", ", \"reason\": \"time limit exceeded\"".to_owned())
            }
            LibtestStatus::Ignored { reason: None } => ("ignored", String::new()),
            LibtestStatus::Ignored {
                reason: Some(reason),
            } => ("ignored", format!(", \"message\": {}", json(reason))),
        };
        let _ = write!(
            text,
            "{{ \"type\": \"test\", \"name\": {name}, \"event\": \"{event}\""
        );
        if let Some(time) = result.time.filter(|_| self.report_time) {
            let _ = write!(text, ", \"exec_time\": {}", time.as_secs_f64());
        }
        // a line of this output is an object: what is not captured is told in it too
        let shown = self.show_output || self.nocapture || event == "failed";
        let output = result.captured();
        if shown && !output.is_empty() {
            let _ = write!(text, ", \"stdout\": {}", json(&output));
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
