//! `wasmtest list`: which tests there are, as lines or as JSON.

use crate::cli::{ListArgs, MessageFormat};
use crate::event::TestInfo;
use crate::protocol::ListedTest;
use crate::report::output::Output;
use crate::report::{Trouble, json};
use crate::settings::{ProcessEnv, Settings};
use crate::text::one_line;
use crate::{exit, primary};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::io::{self, BufWriter, Write};

/// Lists tests; gives the exit code.
///
/// # Errors
/// If a flag makes no sense, or the list cannot be made or written.
pub(super) fn list(args: &ListArgs, process: &ProcessEnv) -> anyhow::Result<u8> {
    let settings = Settings::for_list(args, process)?;
    let mut trouble = Trouble::plain(settings.verbosity);
    let (summary, mut found) = primary::list(&settings, &mut trouble)?;
    found.sort_by_key(|t| t.order);
    let mut out = Output::new(BufWriter::new(io::stdout()));
    match args.message_format {
        MessageFormat::Human => {
            write_list(&mut out, found.iter().map(|t| &*t.info));
        }
        MessageFormat::Json => {
            for test in &found {
                let value = listed(&test.info, &test.listed);
                json::write_line(&mut out, &value);
            }
        }
    }
    out.result().context("the list cannot be written")?;
    Ok(exit::of_list(&summary, found.is_empty()))
}

/// Prints ids, each on a line.
fn write_list<'a>(out: &mut Output<impl Write>, tests: impl Iterator<Item = &'a TestInfo>) {
    let lines: String = tests.map(|t| one_line(&t.id.to_string()) + "\n").collect();
    out.write(lines.as_bytes());
}

/// Everything known of a test that has not run.
fn listed(test: &TestInfo, listed: &ListedTest) -> Value {
    let mut own = json::about(test);
    own.insert("ignored".into(), json!(listed.ignored));
    own.insert("should_panic".into(), json!(listed.should_panic.is_some()));
    own.insert("todo".into(), json!(listed.todo));
    own.insert("rerun".into(), json!(test.alone()));
    json!({
        "type": if listed.benchmark { "bench" } else { "test" },
        "event": "discovered",
        "name": test.id.to_string(),
        "ignore": listed.ignored.is_some(),
        "ignore_message": listed.ignored.as_deref().unwrap_or_default(),
        "source_path": listed.file.as_deref().unwrap_or_default(),
        "start_line": listed.line.unwrap_or(0),
        "wasmtest": own,
    })
}
