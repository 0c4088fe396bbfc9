//! The custom harness: a test target with `harness = false` that follows libtest's command line.
//!
//! criterion, libtest-mimic and datatest-stable are such; a program of one's own
//! may be. Nothing in the file tells, so it is asked for its list once; it may make
//! that of files (datatest-stable does), so it reads what its tests read, and writes
//! nothing. Whatever does not answer as libtest would is a command. How its
//! tests leave is not laid down (libtest-mimic exits, criterion returns), so a
//! status of 0 is a pass, unless libtest's own lines say that nothing was run.

use super::evidence::Evidence;
use super::scan::Counts;
use super::termination::Ending;
use crate::event::{Cause, Format, Harness, Outcome};
use crate::protocol::ListedTest;
use std::time::Duration;

/// How long such a program is waited for when it is asked for its list.
pub const LIST_TIMEOUT: Duration = Duration::from_secs(1);
/// How long its answer may be, in bytes.
pub const LIST_MAX: usize = 1 << 20;

/// Reads the answer to `--list --format terse`; `None` if it is not one from its
/// first line to its last.
pub fn read_list(stdout: &str) -> Option<Vec<ListedTest>> {
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
            ..ListedTest::named(path, Harness::Custom)
        })
    };
    stdout.lines().map(entry).collect()
}

/// How one of its tests ended.
pub fn outcome(evidence: &Evidence<'_>, format: Format) -> Outcome {
    if let Some(outcome) = evidence.common_outcome() {
        return outcome;
    }
    match (evidence.ending, evidence.stdout.counts) {
        (Ending::Returned | Ending::Exited(0), Some(counts)) => ended_well(counts),
        (Ending::Returned | Ending::Exited(0), None) if evidence.stdout.began => Outcome::Failed(
            Cause::new("left with status 0 in the middle of a test: that is no pass")
                .hint("its harness began a test and reported no result"),
        ),
        (Ending::Returned | Ending::Exited(0), None) => Outcome::Passed,
        (Ending::Exited(status), _) if format == Format::Core => {
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
    use crate::event::denials::Denials;
    use crate::harness::scan::Scan;
    use crate::harness::termination::Backtrace;
    use crate::instrument::gaps::Gaps;

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
    fn status_0_is_a_pass_unless_nothing_was_run_or_it_left_in_the_middle() {
        let judge = |ending, stdout: &str| {
            let mut scan = Scan::default();
            scan.write(stdout.as_bytes());
            scan.finish();
            let outcome = outcome(
                &Evidence {
                    ending: &ending,
                    stdout: &scan,
                    stderr: &Scan::default(),
                    backtrace: &Backtrace::default(),
                    gaps: &Gaps::left(""),
                    denied: &Denials::default(),
                    timeout: Duration::from_secs(60),
                    limit_of: None,
                    wasm_stack: 8 << 20,
                },
                Format::Core,
            );
            outcome.name()
        };
        let line = |counts: &str| format!("\nrunning 1 test\ntest result: ok. {counts}\n");
        let one = line("1 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out");
        let none = line("0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out");
        let ignored = line("0 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out");
        assert_eq!(judge(Ending::Exited(0), &one), "passed");
        assert_eq!(judge(Ending::Returned, &none), "errored");
        assert_eq!(judge(Ending::Exited(0), &ignored), "skipped");
        assert_eq!(judge(Ending::Returned, "Testing x\nSuccess\n"), "passed");
        assert_eq!(judge(Ending::Exited(0), "running 1 test\n"), "failed");
        assert_eq!(judge(Ending::Exited(101), &one), "failed");
    }
}
