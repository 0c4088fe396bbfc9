//! What the harnesses have in common when they judge: traps, in words.
//!
//! Takes how a guest's call came back ([`Termination`]), what its streams held
//! ([`Scan`]) and the names on its stack; gives an [`Outcome`]. Pure.

use super::hints::{self, Failure};
use super::limit::{self, LimitHit};
use super::scan::Scan;
use super::termination::{Backtrace, Termination, Trap};
use super::told::ToldPanic;
use crate::event::denials::Denials;
use crate::event::{Captured, Cause, Format, Outcome};
use crate::instrument::direct::LONGEST_PATH;
use crate::instrument::gaps::Gaps;
use crate::protocol::LimitOf;
use std::time::Duration;

/// How many of the innermost places on a stack are known: as many as tell what is a panic.
pub const INNERMOST: usize = LONGEST_PATH;

/// All that a verdict may rest on.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// How the call came back.
    pub ending: &'a Termination,
    /// What the file is.
    pub format: Format,
    /// What the test's export returned, if one was called.
    pub returned: Option<i32>,
    /// The first word of what the test's function gave, if that was called directly.
    pub gave: Option<u32>,
    /// The message of the panic that the SDK recorded in a test.
    pub panicked: Option<&'a str>,
    /// What std told of a panic, where that had to be known.
    pub told: Option<&'a ToldPanic>,
    /// What was kept of stdout and stderr.
    pub wrote: (&'a Captured, &'a Captured),
    /// What was read from stdout.
    pub stdout: &'a Scan,
    /// What was read from stderr.
    pub stderr: &'a Scan,
    /// The guest's stack at its trap.
    pub backtrace: &'a Backtrace,
    /// The innermost places on it, as offsets in the file.
    pub stack: &'a [u64],
    /// What became in its module of what std lacks.
    pub gaps: &'a Gaps,
    /// What was refused to the guest.
    pub denied: &'a Denials,
    /// What it asked for and was refused, since it had reached a limit.
    pub limit_hit: Option<&'a LimitHit>,
    /// The time limit of the test.
    pub timeout: Duration,
    /// Who set that limit, where that is to be said.
    pub limit_of: Option<LimitOf>,
    /// The limit of the WebAssembly stack, in bytes.
    pub wasm_stack: usize,
}

/// Addresses at the very end of the 32-bit space, where an access lands when
/// the shadow stack, which begins at 0 and grows down, has run below 0. A
/// single frame can be some MiB large.
const BELOW_ZERO: u64 = (1 << 32) - (16 << 20);
/// Deeper than any test that does not recurse.
const DEEP: usize = 200;

impl Evidence<'_> {
    /// The outcome of endings that mean the same in every harness; `None` for
    /// those that the harness has to judge (a return, an exit).
    pub fn common_outcome(&self) -> Option<Outcome> {
        match self.ending {
            Termination::Returned | Termination::ReturnedFailure | Termination::Exited(_) => None,
            // whatever its harness, a test may call the SDK's functions
            Termination::Skipped(reason) => Some(Outcome::Skipped {
                reason: reason.clone(),
            }),
            Termination::Trapped(trap) => Some(self.trapped(trap)),
            Termination::Limit(hit) => Some(hit.outcome()),
            Termination::Interrupted => Some(Outcome::Interrupted),
            Termination::DeadlinePassed => Some(Outcome::TimedOut(self.stopped())),
            Termination::Refused(why) => Some(Outcome::Errored(Cause::new(why.clone()))),
        }
    }

    /// An outcome, knowing what was refused to the guest: a trap that follows from it is told as
    /// what it is, and of other failures it is said beside. What passed has coped.
    pub fn knowing_limits(&self, mut outcome: Outcome) -> Outcome {
        let Some(hit) = self.limit_hit else {
            return outcome;
        };
        if matches!(self.ending, Termination::Limit(_)) {
            return outcome;
        }
        let Cause { message, hint, .. } = hit.cause();
        match (&mut outcome, self.ending) {
            _ if !hit.is_memory() => {}
            // which allocation it was is told already
            (Outcome::OutOfMemory(cause), Termination::Trapped(Trap::Unreachable)) => {
                let limit = message.trim_start_matches("out of memory: ");
                let hint = hint.unwrap_or_default();
                cause.hint = Some(format!("{limit}; {hint}"));
                return outcome;
            }
            (Outcome::OutOfMemory(_), _) => return hit.outcome(),
            // an allocation that fails ends in these where nothing is said of it
            (
                Outcome::Errored(cause),
                Termination::Trapped(Trap::Unreachable | Trap::OutOfBounds { .. }),
            ) => {
                let then = std::mem::replace(&mut cause.message, message);
                cause.message.push_str(&format!("\nthen: {then}"));
                cause.hint = hint;
                let cause = std::mem::take(cause);
                return match hit.outcome() {
                    Outcome::OutOfMemory(_) => Outcome::OutOfMemory(cause),
                    _ => Outcome::Errored(cause),
                };
            }
            _ => {}
        }
        if let Outcome::Failed(cause) | Outcome::Errored(cause) = &mut outcome
            && cause.hint.is_none()
        {
            let hint = hint.unwrap_or_default();
            cause.hint = Some(format!("{message}; {hint}"));
        }
        outcome
    }

    fn trapped(&self, trap: &Trap) -> Outcome {
        match trap {
            Trap::Unreachable => self.unreachable(),
            Trap::CallStack => Outcome::Errored(
                Cause::new(format!(
                    "stack overflow: its calls need more than the {} MiB of WebAssembly stack",
                    self.wasm_stack >> 20
                ))
                .hint("an endless recursion? otherwise allow more: --wasm-stack MIB"),
            ),
            Trap::OutOfBounds { address, memory } => self.out_of_bounds(*address, *memory),
            Trap::HeapFull => Outcome::OutOfMemory(Cause::new(
                "out of memory: its heap of garbage-collected values is full",
            )),
            Trap::DivisionByZero => Outcome::Errored(Cause::new("integer division by zero")),
            Trap::StubCalled(name) => Outcome::Errored(
                Cause::new(format!(
                    "it called the import `{name}`, which nobody provides"
                ))
                .hint("--stub-imports let the module run; a test that needs this import cannot"),
            ),
            Trap::Other(what) => Outcome::Errored(Cause::new(what.clone())),
        }
    }

    fn unreachable(&self) -> Outcome {
        if let Some(allocation) = &self.stderr.allocation {
            return Outcome::OutOfMemory(Cause::new(format!("out of memory: {allocation}")));
        }
        if let Some(panic) = &self.stderr.panic {
            let cause = Cause::new(format!("panicked at {}\n{}", panic.location, panic.message));
            return Outcome::Failed(self.hinted(cause, Some(&panic.location), &panic.message));
        }
        let names = &self.backtrace.functions;
        let aborted = names
            .iter()
            .take(6)
            .any(|f| f.is_runtimes("std::process::abort") || f.name == "abort");
        Outcome::Errored(Cause::new(if aborted {
            "aborted"
        } else if names.is_empty() {
            "aborted without a message (the file has no names: an abort and an `unreachable` look alike)"
        } else {
            "reached an `unreachable` instruction"
        }))
    }

    /// A panic, or an error that came back, with what is to be said of it.
    fn hinted(&self, cause: Cause, location: Option<&str>, message: &str) -> Cause {
        let hint = hints::hint(&Failure {
            location,
            message,
            functions: &self.backtrace.functions,
            asked: &self.backtrace.asked,
            // what was refused is named anyway, with what would allow it
            alone: self.denied.is_empty(),
        });
        let why_not = match hint.map(|h| h.name) {
            Some(hints::TEMP_DIR) => self.gaps.temp_dir.why_not(),
            Some(hints::PROCESS_ID) => self.gaps.process_id.why_not(),
            _ => None,
        };
        match hint {
            Some(hint) => cause.hint(hint.told(why_not)),
            None => cause,
        }
    }

    /// What is said of a test that came back with an error.
    pub fn returned_error(&self) -> Option<Cause> {
        let error = self.stderr.error.as_deref()?;
        let cause = Cause::new(format!("returned an error\nError: {error}"));
        Some(self.hinted(cause, None, error))
    }

    /// What is said of a test that ran for too long.
    fn stopped(&self) -> Cause {
        let cause = limit::passed(self.timeout, self.limit_of);
        if let Some(waits) = hints::at_limit(&self.backtrace.functions) {
            return cause.hint(waits.advice);
        }
        if !self.backtrace.unoptimised {
            return cause;
        }
        const SLOW: &str = "it was stopped in code that is not optimised, which is slow: --release, or opt-level = 1 for its profile";
        let hint = match &cause.hint {
            Some(hint) => format!("{hint}; {SLOW}"),
            None => SLOW.to_owned(),
        };
        cause.hint(hint)
    }

    fn out_of_bounds(&self, address: Option<u64>, memory: Option<u64>) -> Outcome {
        let deep = self.backtrace.depth > DEEP;
        let below_zero =
            address.is_some_and(|a| a >= BELOW_ZERO) && memory.is_none_or(|m| m < BELOW_ZERO);
        let cause = match (below_zero, deep) {
            (true, true) => Cause::new("stack overflow in the guest: its own stack is used up"),
            (true, false) => Cause::new(
                "access just below address 0: its own stack overflowed, or a pointer went below zero",
            ),
            (false, _) => Cause::new(match (address, memory) {
                (Some(a), Some(m)) => {
                    format!(
                        "memory access out of bounds: address {a:#x} in a memory of {m:#x} bytes"
                    )
                }
                _ => "memory access out of bounds".to_owned(),
            }),
        };
        Outcome::Errored(if below_zero {
            cause.hint("that stack is 1 MiB unless its linker is told otherwise: RUSTFLAGS=\"-C link-arg=-zstack-size=8388608\"")
        } else {
            cause
        })
    }
}

/// Evidence for the tests of harnesses.
#[cfg(test)]
pub(super) mod sample {
    use super::*;
    use crate::harness::{Case, Harness};

    /// How a harness judges a test that ended so and wrote this to stdout and to stderr.
    pub fn judge(
        harness: &dyn Harness,
        ending: Termination,
        wrote: (&str, &str),
        format: Format,
    ) -> Outcome {
        judge_case(harness, ending, wrote, format, &Case::plain())
    }

    /// The same of a certain test.
    pub fn judge_case(
        harness: &dyn Harness,
        ending: Termination,
        (stdout, stderr): (&str, &str),
        format: Format,
        case: &Case<'_>,
    ) -> Outcome {
        let kept = |text: &str| Captured {
            head: text.into(),
            ..Captured::default()
        };
        judge_kept(
            harness,
            ending,
            (&kept(stdout), &kept(stderr)),
            format,
            case,
        )
    }

    /// The same where this was kept of what it wrote.
    pub fn judge_kept(
        harness: &dyn Harness,
        ending: Termination,
        (stdout, stderr): (&Captured, &Captured),
        format: Format,
        case: &Case<'_>,
    ) -> Outcome {
        let scan = |kept: &Captured| {
            let mut scan = Scan::default();
            scan.write(&kept.head);
            scan.finish();
            scan
        };
        let evidence = Evidence {
            ending: &ending,
            format,
            returned: None,
            gave: None,
            stack: &[],
            panicked: None,
            told: None,
            wrote: (stdout, stderr),
            stdout: &scan(stdout),
            stderr: &scan(stderr),
            backtrace: &Backtrace::default(),
            gaps: &Gaps::left(""),
            denied: &Denials::default(),
            timeout: Duration::from_secs(60),
            limit_hit: None,
            limit_of: None,
            wasm_stack: 8 << 20,
        };
        harness.judge(&evidence, case)
    }
}
