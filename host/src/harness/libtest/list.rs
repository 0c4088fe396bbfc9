//! libtest's lists: the dialogue in which a binary is asked for its tests, and how its answers are read.
//!
//! Asked in a closed sandbox. JSON tells everything and is unstable; a libtest without it is
//! asked for names alone, and for those that are ignored.

use super::{NAME, SHOULD_PANIC};
use crate::event::Cause;
use crate::harness::command;
use crate::harness::listing::{Answer, ListError, Question};
use crate::harness::termination::Termination;
use crate::protocol::ListedTest;
use serde::Deserialize;
use std::collections::HashSet;

/// How long a listing may be: a hundred thousand tests of a hundred bytes.
pub(super) const LONGEST: usize = 16 << 20;

/// One call of a binary for its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::harness) enum ListCall {
    /// Everything about every test, as JSON; unstable, so asked for with `RUSTC_BOOTSTRAP`.
    Json,
    /// The names of all tests that are not `should_panic`; unstable likewise.
    WithoutShouldPanic,
    /// The names of all tests.
    Terse,
    /// The names of the ignored tests.
    TerseIgnored,
    /// The names of all tests, and how many they are.
    Counted,
}

impl ListCall {
    /// The arguments after `argv[0]`.
    pub(in crate::harness) fn args(self) -> &'static [&'static str] {
        match self {
            ListCall::Json => &["--list", "--format", "json", "-Z", "unstable-options"],
            ListCall::WithoutShouldPanic => &[
                "--list",
                "--format",
                "terse",
                "-Z",
                "unstable-options",
                "--exclude-should-panic",
            ],
            ListCall::Terse => &["--list", "--format", "terse"],
            ListCall::TerseIgnored => &["--list", "--format", "terse", "--ignored"],
            ListCall::Counted => &["--list"],
        }
    }

    /// What has to be in the environment of this call alone.
    pub(in crate::harness) fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            ListCall::Json | ListCall::WithoutShouldPanic => &[("RUSTC_BOOTSTRAP", "1")],
            ListCall::Terse | ListCall::TerseIgnored | ListCall::Counted => &[],
        }
    }
}

/// Asks a binary for its tests.
pub(super) fn list(
    ask: &mut dyn FnMut(&Question<'_>) -> Answer,
) -> Result<Vec<ListedTest>, ListError> {
    let mut called = |call: ListCall| {
        ask(&Question {
            args: call.args(),
            env: call.env(),
            ..Question::closed(LONGEST)
        })
    };
    let first = called(ListCall::Json);
    let from_json = complete(&first)
        .then(|| read_json(&first.stdout.text()))
        .flatten();
    // only a refusal of the arguments is worth another try
    if from_json.is_none()
        && !matches!(first.ending, Termination::Returned | Termination::Exited(_))
    {
        return Err(no_list(first));
    }
    let mut tests = match from_json {
        Some(tests) => tests,
        None => match by_name(&mut called)? {
            Some(tests) => tests,
            None => return Ok(command::list()),
        },
    };
    // an older libtest may not know this flag: then what was not run shows when it runs
    let without = called(ListCall::WithoutShouldPanic);
    if complete(&without) {
        mark_should_panic(&mut tests, &read_terse(&without.stdout.text()));
    }
    Ok(tests)
}

/// The same of one that does not know JSON; `None` if it only looks like libtest.
fn by_name(
    called: &mut dyn FnMut(ListCall) -> Answer,
) -> Result<Option<Vec<ListedTest>>, ListError> {
    let all = called(ListCall::Terse);
    if all.ending != Termination::Returned {
        return Err(no_list(all));
    }
    if !complete(&all) {
        let why = format!("its list of tests is longer than {} MiB", LONGEST >> 20);
        return Err(ListError::new(Cause::new(why)));
    }
    let mut tests = read_terse(&all.stdout.text());
    // one that merely looks like libtest may be silent, and is no empty list
    if tests.is_empty() {
        let counted = called(ListCall::Counted);
        if !complete(&counted) || !is_none(&counted.stdout.text()) {
            return Ok(None);
        }
    }
    let ignored = called(ListCall::TerseIgnored);
    if complete(&ignored) {
        let ignored = read_terse(&ignored.stdout.text());
        // all of them again: whoever does not know the flag says so when it runs them
        if ignored.len() < tests.len() {
            mark_ignored(&mut tests, &ignored);
        }
    }
    Ok(Some(tests))
}

/// Whether an answer came to its end and all of it is here.
pub(super) fn complete(answer: &Answer) -> bool {
    answer.ending == Termination::Returned && answer.stdout.dropped == 0
}

/// Why there is no list.
fn no_list(answer: Answer) -> ListError {
    let cause = match &answer.ending {
        Termination::Exited(status) => Cause::new(format!(
            "it exited with status {status} when asked to list its tests"
        )),
        _ => {
            let mut cause = answer.died.unwrap_or_default();
            cause.message = format!(
                "it died when asked to list its tests, before any ran: {}",
                cause.message
            );
            cause
        }
    };
    ListError {
        cause,
        stderr: Box::new(answer.stderr),
    }
}

/// Whether [`ListCall::Counted`]'s answer says that there is nothing.
fn is_none(stdout: &str) -> bool {
    stdout.trim() == "0 tests, 0 benchmarks"
}

/// Reads [`ListCall::Json`]'s answer; `None` if that is no complete list.
fn read_json(stdout: &str) -> Option<Vec<ListedTest>> {
    #[derive(Deserialize)]
    struct Line {
        event: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        ignore: bool,
        #[serde(default)]
        source_path: Option<String>,
        #[serde(default)]
        start_line: Option<u64>,
        #[serde(default)]
        r#type: String,
        #[serde(default)]
        total: Option<usize>,
    }
    let mut tests = Vec::new();
    let mut total = None;
    for object in objects(stdout) {
        let (object, reason) = without_reason(object);
        let line: Line = serde_json::from_str(&object).ok()?;
        match line.event.as_str() {
            "discovered" => tests.push(ListedTest {
                ignored: line.ignore.then(|| reason.to_owned()),
                // it was called `bench` once
                benchmark: matches!(line.r#type.as_str(), "benchmark" | "bench"),
                file: line.source_path.filter(|s| !s.is_empty()),
                line: line.start_line.filter(|l| *l > 0),
                ..ListedTest::named(line.name, NAME)
            }),
            "completed" => total = line.total,
            _ => {}
        }
    }
    (total == Some(tests.len())).then_some(tests)
}

/// The objects of a list, each beginning on a line of its own.
fn objects(stdout: &str) -> impl Iterator<Item = &str> {
    let mut rest = stdout;
    std::iter::from_fn(move || {
        let start = match rest.starts_with(OBJECT) {
            true => 0,
            false => rest.find(&format!("\n{OBJECT}"))? + 1,
        };
        let object = &rest[start..];
        let end = object
            .find(&format!("\n{OBJECT}"))
            .map_or(object.len(), |at| at + 1);
        rest = &object[end..];
        Some(&object[..end])
    })
}

/// How libtest begins every object.
const OBJECT: &str = "{ \"type\": ";

/// Takes the reason of an ignored test out of an object: libtest does not
/// escape it, so a quote or a line break in it leaves no valid JSON.
fn without_reason(object: &str) -> (String, &str) {
    const START: &str = "\"ignore_message\": \"";
    const END: &str = "\", \"source_path\": ";
    let found = object.find(START).and_then(|start| {
        let (start, end) = (start + START.len(), object.rfind(END)?);
        Some((
            object.get(..start)?,
            object.get(start..end)?,
            object.get(end..)?,
        ))
    });
    match found {
        Some((before, reason, after)) => (format!("{before}{after}"), reason),
        None => (object.to_owned(), ""),
    }
}

/// Reads a terse list: `NAME: test` or `NAME: benchmark` a line.
fn read_terse(stdout: &str) -> Vec<ListedTest> {
    let entry = |line: &str| {
        let (path, kind) = line.rsplit_once(": ")?;
        let benchmark = match kind {
            "test" => false,
            "benchmark" => true,
            _ => return None,
        };
        Some(ListedTest {
            benchmark,
            ..ListedTest::named(path, NAME)
        })
    };
    stdout.lines().filter_map(entry).collect()
}

/// Marks as `should_panic` whatever is missing from the list without such tests: libtest does
/// not run them.
fn mark_should_panic(tests: &mut [ListedTest], without: &[ListedTest]) {
    let without: HashSet<&str> = without.iter().map(|t| t.path.as_str()).collect();
    for test in tests {
        let should_panic = !without.contains(test.path.as_str());
        // which text is expected libtest does not tell
        test.should_panic = should_panic.then(String::new);
        test.unable = should_panic.then(|| SHOULD_PANIC.to_owned());
    }
}

/// Marks as ignored whatever is in the list of ignored tests.
pub(in crate::harness) fn mark_ignored(tests: &mut [ListedTest], ignored: &[ListedTest]) {
    let ignored: HashSet<&str> = ignored.iter().map(|t| t.path.as_str()).collect();
    for test in tests {
        if ignored.contains(test.path.as_str()) {
            test.ignored.get_or_insert_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Captured;
    use crate::harness::listing::ListAccess;

    /// Asks a program that answers so; gives the calls too.
    fn ask(
        answer: impl Fn(ListCall) -> (Termination, &'static str),
    ) -> (Result<Vec<ListedTest>, ListError>, Vec<ListCall>) {
        let mut calls = Vec::new();
        let result = list(&mut |question| {
            assert_eq!(question.access, ListAccess::Closed);
            let all = [
                ListCall::Json,
                ListCall::WithoutShouldPanic,
                ListCall::Terse,
                ListCall::TerseIgnored,
                ListCall::Counted,
            ];
            let call = all.into_iter().find(|c| c.args() == question.args);
            let call = call.expect("one of the calls");
            assert_eq!(call.env(), question.env);
            calls.push(call);
            let (ending, stdout) = answer(call);
            Answer {
                died: (ending == Termination::DeadlinePassed).then(|| Cause::new("it hung")),
                ending,
                stdout: Captured {
                    head: stdout.into(),
                    ..Captured::default()
                },
                stderr: Captured::default(),
                called: Vec::new(),
                stack: Vec::new(),
                told_at: Vec::new(),
            }
        });
        (result, calls)
    }

    #[test]
    fn a_libtest_without_json_is_asked_for_names_and_for_those_that_are_ignored() {
        use Termination::{Exited, Returned};
        let (tests, calls) = ask(|call| match call {
            ListCall::Json => (Exited(101), ""),
            ListCall::Terse => (Returned, "a: test\nb: test\nc: test\n"),
            ListCall::TerseIgnored => (Returned, "b: test\n"),
            ListCall::WithoutShouldPanic => (Returned, "a: test\nb: test\n"),
            ListCall::Counted => panic!("there are some"),
        });
        let tests = tests.expect("a list");
        let ignored: Vec<bool> = tests.iter().map(|t| t.ignored.is_some()).collect();
        assert_eq!(ignored, [false, true, false]);
        let unable: Vec<bool> = tests.iter().map(|t| t.unable.is_some()).collect();
        assert_eq!(unable, [false, false, true]);
        assert_eq!(calls.len(), 4);
    }

    #[test]
    fn what_says_nothing_is_a_command_unless_it_says_that_there_is_nothing() {
        let silent = |counted: &'static str| {
            let (tests, _) = ask(|call| match call {
                ListCall::Counted => (Termination::Returned, counted),
                _ => (Termination::Returned, ""),
            });
            tests.expect("an answer")
        };
        assert_eq!(silent(""), command::list());
        assert_eq!(silent("0 tests, 0 benchmarks\n"), []);
    }

    #[test]
    fn one_that_dies_is_asked_no_more_and_why_is_told() {
        let (result, calls) = ask(|_| (Termination::DeadlinePassed, ""));
        let why = result.expect_err("no list").cause.message;
        assert_eq!(
            why,
            "it died when asked to list its tests, before any ran: it hung"
        );
        assert_eq!(calls, [ListCall::Json]);
        let (result, calls) = ask(|_| (Termination::Exited(7), ""));
        let why = result.expect_err("no list").cause.message;
        assert_eq!(why, "it exited with status 7 when asked to list its tests");
        assert_eq!(calls, [ListCall::Json, ListCall::Terse]);
    }

    #[test]
    fn lists_are_read_and_half_a_list_is_none() {
        let json = r#"{ "type": "suite", "event": "discovery" }
{ "type": "test", "event": "discovered", "name": "a::b", "ignore": true, "ignore_message": "slow", "source_path": "src/lib.rs", "start_line": 7, "start_col": 4, "end_line": 7, "end_col": 9 }
{ "type": "suite", "event": "completed", "tests": 1, "benchmarks": 0, "total": 1, "ignored": 1 }
"#;
        let tests = read_json(json).expect("complete");
        assert_eq!(tests[0].ignored.as_deref(), Some("slow"));
        assert_eq!(
            (tests[0].file.as_deref(), tests[0].line),
            (Some("src/lib.rs"), Some(7))
        );
        assert_eq!(
            read_json(json.rsplit_once("{ \"type\": \"suite\"").expect("two").0),
            None
        );
        let awkward = json.replace("slow", "see \"issue\" 3\nand more, \", \"source");
        let tests = read_json(&awkward).expect("complete");
        assert_eq!(
            tests[0].ignored.as_deref(),
            Some("see \"issue\" 3\nand more, \", \"source")
        );
        assert_eq!(tests[0].line, Some(7));
        let mut terse = read_terse("a: test\nb c: benchmark\nnoise\n\n2 tests, 0 benchmarks\n");
        assert_eq!(terse.len(), 2);
        assert!(terse[1].benchmark);
        mark_should_panic(&mut terse, &read_terse("a: test\n"));
        assert!(terse[0].should_panic.is_none() && terse[1].should_panic.is_some());
    }
}
