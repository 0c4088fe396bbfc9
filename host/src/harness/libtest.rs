//! libtest: the harness in every Rust test binary.
//!
//! Says with which arguments such a binary is listed and called, reads its
//! lists, and judges one test. A pass is a test that ran and came back: the
//! entry returned by itself *and* libtest counted exactly one test as passed.
//! Output alone proves nothing, since a test can print a genuine pass byte for
//! byte and leave by `exit(0)`; nor does a status, since a name that matches
//! nothing and an ignored test end in 0 as well.

use super::evidence::Evidence;
use super::scan::Counts;
use super::termination::Ending;
use crate::event::{Captured, Cause, Format, Harness, Outcome};
use crate::protocol::{Benchmarks, ListedTest};
use memchr::memmem;
use serde::Deserialize;
use std::collections::HashSet;

/// One call of a binary for its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListCall {
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
    pub fn args(self) -> &'static [&'static str] {
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
    pub fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            ListCall::Json | ListCall::WithoutShouldPanic => &[("RUSTC_BOOTSTRAP", "1")],
            ListCall::Terse | ListCall::TerseIgnored | ListCall::Counted => &[],
        }
    }
}

/// Whether [`ListCall::Counted`]'s answer says that there is nothing.
pub fn is_none(stdout: &str) -> bool {
    stdout.trim() == "0 tests, 0 benchmarks"
}

/// The arguments after `argv[0]` that run one test and no other.
pub fn run_args(path: &str, ignored: bool, benchmarks: Benchmarks) -> Vec<&str> {
    let mut flags = vec!["--exact", "--nocapture"];
    if ignored {
        flags.push("--include-ignored");
    }
    if benchmarks != Benchmarks::Once {
        // without `--test` it would ignore whatever is no benchmark
        flags.extend(["--bench", "--test"]);
    }
    match path.starts_with('-') {
        // it would be taken for a flag
        true => [&flags[..], &["--", path]].concat(),
        false => [&[path], &flags[..]].concat(),
    }
}

/// Reads [`ListCall::Json`]'s answer; `None` if that is no complete list.
pub fn read_json(stdout: &str) -> Option<Vec<ListedTest>> {
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
                ..ListedTest::named(line.name, Harness::Libtest)
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
pub fn read_terse(stdout: &str) -> Vec<ListedTest> {
    let entry = |line: &str| {
        let (path, kind) = line.rsplit_once(": ")?;
        let benchmark = match kind {
            "test" => false,
            "benchmark" => true,
            _ => return None,
        };
        Some(ListedTest {
            benchmark,
            ..ListedTest::named(path, Harness::Libtest)
        })
    };
    stdout.lines().filter_map(entry).collect()
}

/// Marks as `should_panic` whatever is missing from the list without such tests.
pub fn mark_should_panic(tests: &mut [ListedTest], without: &[ListedTest]) {
    let without: HashSet<&str> = without.iter().map(|t| t.path.as_str()).collect();
    for test in tests {
        // which text is expected libtest does not tell
        test.should_panic = (!without.contains(test.path.as_str())).then(String::new);
    }
}

/// Marks as ignored whatever is in the list of ignored tests.
pub fn mark_ignored(tests: &mut [ListedTest], ignored: &[ListedTest]) {
    let ignored: HashSet<&str> = ignored.iter().map(|t| t.path.as_str()).collect();
    for test in tests {
        if ignored.contains(test.path.as_str()) {
            test.ignored.get_or_insert_default();
        }
    }
}

/// Why a `should_panic` test is skipped.
pub const SHOULD_PANIC: &str =
    "should_panic: libtest does not run such tests on wasm, where a panic aborts";

/// How a test ended.
pub fn outcome(evidence: &Evidence<'_>, format: Format) -> Outcome {
    if let Some(outcome) = evidence.common_outcome() {
        return outcome;
    }
    let counts = evidence.stdout.counts;
    let failed_by_itself = matches!(
        counts,
        Some(Counts {
            passed: 0,
            failed: 1,
            ..
        })
    );
    match (evidence.ending, counts) {
        (Ending::Returned, Some(c)) => returned(c),
        (Ending::Returned, None) => Outcome::Errored(
            Cause::new("the binary returned, but libtest reported no result")
                .hint("does the test close or replace stdout?"),
        ),
        // libtest leaves by exit(101); std passes no number on to a component's exit
        (Ending::Exited(101), _) | (Ending::ReturnedFailure, _) if failed_by_itself => {
            returned_err(evidence)
        }
        (Ending::Exited(1), _) if failed_by_itself && format == Format::Component => {
            returned_err(evidence)
        }
        // the SDK's way out where it is libtest that runs its test; never a pass
        (Ending::Exited(0), _)
            if format == Format::Component && evidence.stderr.skipped.is_some() =>
        {
            Outcome::Skipped {
                reason: evidence.stderr.skipped.clone().unwrap_or_default(),
            }
        }
        (Ending::Exited(0), _) => Outcome::Failed(
            Cause::new("left by exit(0) before it came back: that is no pass")
                .hint("a test passes by returning; what comes after exit(0) was never run"),
        ),
        (Ending::Exited(_), _) if format == Format::Component => Outcome::Failed(Cause::new(
            "exited with failure (std tells a component's host no number)",
        )),
        (Ending::Exited(status), _) => {
            Outcome::Failed(Cause::new(format!("exited with status {status}")))
        }
        (ending, _) => Outcome::Errored(Cause::new(format!("ended unexpectedly: {ending:?}"))),
    }
}

fn returned(counts: Counts) -> Outcome {
    match counts {
        Counts {
            passed: 1,
            failed: 0,
            ignored: 0,
            measured: 0,
        }
        | Counts {
            passed: 0,
            failed: 0,
            ignored: 0,
            measured: 1,
        } => Outcome::Passed,
        Counts {
            passed: 0,
            failed: 0,
            ignored: 1,
            ..
        } => Outcome::Skipped {
            reason: "libtest ignored it".to_owned(),
        },
        Counts {
            passed: 0,
            failed: 0,
            ..
        } => Outcome::Errored(Cause::new(
            "libtest found no test of this name: nothing was run",
        )),
        Counts {
            passed,
            failed,
            ignored,
            ..
        } => Outcome::Errored(Cause::new(format!(
            "libtest was asked for one test and reported {passed} passed, {failed} failed, {ignored} ignored"
        ))),
    }
}

fn returned_err(evidence: &Evidence<'_>) -> Outcome {
    let error = evidence.returned_error();
    Outcome::Failed(error.unwrap_or_else(|| Cause::new("failed without a message")))
}

/// Takes libtest's own lines out of what a test wrote to stdout.
pub fn without_frame(stdout: &mut Captured, path: &str) {
    if stdout.dropped == 0 {
        stdout.head.append(&mut stdout.tail);
    }
    if let Some(length) = frame_start(&stdout.head, path) {
        stdout.head.drain(..length);
    }
    let end = format!("FAILED\n\nfailures:\n\nfailures:\n    {path}\n\ntest result: FAILED. ");
    let last = match stdout.dropped {
        0 => &mut stdout.head,
        _ => &mut stdout.tail,
    };
    if let Some(at) = memmem::rfind(last, end.as_bytes()) {
        last.truncate(at);
    }
}

/// How long is what libtest prints before a test.
fn frame_start(head: &[u8], path: &str) -> Option<usize> {
    let rest = head.strip_prefix(format!("\nrunning 1 test\ntest {path}").as_bytes())?;
    let rest = rest.strip_prefix(b" - should panic").unwrap_or(rest);
    // names of benchmarks are filled up to the longest
    let rest = rest.trim_ascii_start().strip_prefix(b"... ")?;
    Some(head.len() - rest.len())
}

/// Takes out what libtest prints after a test that passed; what it says of a
/// benchmark stays.
pub fn without_pass(stdout: &mut Captured) {
    let last = match stdout.dropped {
        0 => &mut stdout.head,
        _ => &mut stdout.tail,
    };
    if let Some(at) = memmem::rfind(last, b"\n\ntest result: ok. ") {
        last.truncate(at);
        if last.ends_with(b"ok") {
            last.truncate(at - 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::denials::Denials;
    use crate::harness::scan::Scan;
    use crate::harness::termination::{Backtrace, Trap};
    use crate::instrument::gaps::Gaps;
    use std::time::Duration;

    const OK: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s\n";
    const FAILED: &str =
        "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out\n";

    fn judge(ending: Ending, stdout: &str, stderr: &str, format: Format) -> Outcome {
        let scan = |text: &str| {
            let mut scan = Scan::default();
            scan.write(text.as_bytes());
            scan.finish();
            scan
        };
        outcome(
            &Evidence {
                ending: &ending,
                stdout: &scan(stdout),
                stderr: &scan(stderr),
                backtrace: &Backtrace::default(),
                gaps: &Gaps::left(""),
                denied: &Denials::default(),
                timeout: Duration::from_secs(60),
                limit_of: None,
                wasm_stack: 8 << 20,
            },
            format,
        )
    }

    #[test]
    fn only_a_return_with_one_test_counted_is_a_pass() {
        use Ending::{Exited, Returned};
        let core = |ending, out| judge(ending, out, "", Format::Core);
        assert_eq!(core(Returned, OK), Outcome::Passed);
        let none = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out\n";
        assert_eq!(core(Returned, none).name(), "errored");
        let two = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out\n";
        assert_eq!(core(Returned, two).name(), "errored");
        let ignored =
            "test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(core(Returned, ignored).name(), "skipped");
        assert_eq!(core(Returned, "ok\n").name(), "errored");
        // a genuine pass byte for byte, and then exit(0)
        assert_eq!(core(Exited(0), OK).name(), "failed");
        assert_eq!(core(Exited(101), FAILED).name(), "failed");
        assert_eq!(core(Exited(255), OK).name(), "failed");
        assert_eq!(judge(Exited(0), OK, "", Format::Component).name(), "failed");
    }

    #[test]
    fn an_err_is_told_with_its_text_in_both_formats() {
        let err = |status, format| {
            let outcome = judge(Ending::Exited(status), FAILED, "Error: \"nope\"\n", format);
            outcome.cause().expect("it failed").message.clone()
        };
        assert_eq!(err(101, Format::Core), "returned an error\nError: \"nope\"");
        assert_eq!(
            err(1, Format::Component),
            "returned an error\nError: \"nope\""
        );
        assert_eq!(err(3, Format::Core), "exited with status 3");
    }

    #[test]
    fn a_trap_is_judged_by_what_std_said_last() {
        let trap =
            |stderr: &str| judge(Ending::Trapped(Trap::Unreachable), "", stderr, Format::Core);
        assert_eq!(
            trap("thread 'main' panicked at a.rs:1:2:\nno\n").name(),
            "failed"
        );
        assert_eq!(
            trap("memory allocation of 5 bytes failed\n").name(),
            "out-of-memory"
        );
        assert_eq!(trap("").name(), "errored");
    }

    #[test]
    fn what_libtest_prints_around_a_test_is_not_the_tests() {
        let text = |head: &str, tail: &str, dropped| {
            let mut captured = Captured {
                head: head.into(),
                tail: tail.into(),
                dropped,
            };
            without_frame(&mut captured, "a::b");
            (
                String::from_utf8(captured.head).expect("UTF-8"),
                String::from_utf8(captured.tail).expect("UTF-8"),
            )
        };
        let end = "FAILED\n\nfailures:\n\nfailures:\n    a::b\n\ntest result: FAILED. 0 passed;";
        let start = "\nrunning 1 test\ntest a::b ... ";
        assert_eq!(text(&format!("{start}hello\n{end}"), "", 0).0, "hello\n");
        assert_eq!(
            text(&format!("{start}hel"), &format!("lo\n{end}"), 0).0,
            "hello\n"
        );
        let cut = text(&format!("{start}head"), &format!("tail\n{end}"), 9);
        assert_eq!(cut, ("head".to_owned(), "tail\n".to_owned()));
        assert_eq!(text("running", "", 0).0, "running");
        assert_eq!(text("\nrunning 1 test\ntest a::b    ... x", "", 0).0, "x");
    }

    #[test]
    fn what_libtest_prints_after_a_pass_is_not_the_tests() {
        let text = |text: &str| {
            let mut captured = Captured {
                head: text.into(),
                ..Captured::default()
            };
            without_pass(&mut captured);
            captured.text()
        };
        let end = "\n\ntest result: ok. 1 passed;";
        assert_eq!(text(&format!("I am ok{end}")), "I am ");
        assert_eq!(text(&format!("ok\n{end} ok{end}")), format!("ok\n{end} "));
        let bench = "bench:           6.01 ns/iter (+/- 0.43)";
        assert_eq!(text(&format!("{bench}{end}")), bench);
        assert_eq!(text("unfinished"), "unfinished");
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
