//! Events for programs: one JSON object a line, in libtest's shapes.
//!
//! What libtest has no word for is in one extra object, `wasmtest`. The opening
//! line says how many tests there will be, so what ends before all modules are
//! listed waits for it, but not for long.

use super::output::{Output, json};
use super::{Notes, ReportKind, Reporter};
use crate::event::denials::Denials;
use crate::event::{
    Attachment, Captured, Cause, Event, FrameLine, HostFixtureEnd, HostFixtureError, Library,
    ModuleError, Outcome, SetupOutput, Summary, TestEnd, TestInfo, unfolded,
};
use crate::text::{Escaped, tell};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::time::UNIX_EPOCH;

/// As `--report` knows it.
pub(super) const KIND: ReportKind = ReportKind {
    name: "json",
    open: |out, options| Box::new(Json::new(out, options.notes)),
};

/// Writes events to `out`.
pub struct Json<W> {
    out: Output<W>,
    notes: Notes,
    waiting: Option<Vec<Value>>,
    /// What host fixtures wrote, for the closing line.
    fixtures: Vec<Value>,
}

impl<W: Write> Json<W> {
    /// A reporter that writes to `out`.
    pub fn new(out: W, notes: Notes) -> Self {
        Json {
            out: Output::new(out),
            notes,
            waiting: Some(Vec::new()),
            fixtures: Vec::new(),
        }
    }

    fn emit(&mut self, value: Value) {
        match &mut self.waiting {
            Some(waiting) => waiting.push(value),
            None => write_line(&mut self.out, &value),
        }
    }
}

/// One value on a line of its own.
pub fn write_line(out: &mut Output<impl Write>, value: &Value) {
    out.write(format!("{}\n", json(value)).as_bytes());
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Planned { tests, .. } => {
                // the first says it; what more there is to be the closing line counts
                let Some(waiting) = self.waiting.take() else {
                    return;
                };
                let opening = json!({"type": "suite", "event": "started", "test_count": tests});
                write_line(&mut self.out, &opening);
                for value in waiting {
                    write_line(&mut self.out, &value);
                }
            }
            Event::Started(test) => {
                self.emit(json!({"type": "test", "event": "started", "name": test.id.to_string()}));
            }
            Event::Ended(end) | Event::NeverBegun(end) => self.emit(ended(end)),
            Event::NotBuilt(target) => self.emit(json!({
                "type": "target",
                "event": "not-built",
                "name": target.name,
                "message": target.why,
            })),
            Event::ModuleFailed(error) => self.emit(module_failed(error)),
            Event::SuiteFailed(error) => self.emit(suite_failed(error)),
            Event::Progress(progress) => {
                if let Some(value) = &progress.value {
                    self.emit(value.clone());
                }
            }
            Event::FixtureFailed(error) => self.emit(fixture_failed(error)),
            Event::FixtureEnded(end) => self.fixtures.push(fixture_end(end)),
            Event::Finished(summary) => {
                let mut closing = closing(summary);
                if !self.fixtures.is_empty() {
                    closing["wasmtest"]["fixtures"] = std::mem::take(&mut self.fixtures).into();
                }
                self.emit(closing);
            }
            Event::Note(note) if self.notes == Notes::OnStderr => {
                tell(&format!("note: {}", Escaped(note)));
            }
            Event::Note(_) | Event::Compiling { .. } | Event::Tick => {}
        }
    }

    fn result(&mut self) -> io::Result<()> {
        self.out.result()
    }
}

fn ended(end: &TestEnd) -> Value {
    let event = match &end.outcome {
        Outcome::Passed | Outcome::ExpectedFailure { .. } => "ok",
        Outcome::Skipped { .. } => "ignored",
        _ => "failed",
    };
    let mut value = json!({"type": "test", "event": event, "name": end.test.id.to_string()});
    let mut set = |key: &str, v: Value| value[key] = v;
    if let Some(ran) = &end.ran {
        set("exec_time", json!(ran.duration.as_secs_f64()));
    }
    match &end.outcome {
        Outcome::Skipped { reason } | Outcome::NotRun { reason } => {
            set("message", json!(reason));
        }
        Outcome::TimedOut(_) => set("reason", json!("time limit exceeded")),
        _ => {}
    }
    let wrote = output(&end.outcome, &end.output.stdout, &end.output.stderr);
    // of one that passed there is any only where it was asked for
    if event == "failed" || end.outcome == Outcome::Passed && !wrote.is_empty() {
        set("stdout", json!(wrote));
    }
    let mut own = about(&end.test);
    own.insert("outcome".into(), json!(end.outcome.name()));
    if let Some(ran) = &end.ran {
        let since_epoch = ran.start.duration_since(UNIX_EPOCH).unwrap_or_default();
        own.insert("worker".into(), json!(ran.worker));
        if let Some(compiler) = ran.compiler {
            own.insert("compiler".into(), json!(compiler));
        }
        own.insert("start".into(), json!(since_epoch.as_secs_f64()));
        own.insert(
            "end".into(),
            json!(since_epoch.saturating_add(ran.duration).as_secs_f64()),
        );
    }
    if let Some(cause) = end.outcome.cause() {
        insert_cause(&mut own, cause);
    }
    if let Outcome::NotRun { reason } = &end.outcome {
        own.insert("message".into(), json!(reason));
    }
    if let Outcome::ExpectedFailure { reason, cause } = &end.outcome {
        own.insert("todo".into(), json!(reason));
        insert_cause(&mut own, cause);
    }
    if !end.output.setups.is_empty() {
        own.insert(
            "setups".into(),
            end.output.setups.iter().map(setup).collect(),
        );
    }
    if let Some(scratch) = &end.output.scratch {
        own.insert("scratch".into(), json!(scratch));
    }
    if !end.output.notes.is_empty() {
        own.insert("notes".into(), json!(end.output.notes));
    }
    insert_denied(&mut own, &end.output.denied);
    if !end.output.logs.is_empty() {
        own.insert("logs".into(), json!(end.output.logs));
    }
    if !end.output.attachments.is_empty() {
        own.insert(
            "attachments".into(),
            end.output.attachments.iter().map(attachment).collect(),
        );
    }
    if event == "failed" {
        own.insert("rerun".into(), json!(end.test.rerun()));
    }
    set("wasmtest", Value::Object(own));
    value
}

fn setup(wrote: &SetupOutput) -> Value {
    json!({
        "name": wrote.of,
        "kind": wrote.kind,
        "run": wrote.run,
        "stdout": wrote.stdout.text(),
        "stderr": wrote.stderr.text(),
    })
}

/// Text as it is; anything else, and what would be more escapes than text, in base 64.
fn attachment(attachment: &Attachment) -> Value {
    let mut value = json!({"name": attachment.name, "media_type": attachment.media_type});
    match attachment.text() {
        Some(text) => value["text"] = json!(text),
        None => value["base64"] = json!(BASE64_STANDARD.encode(&attachment.content)),
    }
    value
}

/// What is always known of a test.
pub fn about(test: &TestInfo) -> Map<String, Value> {
    let mut own = Map::new();
    own.insert("module".into(), json!(&*test.id.module));
    own.insert("test".into(), json!(&*test.id.path));
    own.insert("harness".into(), json!(test.harness));
    own.insert("format".into(), json!(test.format));
    if let Some(source) = &test.source {
        own.insert("source".into(), json!(source));
    }
    if !test.tags.is_empty() {
        own.insert("tags".into(), json!(test.tags));
    }
    if let Some(description) = &test.description {
        own.insert("description".into(), json!(description));
    }
    if let Some(timeout) = test.timeout {
        own.insert("timeout".into(), json!(timeout.as_secs_f64()));
    }
    if let Some(bytes) = test.max_memory {
        own.insert("max_memory".into(), json!(bytes));
    }
    own
}

fn insert_cause(own: &mut Map<String, Value>, cause: &Cause) {
    own.insert("message".into(), json!(cause.message));
    if let Some(hint) = &cause.hint {
        own.insert("hint".into(), json!(hint));
    }
    let frame = |line: FrameLine<'_>| match line {
        FrameLine::Function {
            name,
            location,
            library,
        } => {
            let mut value = json!({"function": name, "location": location});
            if let Some(library) = library {
                value["library"] = match library {
                    Library::Runtime => json!("runtime"),
                    Library::Dependency(name) => json!(name),
                };
            }
            value
        }
        FrameLine::Repeated { length, times } => json!({"repeated": length, "times": times}),
        FrameLine::Folded { count } => json!({"folded": count}),
    };
    let frames: Vec<Value> = unfolded(&cause.frames).into_iter().map(frame).collect();
    if !frames.is_empty() {
        own.insert("backtrace".into(), Value::Array(frames));
    }
}

fn insert_denied(own: &mut Map<String, Value>, denied: &Denials) {
    if denied.is_empty() {
        return;
    }
    own.insert("denied".into(), json!(denied.told().collect::<Vec<_>>()));
    if denied.left_out > 0 {
        own.insert("denied_before".into(), json!(denied.left_out));
    }
}

/// libtest puts everything that a test wrote, its panic included, into `stdout`.
fn output(outcome: &Outcome, stdout: &Captured, stderr: &Captured) -> String {
    let mut text = stdout.text();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&stderr.text());
    if let Some(cause) = outcome.cause()
        && !text.contains(cause.message.lines().last().unwrap_or_default())
    {
        text.push_str(&cause.message);
        text.push('\n');
    }
    text
}

fn module_failed(error: &ModuleError) -> Value {
    let mut own = Map::new();
    own.insert("module".into(), json!(&*error.module));
    own.insert("outcome".into(), json!("errored"));
    own.insert("error".into(), json!(error.what));
    if let Some(file) = &error.file {
        own.insert("file".into(), json!(file));
    }
    insert_cause(&mut own, &error.cause);
    insert_denied(&mut own, &error.output.denied);
    let text = format!(
        "{} {}: {}\n{}{}",
        error.module,
        error.what,
        error.cause.message,
        error.output.stdout.text(),
        error.output.stderr.text()
    );
    json!({"type": "test", "event": "failed", "name": &*error.module, "stdout": text, "wasmtest": own})
}

fn suite_failed(error: &ModuleError) -> Value {
    let mut value = module_failed(error);
    if let Some(own) = value["wasmtest"].as_object_mut() {
        own.shift_remove("module");
        own.insert("suite".into(), json!(&*error.module));
    }
    value
}

fn fixture_failed(error: &HostFixtureError) -> Value {
    let mut own = Map::new();
    own.insert("fixture".into(), json!(&*error.name));
    own.insert("outcome".into(), json!("errored"));
    own.insert("error".into(), json!(error.what));
    insert_cause(&mut own, &error.cause);
    let name = format!("fixture {}", error.name);
    let text = format!(
        "{name} {}: {}\n{}{}",
        error.what,
        error.cause.message,
        error.stdout.text(),
        error.stderr.text()
    );
    json!({"type": "test", "event": "failed", "name": name, "stdout": text, "wasmtest": own})
}

fn fixture_end(end: &HostFixtureEnd) -> Value {
    json!({
        "name": &*end.name,
        "how": end.how,
        "stdout": end.stdout.text(),
        "stderr": end.stderr.text(),
    })
}

fn closing(summary: &Summary) -> Value {
    json!({
        "type": "suite",
        "event": if summary.is_green() { "ok" } else { "failed" },
        "passed": summary.passed + summary.expected_failures,
        "failed": summary.failures + summary.errors + summary.timeouts + summary.interrupted,
        "ignored": summary.skipped,
        "measured": 0,
        "filtered_out": summary.filtered_out,
        "exec_time": summary.elapsed.as_secs_f64(),
        "wasmtest": {
            "failures": summary.failures,
            "errors": summary.errors,
            "timeouts": summary.timeouts,
            "interrupted": summary.interrupted,
            "not_run": summary.not_run,
            "expected_failures": summary.expected_failures,
            "modules_failed": summary.modules_failed,
            "fixtures_failed": summary.fixtures_failed,
            "not_built": summary.not_built,
            "processes": summary.processes,
        },
    })
}
