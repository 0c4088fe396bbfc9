//! One entry of the corpus, run beside three ordinary siblings, and what is wrong with what
//! came of it.

use super::entry::{Entry, Expect};
use super::make;
use super::watch::{Watched, watch};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What all runs of a campaign share.
#[derive(Debug)]
pub struct Field {
    /// The binary under test.
    pub wasmtest: PathBuf,
    /// The corpus's crate, built: the siblings, and attacks that are tests.
    pub crate_module: PathBuf,
    /// Where the cache and each run's own folder lie; it is ours.
    pub folder: PathBuf,
}

/// What came of an entry.
#[derive(Debug)]
pub struct Came {
    /// What is wrong; nothing, if the entry holds.
    pub complaints: Vec<String>,
    /// How what is the attack's ended, and what was said of it.
    pub ends: Vec<String>,
    /// The most resident memory of a process, in bytes.
    pub peak: u64,
}

/// How many tests of the crate are ordinary.
const SIBLINGS: usize = 3;

impl Field {
    /// Runs an entry.
    ///
    /// # Errors
    /// If it cannot be made or started; what comes of it is no error.
    pub fn run(&self, entry: &Entry) -> Result<Came> {
        let folder = self.folder.join(&entry.name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let mut files = vec![self.crate_module.clone()];
        let mut filters = vec!["siblings::".to_owned(), format!(" {}::", entry.name)];
        if entry.is_module() {
            let file = folder.join("attack.wasm");
            make::module(entry, &file)?;
            files.push(file);
            filters[1] = "attack.wasm".to_owned();
        }
        let cache = self.folder.join("cache");
        let mut command = Command::new(&self.wasmtest);
        command
            .current_dir(&folder)
            .env_remove("WASMTEST_PROCESSES")
            .env_remove("WASMTEST_PROCESS_TIMEOUT")
            .args(["run", "--no-config", "--processes", "2"])
            .args(["--message-format", "json", "--cache-dir"])
            .arg(&cache)
            .args(files)
            .args(&entry.flags)
            .arg("--")
            .args(filters);
        let watched = watch(&mut command, &folder)?;
        let (mut complaints, ends) = judge(entry, &watched);
        complaints.extend(half_written(&cache)?);
        if complaints.is_empty() {
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(Came {
            complaints,
            ends,
            peak: watched.peak,
        })
    }
}

/// What is wrong, and how what is the attack's ended.
fn judge(entry: &Entry, watched: &Watched) -> (Vec<String>, Vec<String>) {
    let mut complaints = watched.complaints.clone();
    if watched.status.code() != Some(entry.exit) {
        complaints.push(format!("{}, not {}", watched.status, entry.exit));
    }
    for word in ["panicked at", "RUST_BACKTRACE", "stack overflow"] {
        if watched.stderr.contains(word) {
            complaints.push(format!("stderr: {}", watched.stderr));
            break;
        }
    }
    let (peak, bytes) = (watched.peak >> 20, watched.stdout.len() >> 20);
    if peak > entry.memory {
        let bound = entry.memory;
        complaints.push(format!("a process had {peak} MiB of memory, not {bound}"));
    }
    if bytes as u64 > entry.output {
        let bound = entry.output;
        complaints.push(format!("{bytes} MiB on stdout, not {bound}"));
    }
    let mut attack = Vec::new();
    match events(&watched.stdout) {
        Ok(events) => complaints.extend(verdicts(entry, &events, &mut attack)),
        Err(e) => complaints.push(format!("stdout is no event stream: {e:#}")),
    }
    (complaints, attack)
}

fn events(stdout: &[u8]) -> Result<Vec<Value>> {
    let text = std::str::from_utf8(stdout)?;
    if let Some(raw) = text.chars().find(|c| c.is_control() && *c != '\n') {
        anyhow::bail!("{raw:?} stands in it raw");
    }
    text.lines()
        .map(|line| serde_json::from_str(line).context("not JSON"))
        .collect()
}

/// What is wrong with how tests ended.
fn verdicts(entry: &Entry, events: &[Value], attack: &mut Vec<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut ends: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events {
        let is_end = ["ok", "failed", "ignored"]
            .iter()
            .any(|k| event["event"] == *k);
        if event["type"] == "test" && is_end {
            let name = event["name"].as_str().unwrap_or_default();
            ends.entry(name).or_default().push(event);
        }
    }
    let twice: Vec<_> = ends.iter().filter(|(_, e)| e.len() > 1).collect();
    for (name, ends) in twice.iter().take(3) {
        complaints.push(format!("{name:?} has {} verdicts", ends.len()));
    }
    // the opening line may have been written before all was listed
    let planned = events.iter().find_map(|e| e["test_count"].as_u64());
    let tests = ends
        .values()
        .filter(|e| !e[0]["wasmtest"]["test"].is_null());
    let ended = tests.count() as u64;
    if planned.is_some_and(|planned| planned > ended) {
        complaints.push(format!(
            "{ended} of {planned:?} planned tests have a verdict"
        ));
    }
    let all: u64 = ends.values().map(|e| e.len() as u64).sum();
    let counted = events.last().map_or(0, counted);
    if counted != all {
        complaints.push(format!(
            "{all} verdicts, and the last line counts {counted}"
        ));
    }
    let is_sibling = |name: &str| name.contains(" siblings::");
    let passed = ends
        .iter()
        .filter(|(name, e)| is_sibling(name) && e[0]["wasmtest"]["outcome"] == "passed");
    let passed = passed.count();
    if passed != SIBLINGS {
        complaints.push(format!("{passed} of {SIBLINGS} siblings passed"));
    }
    let mut met = vec![false; entry.expect.len()];
    let mut wrong = Vec::new();
    for (name, end) in ends.iter().filter(|(name, _)| !is_sibling(name)) {
        if attack.len() < 5 {
            attack.push(format!("{name:?}: {}: {}", outcome(end[0]), said(end[0])));
        }
        let found = entry.expect.iter().position(|e| e.names(name));
        let Some(at) = found else {
            wrong.push(format!("{name:?} was not expected: {}", said(end[0])));
            continue;
        };
        met[at] = true;
        if let Some(not) = entry.expect[at].unmet(end[0]) {
            wrong.push(format!("{name:?}: {not}"));
        }
    }
    let more = wrong.len().saturating_sub(3);
    complaints.extend(wrong.into_iter().take(3));
    if more > 0 {
        complaints.push(format!("and {more} more"));
    }
    for (expect, _) in entry.expect.iter().zip(met).filter(|(_, met)| !met) {
        complaints.push(format!("nothing ended as expected: {expect:?}"));
    }
    complaints
}

/// How many verdicts the closing line counts.
fn counted(closing: &Value) -> u64 {
    let counts = ["passed", "failed", "ignored"].map(|key| closing[key].as_u64());
    let not_run = closing["wasmtest"]["not_run"].as_u64();
    counts.iter().chain([&not_run]).flatten().sum()
}

impl Expect {
    fn names(&self, name: &str) -> bool {
        self.test.as_deref().is_none_or(|t| name.ends_with(t))
    }

    /// What is not as it has to be.
    fn unmet(&self, end: &Value) -> Option<String> {
        let outcome = outcome(end);
        let said = said(end);
        let missing = self.words.iter().find(|w| !said.contains(*w));
        if !self.outcomes.iter().any(|o| o == outcome) {
            let wanted = self.outcomes.join(" or ");
            return Some(format!("{outcome}, not {wanted}: {said}"));
        }
        missing.map(|word| format!("{word:?} is not said: {said}"))
    }
}

/// The outcome of a test; what is no test has a word of its own.
fn outcome(end: &Value) -> &str {
    let own = &end["wasmtest"];
    match own["outcome"].as_str() {
        Some(outcome) if own["error"].is_null() => outcome,
        _ if own["suite"].is_string() => "suite-failed",
        _ => "not-loaded",
    }
}

/// What is said of an end, in the first place.
fn said(end: &Value) -> String {
    let own = &end["wasmtest"];
    let parts = ["error", "message", "hint", "notes"].map(|key| match &own[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let text = parts.join(" ");
    // it is a guest's, and goes to a terminal
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(2000).map(harmless).collect()
}

/// What a run has begun to write to the cache and left there.
fn half_written(cache: &Path) -> Result<Option<String>> {
    if !cache.exists() {
        return Ok(None);
    }
    let mut folders = vec![cache.to_owned()];
    let mut left = Vec::new();
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder)? {
            let file = file?;
            if file.file_name().to_string_lossy().starts_with(".new-") {
                left.push(file.path());
            } else if file.file_type()?.is_dir() {
                folders.push(file.path());
            }
        }
    }
    Ok((!left.is_empty()).then(|| format!("left behind in the cache: {left:?}")))
}
