//! What the harnesses have in common when they judge: traps, in words.
//!
//! Takes how a guest's call came back ([`Ending`]), what its streams held
//! ([`Scan`]) and the names on its stack; gives an [`Outcome`]. Pure.

use super::scan::{Panic, Scan};
use crate::denied::Denials;
use crate::ending::{Backtrace, Ending, Trap};
use crate::event::{Cause, Outcome};
use crate::instrument::gaps::Gaps;
use std::time::Duration;

/// All that a verdict may rest on.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// How the call came back.
    pub ending: &'a Ending,
    /// What was read from stdout.
    pub stdout: &'a Scan,
    /// What was read from stderr.
    pub stderr: &'a Scan,
    /// The guest's stack at its trap.
    pub backtrace: &'a Backtrace,
    /// What became in its module of what std lacks.
    pub gaps: &'a Gaps,
    /// What was refused to the guest.
    pub denied: &'a Denials,
    /// The time limit of the test.
    pub timeout: Duration,
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
            Ending::Returned | Ending::ReturnedFailure | Ending::Exited(_) => None,
            // whatever its harness, a test may call the SDK's functions
            Ending::Skipped(reason) => Some(Outcome::Skipped {
                reason: reason.clone(),
            }),
            Ending::Trapped(trap) => Some(self.trapped(trap)),
            Ending::Interrupted => Some(Outcome::Interrupted),
            Ending::DeadlinePassed => Some(Outcome::TimedOut(stopped_at_limit(self.timeout))),
            Ending::Refused(why) => Some(Outcome::Errored(Cause::new(why.clone()))),
        }
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
            let hint = self.gap_hint(panic);
            let hint = hint.or_else(|| self.panic_hint(panic).map(str::to_owned));
            return Outcome::Failed(match hint {
                Some(hint) => cause.hint(hint),
                None => cause,
            });
        }
        let names = &self.backtrace.functions;
        let aborted = names
            .iter()
            .take(6)
            .any(|n| matches!(n.as_str(), "abort" | "std::process::abort"));
        Outcome::Errored(Cause::new(if aborted {
            "aborted"
        } else if names.is_empty() {
            "aborted without a message (the file has no names: an abort and an `unreachable` look alike)"
        } else {
            "reached an `unreachable` instruction"
        }))
    }

    /// What std lacks on WASI and could not be made to do, where that was it.
    fn gap_hint(&self, panic: &Panic) -> Option<String> {
        // std's own words count only where std says them
        if !panic.location.contains("library/std/src/") {
            return None;
        }
        let is = |function: &str, words: &[&str]| {
            let mut called = self.backtrace.functions.iter();
            called.any(|name| name == function) || words.contains(&panic.message.as_str())
        };
        if is("std::env::temp_dir", &["no filesystem on wasm"])
            || panic.location.contains("library/std/src/sys/paths/")
        {
            return Some(match self.gaps.temp_dir.why_not() {
                Some(why) => format!(
                    "std::env::temp_dir() panics on WASI, and was not made to work here: {why}; std::env::var(\"TMPDIR\") names the private folder of a test: /tmp"
                ),
                None => "std::env::temp_dir() is what TMPDIR says, and that is not set here: --env TMPDIR=/tmp".to_owned(),
            });
        }
        if is("std::process::id", &["no pids on this platform"]) {
            let why = self.gaps.process_id.why_not()?;
            return Some(format!(
                "WASI has no processes, and std::process::id() was not made to give a number here: {why}"
            ));
        }
        None
    }

    /// What wasm lacks, where the message shows that this was it.
    fn panic_hint(&self, panic: &Panic) -> Option<&'static str> {
        let message = panic.message.as_str();
        let caught = |name: &str| {
            self.backtrace
                .functions
                .iter()
                // harnesses catch panics themselves: only what lies inside the test counts
                .take_while(|f| !f.starts_with("test::") && !f.starts_with("libtest_mimic::"))
                .any(|f| f.starts_with(name))
        };
        // what was refused is named anyway, with what would allow it
        let unnamed = self.denied.is_empty();
        if message.contains("failed to spawn thread")
            || (message.contains("Unsupported") && caught("std::thread::"))
        {
            Some(
                "WASI has no threads: run this test elsewhere, #[cfg_attr(target_family = \"wasm\", ignore = \"needs threads\")]",
            )
        } else if unnamed && message.contains("pre-opened file descriptor") {
            Some(
                "the sandbox grants no such folder; --dir FOLDER allows reading it, --dir FOLDER::rw writing",
            )
        } else if unnamed && message.contains("code: 44, kind: NotFound") {
            Some(
                "was it outside of what is granted? --dir FOLDER lets tests read it, --dir FOLDER:rw write too",
            )
        } else if unnamed && message.contains("code: 63, kind: PermissionDenied") {
            Some(
                "what it wanted to change there it may only read: --dir FOLDER:rw lets tests write, in cargo also --rw FOLDER",
            )
        } else if message.contains("capacity overflow") {
            Some("a size beyond what 32 bits can address")
        } else if message.contains("kind: Unsupported")
            || (unnamed && message.contains("PermissionDenied"))
        {
            Some(
                "the sandbox has no sockets, processes or threads, and folders only where they were granted",
            )
        } else if (caught("std::panic::catch_unwind") || caught("std::panicking::catch_unwind"))
            // the SDK's own, which is in every plain `#[test]` of its
            && !caught("wasmtest::elsewhere::run")
        {
            Some("panics abort on this target, so catch_unwind catches nothing")
        } else {
            None
        }
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

/// What is said of a test that ran for too long.
pub fn stopped_at_limit(limit: Duration) -> Cause {
    Cause::new(format!("stopped at its limit of {}s", limit.as_secs_f64()))
}
