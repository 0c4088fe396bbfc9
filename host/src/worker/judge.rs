//! Judging: from how a call came back to an outcome, by the harness whose test it was.
//!
//! Finds the names on the guest's stack where the verdict may rest on them, and puts the frames
//! into the cause. Decides nothing itself, and knows no executor.

use crate::event::{Cause, HarnessName, Outcome};
use crate::harness::evidence::{Evidence, INNERMOST};
use crate::harness::termination::{Backtrace, StackFrame, Termination};
use crate::harness::{self, Case, Harness, hints, sdk};
use crate::protocol::{Benchmarks, LimitOf, LoadError, ModuleSpec, Task};
use crate::sandbox::call_result::CallResult;
use crate::sandbox::symbols::Symbols;
use std::path::Path;
use std::time::Duration;

/// Who judges a call, and as what.
#[derive(Clone, Copy)]
pub(super) struct JudgedAs<'a> {
    harness: &'static dyn Harness,
    case: Case<'a>,
}

impl<'a> JudgedAs<'a> {
    /// As a task's test.
    pub(super) fn test(task: &'a Task) -> Self {
        JudgedAs {
            harness: harness::of(task.harness),
            case: Case::of(task, Benchmarks::Once),
        }
    }

    /// As a call of the SDK's that only has to come back well: of a setup, a hook.
    pub(super) fn hook() -> JudgedAs<'static> {
        JudgedAs::plain(sdk::NAME)
    }

    /// As a call that is no test's, by this harness.
    pub(super) fn plain(harness: HarnessName) -> JudgedAs<'static> {
        JudgedAs {
            harness: harness::of(harness),
            case: Case::plain(),
        }
    }
}

/// What is known of the module that was called in.
pub(super) struct JudgedModule<'a> {
    pub(super) spec: &'a ModuleSpec,
    /// Its names, once they are needed.
    pub(super) symbols: &'a mut Option<Symbols>,
    /// The folder that the run was started in.
    pub(super) current_dir: Option<&'a Path>,
    /// The limit of the WebAssembly stack, in bytes.
    pub(super) wasm_stack: usize,
}

impl JudgedModule<'_> {
    /// How a call ended.
    pub(super) fn judge(
        self,
        called: &CallResult,
        (timeout, limit_of): (Duration, Option<LimitOf>),
        by: JudgedAs<'_>,
    ) -> Outcome {
        let ending = &called.ending;
        let spec = self.spec;
        let stack = match ending {
            Termination::Trapped(_) | Termination::DeadlinePassed => {
                within_test(spec, &called.stack)
            }
            _ => &[],
        };
        let message = called.stderr_scan.message();
        let is_about_a_call = message.is_some_and(hints::is_about_a_call);
        let mut backtrace = Backtrace::default();
        if !stack.is_empty() || is_about_a_call {
            let new = || Symbols::new(spec, self.current_dir);
            let symbols = self.symbols.get_or_insert_with(new);
            backtrace = symbols.backtrace(stack);
            backtrace.unoptimised =
                *ending == Termination::DeadlinePassed && symbols.is_unoptimised(stack);
            if is_about_a_call {
                backtrace.asked = symbols.asked(stack);
            }
        }
        let evidence = Evidence {
            ending,
            format: spec.format,
            returned: called.returned,
            gave: called.gave,
            stack: &innermost(spec, stack),
            panicked: called.panicked.as_deref(),
            told: called.told.0.as_ref(),
            wrote: (&called.output.stdout, &called.output.stderr),
            stdout: &called.stdout_scan,
            stderr: &called.stderr_scan,
            backtrace: &backtrace,
            gaps: &spec.gaps,
            denied: &called.output.denied,
            limit_hit: called.limit_hit.as_ref(),
            timeout,
            limit_of,
            wasm_stack: self.wasm_stack,
        };
        let outcome = by.harness.judge(&evidence, &by.case);
        let mut outcome = evidence.knowing_limits(outcome);
        if let Outcome::Failed(cause)
        | Outcome::Errored(cause)
        | Outcome::OutOfMemory(cause)
        | Outcome::TimedOut(cause)
        | Outcome::ExpectedFailure { cause, .. } = &mut outcome
        {
            cause.frames = backtrace.shown;
            if let Some(no_room) = &called.no_room {
                cause.hint = Some(match cause.hint.take() {
                    None => no_room.clone(),
                    Some(hint) => format!("{no_room}; {hint}"),
                });
            }
            cause.bound();
            if !called.entered && matches!(ending, Termination::Trapped(_)) {
                cause.message = format!(
                    "it died at its start, before its entry was called: {}",
                    cause.message
                );
            }
        }
        outcome
    }
}

/// What is said of a call whose module nobody knows.
pub(super) fn unknown_module() -> Outcome {
    Outcome::Errored(Cause::new("its module is unknown"))
}

/// What a trap in a module's start means: the module cannot be used, by any test.
pub(super) fn start_trapped(called: &CallResult, outcome: &Outcome) -> Option<LoadError> {
    let is_trap = !called.entered && matches!(called.ending, Termination::Trapped(_));
    let cause = outcome.cause().filter(|_| is_trap)?;
    Some(LoadError::Module(cause.clone()))
}

/// A stack without what called the test's function directly, if that was so.
fn within_test<'s>(spec: &ModuleSpec, stack: &'s [StackFrame]) -> &'s [StackFrame] {
    let Some(main) = spec.calls_from() else {
        return stack;
    };
    let is_main = |frame: &StackFrame| {
        let function = |offset| spec.offsets.function(offset, frame.function);
        frame.offset.map(function) == Some(main)
    };
    let called_by = stack.iter().position(is_main);
    called_by.map_or(stack, |outside| &stack[..outside])
}

/// Where a guest was when it trapped, innermost first, as offsets in its file.
pub(super) fn innermost(spec: &ModuleSpec, stack: &[StackFrame]) -> Vec<u64> {
    in_file(spec, &stack[..stack.len().min(INNERMOST)])
}

/// The places on a stack, as offsets in the file, as long as they are known.
pub(super) fn in_file(spec: &ModuleSpec, stack: &[StackFrame]) -> Vec<u64> {
    let places = stack.iter().map_while(|frame| frame.offset);
    places
        .map(|offset| spec.offsets.original(offset) as u64)
        .collect()
}
