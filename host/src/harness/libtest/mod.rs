//! libtest: the harness in every Rust test binary.
//!
//! Says with which arguments such a binary is listed and called, reads its
//! lists, and judges one test. A pass is a test that ran and came back: the
//! entry returned by itself *and* libtest counted exactly one test as passed.
//! Output alone proves nothing, since a test can print a genuine pass byte for
//! byte and leave by `exit(0)`; nor does a status, since a name that matches
//! nothing and an ignored test end in 0 as well.

mod calibration;
mod frame;
pub(super) mod list;
mod panics;

use super::evidence::Evidence;
use super::listing::{Answer, ListError, Question};
use super::scan::Counts;
use super::termination::Termination;
use super::{Case, Facts, Harness, Invocation};
use crate::event::{Captured, Cause, Format, HarnessName, Outcome};
use crate::protocol::{Benchmarks, Expect, ListedTest};
use std::borrow::Cow;

/// Its name.
pub const NAME: HarnessName = HarnessName::new("libtest");

/// What every libtest binary holds in its data, whatever built it: two
/// environment variables that libtest reads at its start.
const MARKS: [&str; 2] = ["RUST_TEST_THREADS", "RUST_TEST_NOCAPTURE"];

/// A Rust test binary, as `cargo test` makes it.
pub struct Libtest;

impl Harness for Libtest {
    fn name(&self) -> HarnessName {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &MARKS
    }

    fn recognises(&self, facts: &Facts) -> bool {
        facts.starts && facts.hold(&MARKS)
    }

    fn is_named_by_cargo(&self) -> bool {
        true
    }

    fn list(
        &self,
        ask: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<Vec<ListedTest>, ListError> {
        list::list(ask)
    }

    fn calibrate(
        &self,
        tests: &mut [ListedTest],
        original: &[u8],
        ask: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<(), String> {
        calibration::calibrate(tests, original, ask)
    }

    fn invoke<'a>(&self, case: &Case<'a>) -> Invocation<'a> {
        Invocation {
            direct: calibration::read(case.data),
            args: run_args(case),
            ..Invocation::default()
        }
    }

    fn judge(&self, evidence: &Evidence<'_>, case: &Case<'_>) -> Outcome {
        let direct = calibration::read(case.data);
        let outcome = match (evidence.ending, evidence.gave, &direct) {
            (Termination::Returned, Some(gave), Some(direct)) if direct.ok == gave => {
                Outcome::Passed
            }
            _ => outcome(evidence),
        };
        match (case.expect, direct) {
            (Expect::Panic(text), Some(direct)) => {
                panics::judge(evidence, &direct.panics, text, outcome)
            }
            _ => outcome,
        }
    }

    fn clean(&self, stdout: &mut Captured, path: &str, outcome: Option<&Outcome>) {
        frame::without_frame(stdout, path);
        if outcome == Some(&Outcome::Passed) {
            frame::without_pass(stdout);
        }
    }
}

/// The arguments after `argv[0]` that run one test and no other.
pub(super) fn run_args<'a>(case: &Case<'a>) -> Vec<Cow<'a, str>> {
    let mut flags = vec!["--exact", "--nocapture"];
    if case.ignored {
        flags.push("--include-ignored");
    }
    if case.benchmarks != Benchmarks::Once {
        // without `--test` it would ignore whatever is no benchmark
        flags.extend(["--bench", "--test"]);
    }
    match case.path.starts_with('-') {
        // it would be taken for a flag
        true => flags.extend(["--", case.path]),
        false => flags.insert(0, case.path),
    }
    flags.into_iter().map(Cow::Borrowed).collect()
}

/// Why a `should_panic` test is skipped.
pub const SHOULD_PANIC: &str =
    "should_panic: libtest does not run such tests on wasm, where a panic aborts";

/// How a test ended.
fn outcome(evidence: &Evidence<'_>) -> Outcome {
    let format = evidence.format;
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
        (Termination::Returned, Some(c)) => returned(c),
        (Termination::Returned, None) => Outcome::Errored(
            Cause::new("the binary returned, but libtest reported no result")
                .hint("does the test close or replace stdout?"),
        ),
        // libtest leaves by exit(101); std passes no number on to a component's exit
        (Termination::Exited(101), _) | (Termination::ReturnedFailure, _) if failed_by_itself => {
            returned_err(evidence)
        }
        (Termination::Exited(1), _) if failed_by_itself && format == Format::Component => {
            returned_err(evidence)
        }
        // the SDK's way out where it is libtest that runs its test; never a pass
        (Termination::Exited(0), _)
            if format == Format::Component && evidence.stderr.skipped.is_some() =>
        {
            Outcome::Skipped {
                reason: evidence.stderr.skipped.clone().unwrap_or_default(),
            }
        }
        (Termination::Exited(0), _) => Outcome::Failed(
            Cause::new("left by exit(0) before it came back: that is no pass")
                .hint("a test passes by returning; what comes after exit(0) was never run"),
        ),
        (Termination::Exited(_), _) if format == Format::Component => Outcome::Failed(Cause::new(
            "exited with failure (std tells a component's host no number)",
        )),
        (Termination::Exited(status), _) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::evidence::sample;
    use crate::harness::termination::Trap;

    const OK: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.00s\n";
    const FAILED: &str =
        "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out\n";

    fn judge(ending: Termination, stdout: &str, stderr: &str, format: Format) -> Outcome {
        sample::judge(&Libtest, ending, (stdout, stderr), format)
    }

    #[test]
    fn only_a_return_with_one_test_counted_is_a_pass() {
        use Termination::{Exited, Returned};
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
            let outcome = judge(
                Termination::Exited(status),
                FAILED,
                "Error: \"nope\"\n",
                format,
            );
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
        let trap = |stderr: &str| {
            judge(
                Termination::Trapped(Trap::Unreachable),
                "",
                stderr,
                Format::Core,
            )
        };
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
}
