//! The SDK's harness: tests that a file lists in a section and exports one by one.
//!
//! Listed without running anything: [`Found`] collects the section `wasmtest`
//! and the exports of a core module, and believes neither. A test is called by
//! its export; it passes if that returns 0. Panics that are expected and
//! failures that are expected are judged here, from how the call came back.

use super::verdict::Evidence;
use crate::ending::{Ending, Trap};
use crate::event::{Cause, Harness, Outcome, is_harmful};
use crate::protocol::{Expect, ListedTest};
use crate::settings::LONGEST_TIMEOUT;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use wasmparser::{BinaryReaderError, CompositeInnerType, ExternalKind, Payload, TypeRef, ValType};
use wasmtest_section::{self as section, EXPORT_PREFIX, Tag, Value};

/// No honest test has a longer name.
const MAX_NAME: usize = 4 << 10;
/// Nor a longer reason, description or tag.
const MAX_TEXT: usize = 16 << 10;
/// Nor more tags.
const MAX_TAGS: usize = 64;

/// What was seen of the SDK's tests in a core module.
#[derive(Debug, Default)]
pub struct Found {
    section: Vec<u8>,
    /// For each type: whether it is that of a test, `() -> i32`.
    types: Vec<bool>,
    /// For each function, imported ones first: its type.
    functions: Vec<u32>,
    /// Exported functions whose names begin as those of tests.
    exports: HashMap<String, u32>,
}

impl Found {
    /// Looks at one part of the file.
    ///
    /// # Errors
    /// If that part is damaged.
    pub fn look_at(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(types) => {
                for group in types.clone() {
                    self.types.extend(group?.into_types().map(|ty| {
                        matches!(&ty.composite_type.inner, CompositeInnerType::Func(f)
                            if f.params().is_empty() && f.results() == [ValType::I32])
                    }));
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    if let TypeRef::Func(ty) = import?.ty {
                        self.functions.push(ty);
                    }
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions.clone() {
                    self.functions.push(ty?);
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    if export.kind == ExternalKind::Func && export.name.starts_with(EXPORT_PREFIX) {
                        self.exports.insert(export.name.to_owned(), export.index);
                    }
                }
            }
            Payload::CustomSection(custom) if custom.name() == section::NAME => {
                self.section.extend_from_slice(custom.data());
            }
            _ => {}
        }
        Ok(())
    }

    /// The tests, in the order of their names.
    ///
    /// # Errors
    /// If the section is damaged, of another version, or at odds with the exports.
    pub fn tests(&self) -> Result<Vec<ListedTest>, Cause> {
        let mut tests: Vec<ListedTest> = Vec::new();
        for record in section::records(&self.section) {
            tests.push(self.test(record.map_err(|e| bad_section(&e))?)?);
        }
        tests.sort_by(|a, b| a.export.cmp(&b.export));
        if let Some(pair) = tests
            .windows(2)
            .find(|pair| pair[0].export == pair[1].export)
        {
            return Err(lies(format!("it lists the test `{}` twice", pair[0].path)));
        }
        // all exports are listed by now, or there are some that are not
        if tests.len() != self.exports.len() {
            return Err(Cause::new(format!(
                "it exports {} tests of the SDK's and lists {}: were its custom sections stripped?",
                self.exports.len(),
                tests.len()
            ))
            .hint("keep the custom section `wasmtest` when the file is stripped"));
        }
        // tests of two crates may differ in their crate alone
        let mut paths: HashMap<String, usize> = HashMap::new();
        for test in &tests {
            *paths.entry(test.path.clone()).or_default() += 1;
        }
        for test in tests.iter_mut().filter(|t| paths[&t.path] > 1) {
            name_in_full(test);
        }
        tests.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tests)
    }

    fn test(&self, fields: section::Fields<'_>) -> Result<ListedTest, Cause> {
        let mut test = ListedTest::named("", Harness::Sdk);
        let mut full_path = "";
        let mut seen: Vec<Tag> = Vec::new();
        for field in fields {
            let field = field.map_err(|e| bad_section(&e))?;
            let (Value::Text(tag, _) | Value::Number(tag, _)) = field;
            if tag != Tag::Label && seen.contains(&tag) {
                return Err(lies(format!(
                    "it says twice what `{full_path}` is: {tag:?}"
                )));
            }
            seen.push(tag);
            match field {
                Value::Text(_, text) if text.len() > MAX_TEXT => {
                    return Err(lies(format!("it lists a text of {} bytes", text.len())));
                }
                Value::Text(Tag::Path, path) => full_path = path,
                Value::Text(Tag::File, file) => test.file = Some(file.to_owned()),
                Value::Number(Tag::Line, line) if line > u64::from(u32::MAX) => {
                    return Err(lies(format!("it lists a test in line {line}")));
                }
                Value::Number(Tag::Line, line) => test.line = Some(line),
                Value::Text(Tag::Label, "") => {
                    return Err(lies("it lists a tag without a name".to_owned()));
                }
                Value::Text(Tag::Label, _) if test.tags.len() >= MAX_TAGS => {
                    return Err(lies(format!("it lists a test with over {MAX_TAGS} tags")));
                }
                Value::Number(tag @ (Tag::Timeout | Tag::MaxMemory), 0) => {
                    return Err(lies(format!("it lists a test whose limit is 0: {tag:?}")));
                }
                Value::Text(Tag::Ignored, reason) => test.ignored = Some(reason.to_owned()),
                Value::Text(Tag::ShouldPanic, text) => test.should_panic = Some(text.to_owned()),
                Value::Text(Tag::Todo, reason) => test.todo = Some(reason.to_owned()),
                Value::Text(Tag::Label, tag) => test.tags.push(tag.to_owned()),
                Value::Text(Tag::Description, text) => test.description = Some(text.to_owned()),
                Value::Number(Tag::Timeout, ms) => test.timeout = Some(Duration::from_millis(ms)),
                Value::Number(Tag::MaxMemory, bytes) => test.max_memory = Some(bytes),
                _ => {}
            }
        }
        if full_path.is_empty() || full_path.len() > MAX_NAME {
            return Err(lies(format!(
                "it lists a test whose name is {} bytes long",
                full_path.len()
            )));
        }
        let texts = [test.file.as_deref(), test.description.as_deref()];
        let texts = texts
            .into_iter()
            .flatten()
            .chain(test.tags.iter().map(String::as_str));
        if let Some(text) = texts.into_iter().find(|t| t.contains(is_harmful)) {
            return Err(lies(format!(
                "it lists a text with control characters: {text:?}"
            )));
        }
        if test.timeout.is_some_and(|t| t > LONGEST_TIMEOUT) {
            return Err(lies(format!(
                "the test `{full_path}` sets itself a limit of more than a day"
            )));
        }
        if full_path.contains(is_harmful) || full_path.ends_with("::") {
            return Err(lies(format!(
                "it lists a test whose name holds control characters: {full_path:?}"
            )));
        }
        let export = self.exports.get(&format!("{EXPORT_PREFIX}{full_path}"));
        let Some(export) = export else {
            return Err(lies(format!(
                "it lists the test `{full_path}` and does not export it"
            )));
        };
        let is_test = self
            .functions
            .get(*export as usize)
            .and_then(|ty| self.types.get(*ty as usize));
        if is_test != Some(&true) {
            return Err(lies(format!(
                "its export of the test `{full_path}` has another type than `() -> i32`"
            )));
        }
        // as libtest names tests: without the crate
        let path = full_path
            .split_once("::")
            .map_or(full_path, |(_, path)| path);
        test.path = path.to_owned();
        test.export = Some(format!("{EXPORT_PREFIX}{full_path}"));
        Ok(test)
    }
}

/// Gives a test its path with the crate's name in front.
fn name_in_full(test: &mut ListedTest) {
    let export = test.export.as_deref();
    if let Some(full) = export.and_then(|e| e.strip_prefix(EXPORT_PREFIX)) {
        test.path = full.to_owned();
    }
}

/// A file's own libtest tests keep their names; a test of the SDK's that comes from
/// a library in it and has the same one is told apart by its crate.
pub fn tell_apart(sdk: &mut [ListedTest], libtest: &[ListedTest]) {
    if sdk.is_empty() {
        return;
    }
    let taken: HashSet<&str> = libtest.iter().map(|t| t.path.as_str()).collect();
    for test in sdk.iter_mut().filter(|t| taken.contains(t.path.as_str())) {
        name_in_full(test);
    }
}

fn bad_section(error: &section::Error) -> Cause {
    const HINT: &str = "use a wasmtest and a wasmtest-sdk of the same version";
    let ours = env!("CARGO_PKG_VERSION");
    match error {
        section::Error::Version { found, sdk } => Cause::new(format!(
            "its tests are listed by wasmtest-sdk {sdk} in format {found}, and this wasmtest {ours} reads format {}",
            section::VERSION
        ))
        .hint(HINT),
        section::Error::Kind { sdk, .. } => Cause::new(format!(
            "wasmtest-sdk {sdk} lists something in it that this wasmtest {ours} does not know"
        ))
        .hint(HINT),
        error => lies(error.to_string()),
    }
}

fn lies(what: String) -> Cause {
    Cause::new(format!("its list of tests cannot be used: {what}")).hint("build it again")
}

/// How a test ended, against what was expected of it.
pub fn outcome(
    evidence: &Evidence<'_>,
    expect: &Expect,
    returned: Option<i32>,
    panicked: Option<&str>,
) -> Outcome {
    let outcome = plain_outcome(evidence, returned);
    match (expect, outcome) {
        (_, skipped @ Outcome::Skipped { .. }) => skipped,
        (Expect::Pass, outcome) => outcome,
        (Expect::Panic(text), outcome) => expected_panic(evidence, text, panicked, outcome),
        (Expect::Failure(reason), Outcome::Passed) => Outcome::Failed(
            Cause::new(match reason.is_empty() {
                true => "it passed, and is marked `todo`".to_owned(),
                false => format!("it passed, and is marked `todo`: {reason}"),
            })
            .hint("remove the mark"),
        ),
        // what the test itself did; a file that lies or a stub is no failure of its
        (
            Expect::Failure(reason),
            Outcome::Failed(_) | Outcome::OutOfMemory(_) | Outcome::TimedOut(_),
        ) => Outcome::ExpectedFailure {
            reason: reason.clone(),
        },
        (Expect::Failure(reason), Outcome::Errored(_)) if matches!(evidence.ending, Ending::Trapped(t) if !matches!(t, Trap::StubCalled(_) | Trap::Other(_))) => {
            Outcome::ExpectedFailure {
                reason: reason.clone(),
            }
        }
        (Expect::Failure(_), outcome) => outcome,
    }
}

fn plain_outcome(evidence: &Evidence<'_>, returned: Option<i32>) -> Outcome {
    if let Some(outcome) = evidence.common_outcome() {
        return outcome;
    }
    match (evidence.ending, returned) {
        (Ending::Returned, Some(0)) => Outcome::Passed,
        (Ending::Returned, Some(1)) => Outcome::Failed(Cause::new(match &evidence.stderr.error {
            Some(error) => format!("returned an error\nError: {error}"),
            None => "returned an error".to_owned(),
        })),
        (Ending::Returned, returned) => Outcome::Errored(Cause::new(format!(
            "its export returned {}, which means nothing",
            returned.map_or("nothing".to_owned(), |r| r.to_string())
        ))),
        (Ending::Exited(0), _) => Outcome::Failed(
            Cause::new("left by exit(0) before it came back: that is no pass")
                .hint("a test passes by returning; what comes after exit(0) was never run"),
        ),
        (Ending::Exited(status), _) => {
            Outcome::Failed(Cause::new(format!("exited with status {status}")))
        }
        (ending, _) => Outcome::Errored(Cause::new(format!("ended unexpectedly: {ending:?}"))),
    }
}

/// A panic is what the SDK's hook recorded: what stands on stderr proves nothing.
fn expected_panic(
    evidence: &Evidence<'_>,
    text: &str,
    panicked: Option<&str>,
    outcome: Outcome,
) -> Outcome {
    let message = match (evidence.ending, panicked, &outcome) {
        (Ending::Trapped(Trap::Unreachable), Some(message), _) => message,
        (_, _, Outcome::Passed) => {
            return Outcome::Failed(Cause::new("it did not panic as expected"));
        }
        (Ending::Trapped(Trap::Unreachable), None, _) => {
            return Outcome::Errored(
                Cause::new("it aborted, and no panic was recorded")
                    .hint("a panic hook that the test sets replaces the one that records panics"),
            );
        }
        // a trap, an exit, a limit: whatever it is, it is no panic
        _ => return outcome,
    };
    if message.contains(text) {
        return Outcome::Passed;
    }
    let hint = format!("it should panic, with a message that contains: {text}");
    Outcome::Failed(match outcome.cause() {
        Some(cause) => cause.clone().hint(hint),
        None => Cause::new(format!("panicked\n{message}")).hint(hint),
    })
}
