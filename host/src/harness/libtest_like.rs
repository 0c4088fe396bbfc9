//! Harnesses like libtest: a test target with `harness = false` that follows libtest's command line.
//!
//! criterion, libtest-mimic and datatest-stable are such; a program of one's own
//! may be. Nothing in the file tells, so it is asked for its list once; it may make
//! that of files (datatest-stable does), so it reads what its tests read, and writes
//! nothing. Whatever does not answer as libtest would is a command. How its
//! tests leave is not laid down (libtest-mimic exits, criterion returns), so a
//! status of 0 is a pass, unless libtest's own lines say that nothing was run.

use super::evidence::Evidence;
use super::libtest::list::{ListCall, mark_ignored};
use super::listing::{Answer, ListAccess, ListError, Question};
use super::scan::Counts;
use super::termination::Termination;
use super::{Case, Facts, Harness, Invocation, command, libtest};
use crate::event::{Cause, Format, HarnessName, Outcome};
use crate::protocol::ListedTest;
use std::time::Duration;

/// Its name.
pub const NAME: HarnessName = HarnessName::new("custom");

/// How long such a program is waited for when it is asked for its list.
const LIST_TIMEOUT: Duration = Duration::from_secs(1);
/// How long its answer may be, in bytes.
const LIST_MAX: usize = 1 << 20;

/// A test target's own harness that follows libtest's command line.
pub struct LibtestLike;

impl Harness for LibtestLike {
    fn name(&self) -> HarnessName {
        NAME
    }

    fn recognises(&self, facts: &Facts) -> bool {
        facts.is_program_of(NAME)
    }

    fn list(
        &self,
        ask: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<Vec<ListedTest>, ListError> {
        let mut called = |call: ListCall, access: ListAccess| {
            ask(&Question {
                args: call.args(),
                env: call.env(),
                access,
                at_most: Some(LIST_TIMEOUT),
                longest: LIST_MAX,
                stand_ins: None,
            })
        };
        // silence is no list: a program of one's own that takes no arguments is silent too
        let list = |answer: &Answer| answered(answer).filter(|tests| !tests.is_empty());
        let mut access = ListAccess::Closed;
        let closed = called(ListCall::Terse, access);
        let mut all = list(&closed);
        // it may make its list of files, as datatest-stable does
        if all.is_none() && closed.ending != Termination::DeadlinePassed {
            access = ListAccess::Readable;
            all = list(&called(ListCall::Terse, access));
        }
        let Some(mut tests) = all else {
            return Ok(command::list());
        };
        let ignored = answered(&called(ListCall::TerseIgnored, access)).unwrap_or_default();
        // all of them again: it may well not know the flag, and says so when it runs them
        if ignored.len() < tests.len() {
            mark_ignored(&mut tests, &ignored);
        }
        Ok(tests)
    }

    fn invoke<'a>(&self, case: &Case<'a>) -> Invocation<'a> {
        Invocation {
            args: libtest::run_args(case),
            ..Invocation::default()
        }
    }

    fn judge(&self, evidence: &Evidence<'_>, _: &Case<'_>) -> Outcome {
        outcome(evidence)
    }
}

/// The list that an answer is; `None` if it is none, or not whole.
fn answered(answer: &Answer) -> Option<Vec<ListedTest>> {
    let stdout = &answer.stdout;
    let ended = matches!(
        answer.ending,
        Termination::Returned | Termination::Exited(0)
    );
    let whole = ended && stdout.dropped == 0 && stdout.tail.is_empty();
    let text = std::str::from_utf8(&stdout.head).ok();
    text.filter(|_| whole).and_then(read_list)
}

/// Reads the answer to `--list --format terse`; `None` if it is not one from its
/// first line to its last.
fn read_list(stdout: &str) -> Option<Vec<ListedTest>> {
    let entry = |line: &str| {
        let (path, kind) = line.rsplit_once(": ")?;
        let benchmark = match kind {
            "test" => false,
            // libtest's and criterion's word, and libtest-mimic's
            "benchmark" | "bench" => true,
            _ => return None,
        };
        Some(ListedTest {
            benchmark,
            ..ListedTest::named(path, NAME)
        })
    };
    stdout.lines().map(entry).collect()
}

fn outcome(evidence: &Evidence<'_>) -> Outcome {
    if let Some(outcome) = evidence.common_outcome() {
        return outcome;
    }
    match (evidence.ending, evidence.stdout.counts) {
        (Termination::Returned | Termination::Exited(0), Some(counts)) => ended_well(counts),
        (Termination::Returned | Termination::Exited(0), None) if evidence.stdout.began => {
            Outcome::Failed(
                Cause::new("left with status 0 in the middle of a test: that is no pass")
                    .hint("its harness began a test and reported no result"),
            )
        }
        (Termination::Returned | Termination::Exited(0), None) => Outcome::Passed,
        (Termination::Exited(status), _) if evidence.format == Format::Core => {
            Outcome::Failed(exited(&format!("status {status}"), evidence))
        }
        _ => Outcome::Failed(exited("failure", evidence)),
    }
}

/// The exit, and what libtest-mimic tells of its reason.
fn exited(how: &str, evidence: &Evidence<'_>) -> Cause {
    let told = evidence.stdout.told.as_deref().unwrap_or_default().trim();
    Cause::new(match told {
        "" => format!("exited with {how}"),
        told => format!("exited with {how}\n{told}"),
    })
}

fn ended_well(counts: Counts) -> Outcome {
    match counts {
        Counts { failed: 1.., .. } => Outcome::Failed(Cause::new(
            "its harness reported a failed test, and left with status 0",
        )),
        Counts {
            passed: 0,
            measured: 0,
            ignored: 1..,
            ..
        } => Outcome::Skipped {
            reason: "its harness ignored it".to_owned(),
        },
        Counts {
            passed: 0,
            measured: 0,
            ..
        } => Outcome::Errored(Cause::new(
            "its harness found no test of this name: nothing was run",
        )),
        _ => Outcome::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Captured;
    use crate::harness::evidence::sample;

    #[test]
    fn an_answer_is_a_list_from_its_first_line_to_its_last() {
        let tests = read_list("a b: test\nc: benchmark\nd: bench\n").expect("a list");
        assert_eq!(tests.len(), 3);
        assert!(tests[1].benchmark && tests[2].benchmark && tests[0].path == "a b");
        assert_eq!(read_list(""), Some(Vec::new()));
        for no in ["hello\n", "a: test\n\n", "a: test\nok\n", "a: suite\n"] {
            assert_eq!(read_list(no), None, "{no:?}");
        }
    }

    #[test]
    fn one_that_is_silent_may_read_files_and_is_a_command_if_it_stays_so() {
        let ask = |answers_with: Option<ListAccess>| {
            let mut asked = Vec::new();
            let tests = LibtestLike.list(&mut |question| {
                asked.push(question.access);
                let answers = answers_with == Some(question.access);
                let ignored = question.args.contains(&"--ignored");
                Answer {
                    ending: Termination::Exited(0),
                    stdout: Captured {
                        head: match (answers, ignored) {
                            (false, _) => Vec::new(),
                            (true, false) => b"a: test\nb: test\n".to_vec(),
                            (true, true) => b"b: test\n".to_vec(),
                        },
                        ..Captured::default()
                    },
                    stderr: Captured::default(),
                    called: Vec::new(),
                    stack: Vec::new(),
                    told_at: Vec::new(),
                    died: None,
                }
            });
            (tests.expect("it always is something"), asked)
        };
        use ListAccess::{Closed, Readable};
        let (tests, asked) = ask(Some(Closed));
        assert_eq!((tests.len(), asked.as_slice()), (2, &[Closed, Closed][..]));
        assert!(tests[0].ignored.is_none() && tests[1].ignored.is_some());
        let (tests, asked) = ask(Some(Readable));
        let both = [Closed, Readable, Readable];
        assert_eq!((tests.len(), asked.as_slice()), (2, &both[..]));
        let (tests, asked) = ask(None);
        assert_eq!(tests, command::list());
        assert_eq!(asked, [Closed, Readable]);
    }

    #[test]
    fn status_0_is_a_pass_unless_nothing_was_run_or_it_left_in_the_middle() {
        let judge = |ending, stdout: &str| {
            let outcome = sample::judge(&LibtestLike, ending, (stdout, ""), Format::Core);
            outcome.name()
        };
        let line = |counts: &str| format!("\nrunning 1 test\ntest result: ok. {counts}\n");
        let one = line("1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out");
        let none = line("0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out");
        let ignored = line("0 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out");
        assert_eq!(judge(Termination::Exited(0), &one), "passed");
        assert_eq!(judge(Termination::Returned, &none), "errored");
        assert_eq!(judge(Termination::Exited(0), &ignored), "skipped");
        assert_eq!(
            judge(Termination::Returned, "Testing x\nSuccess\n"),
            "passed"
        );
        assert_eq!(judge(Termination::Exited(0), "running 1 test\n"), "failed");
        assert_eq!(judge(Termination::Exited(101), &one), "failed");
    }
}
