//! What stands in an instance: suites that were set up, fixtures whose values are there.
//!
//! Sets up what a test needs and is not there yet, takes down what the next one
//! is no part of, and everything at the end, the innermost first. A trap leaves
//! an instance in the middle of something: whether its teardowns can still run
//! there is asked of the sandbox.

use super::current::Current;
use super::execute::Executor;
use super::fixture_instance::{FixtureInstance, SetupError, TeardownReport};
use super::judge::{JudgedAs, start_trapped};
use crate::event::{
    Cause, FixtureKind, Outcome, SetupKind, SetupOutput, SetupRun, SuiteFailure, SuitePart,
    TestOutput,
};
use crate::harness::termination::Termination;
use crate::protocol::Task;
use crate::protocol::suites::{FixtureStep, StepAction};
use crate::sandbox::call::{Call, GuestAccess, Own};
use crate::sandbox::call_result::CallResult;
use crate::sandbox::deadline::AtInterrupt;
use crate::sandbox::guest::Sandbox;
use crate::sandbox::live::{Guarded, Live};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtest_section::EXPORT_PREFIX;

/// Everything here gives `None` if its task was given up meanwhile: somebody else
/// has answered for it, and this thread is of no use any more.
impl Executor {
    /// An instance in which nothing stands yet.
    pub(super) fn open(
        &mut self,
        task: &Arc<Task>,
        current: &Current,
    ) -> Option<Result<FixtureInstance, SetupError>> {
        let (spec, program) = match self.program(task.module) {
            Ok(found) => found,
            Err(e) => return Some(Err(SetupError::Load(e))),
        };
        let streams = self.streams();
        current.begin(task, &streams);
        self.snapshots.map(task, &program, &self.sandbox);
        let (beginning, held) = self.snapshots.beginning(task);
        let wrote = self.snapshots.wrote_before(task, &beginning);
        let opened = self.sandbox.open(
            &program,
            &Call {
                test_id: &format!("{} {}", spec.name, task.path),
                max_memory: None,
                reach: GuestAccess::Granted(task.module),
                args: &[spec.name.as_str()],
                env: &[],
                fixtures: &task.fixtures,
                timeout: task.timeout,
                streams,
                own: Own::default(),
                tells: None,
            },
            &beginning,
        );
        current.end()?;
        Some(match opened {
            Ok(live) => Ok(FixtureInstance {
                live,
                module: task.module,
                active: task.steps()[..held].to_vec(),
                wrote,
                poisoned: false,
                spent: Duration::ZERO,
                report: TestOutput::default(),
            }),
            Err(called) => {
                let verdict = JudgedAs::hook();
                let outcome = self.judge(task.module, &called, task.limit(), verdict);
                Err(match start_trapped(&called, &outcome) {
                    Some(e) => SetupError::Load(e),
                    None => not_there(outcome, *called, &spec.name, &spec.name),
                })
            }
        })
    }

    /// One call in an instance, and what came of it.
    pub(super) fn call_in(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        path: &str,
        at_interrupt: AtInterrupt,
        verdict: JudgedAs<'_>,
        current: &Current,
    ) -> Option<(CallResult, Outcome)> {
        let export = format!("{EXPORT_PREFIX}{path}");
        self.call_export(instance, task, &export, at_interrupt, verdict, current)
    }

    /// The same by the export's name.
    pub(super) fn call_export(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        export: &str,
        at_interrupt: AtInterrupt,
        verdict: JudgedAs<'_>,
        current: &Current,
    ) -> Option<(CallResult, Outcome)> {
        let how = Guarded {
            timeout: task.timeout,
            at_interrupt,
            // a test's own limit holds for the test alone
            max_memory: task
                .max_memory
                .filter(|_| Some(export) == task.export.as_deref()),
        };
        self.judged(instance, task, verdict, current, |sandbox, live| {
            sandbox.run_in(live, export, how)
        })
    }

    /// Makes a call in an instance, and takes account of it.
    fn judged(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        verdict: JudgedAs<'_>,
        current: &Current,
        call: impl FnOnce(&mut Sandbox, &mut Live) -> CallResult,
    ) -> Option<(CallResult, Outcome)> {
        current.begin(task, instance.live.streams());
        let began = Instant::now();
        let mut called = call(&mut self.sandbox, &mut instance.live);
        instance.spent += began.elapsed();
        let denied = called.output.denied.clone();
        instance.report.take_report(&mut called.output);
        // a failure of what was called is told with it
        called.output.denied = denied;
        current.end()?;
        let outcome = self.judge(instance.module, &called, task.limit(), verdict);
        instance.report.notes.append(&mut self.modules.take_notes());
        instance.poisoned |= called.ending != Termination::Returned && called.entered;
        Some((called, outcome))
    }

    /// Sets up what a test needs and is not there yet, in order.
    pub(super) fn ensure(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        current: &Current,
    ) -> Option<Result<(), SetupError>> {
        for (i, step) in task.steps().iter().enumerate() {
            if instance
                .active
                .iter()
                .any(|active| active.path == step.path)
            {
                continue;
            }
            self.take_state(instance, task, i);
            let pass = JudgedAs::hook();
            let (called, outcome) = match step.action {
                StepAction::Nothing => {
                    instance.active.push(step.clone());
                    continue;
                }
                StepAction::Run => {
                    let at_interrupt = AtInterrupt::Stop;
                    self.call_in(instance, task, &step.path, at_interrupt, pass, current)?
                }
                StepAction::Receive(number) => {
                    let how = Guarded {
                        timeout: task.timeout,
                        at_interrupt: AtInterrupt::Stop,
                        max_memory: None,
                    };
                    let value = self.values.get(&number).cloned().unwrap_or_default();
                    self.judged(instance, task, pass, current, |sandbox, live| {
                        sandbox.give(live, &step.path, &value, how)
                    })?
                }
            };
            if outcome != Outcome::Passed {
                let mut why = not_there(outcome, called, step.of(), &step.path);
                if let (SetupError::Failed(failure), StepAction::Receive(_)) =
                    (&mut why, step.action)
                {
                    failure.cause.hint = Some(
                        "does its type fit the value? that of a host fixture is an object: `port`, `addr`, `folder` and what it printed"
                            .to_owned(),
                    );
                }
                return Some(Err(why));
            }
            let wrote = SetupOutput {
                path: step.path.clone(),
                of: step.of().to_owned(),
                kind: match step.kind() {
                    FixtureKind::Suite => SetupKind::Setup,
                    FixtureKind::Fixture => SetupKind::Fixture,
                },
                run: SetupRun::Here,
                stdout: called.output.stdout,
                stderr: called.output.stderr,
            };
            wrote.keep(&mut instance.wrote);
            instance.active.push(step.clone());
        }
        self.take_state(instance, task, task.steps().len());
        Some(Ok(()))
    }

    /// Takes down the suites that the next test is no part of, and what stands on their values,
    /// the last made first.
    pub(super) fn leave(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        current: &Current,
    ) -> Option<Vec<SuiteFailure>> {
        let mut failures = Vec::new();
        while !instance.poisoned {
            let mut left: HashSet<&str> = HashSet::new();
            let mut last = None;
            for (at, active) in instance.active.iter().enumerate() {
                let is_left =
                    active.suite.is_some() && !task.steps().iter().any(|s| s.path == active.path);
                if is_left || active.needs.iter().any(|need| left.contains(need.as_str())) {
                    left.insert(&active.path);
                    last = Some(at);
                }
            }
            let Some(at) = last else {
                break;
            };
            let step = instance.active.remove(at);
            failures.extend(self.take_down(instance, task, &step, current)?);
        }
        Some(failures)
    }

    /// Takes down what the test that ran had for itself, the last made first.
    pub(super) fn leave_test(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        current: &Current,
    ) -> Option<Vec<SuiteFailure>> {
        let mut failures = Vec::new();
        while let Some(at) = instance
            .active
            .iter()
            .rposition(|active| active.of_one_test)
        {
            if !self.recover(instance) {
                break;
            }
            let step = instance.active.remove(at);
            failures.extend(self.take_down(instance, task, &step, current)?);
        }
        Some(failures)
    }

    fn take_down(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        step: &FixtureStep,
        current: &Current,
    ) -> Option<Vec<SuiteFailure>> {
        let mut failures = Vec::new();
        for export in [&step.teardown, &step.drops].into_iter().flatten() {
            if !self.recover(instance) {
                break;
            }
            let pass = JudgedAs::hook();
            let go_on = AtInterrupt::GoOn;
            current.takes_down(step);
            let (called, outcome) =
                self.call_export(instance, task, export, go_on, pass, current)?;
            current.took_down();
            if !matches!(outcome, Outcome::Passed | Outcome::Skipped { .. }) {
                let part = SuitePart::Teardown;
                failures.push(failure(part, outcome, called, step.of(), &step.path));
            }
        }
        Some(failures)
    }

    /// Takes down everything, the last made first; ends the instance.
    pub(super) fn close(
        &mut self,
        mut instance: FixtureInstance,
        task: &Arc<Task>,
        passed: bool,
        current: &Current,
    ) -> Option<TeardownReport> {
        let mut remains = TeardownReport::default();
        let mut downs = std::mem::take(&mut instance.active);
        downs.retain(|step| step.teardown.is_some() || step.drops.is_some());
        while let Some(step) = downs.pop() {
            if !self.recover(&mut instance) {
                downs.push(step);
                downs.retain(|step| step.teardown.is_some());
                for step in downs.iter().rev() {
                    remains.report.notes.push(format!(
                        "the teardown of `{}` could not run: a trap left the instance in the middle of something",
                        step.of()
                    ));
                }
                break;
            }
            let failed = self.take_down(&mut instance, task, &step, current)?;
            remains.failures.extend(failed);
        }
        remains.report.take_report(&mut instance.report);
        let scratch = self.sandbox.close(instance.live, passed);
        remains.report.scratch = scratch.map(|s| s.display().to_string());
        Some(remains)
    }

    /// Makes an instance fit to be called again after a trap, if that can be done.
    pub(super) fn recover(&mut self, instance: &mut FixtureInstance) -> bool {
        if instance.poisoned && self.sandbox.recover(&mut instance.live) {
            // it stays poisoned for tests: only what cleans up runs in it
            return true;
        }
        !instance.poisoned
    }

    /// Names the test that runs next in an instance that another has run in.
    pub(super) fn set_test(&mut self, instance: &mut FixtureInstance, task: &Task) {
        if let Ok((spec, _)) = self.program(task.module) {
            let id = format!("{} {}", spec.name, task.path);
            instance.live.set_test(&id, 1);
        }
    }
}

fn not_there(outcome: Outcome, called: CallResult, of: &str, path: &str) -> SetupError {
    match outcome {
        Outcome::Skipped { reason } => SetupError::Skipped {
            path: path.to_owned(),
            reason,
        },
        Outcome::Interrupted => SetupError::Interrupted,
        outcome => SetupError::Failed(Box::new(failure(
            SuitePart::Setup,
            outcome,
            called,
            of,
            path,
        ))),
    }
}

fn failure(
    part: SuitePart,
    outcome: Outcome,
    called: CallResult,
    of: &str,
    path: &str,
) -> SuiteFailure {
    SuiteFailure {
        of: of.to_owned(),
        path: path.to_owned(),
        part,
        cause: outcome
            .cause()
            .cloned()
            .unwrap_or_else(|| Cause::new(format!("it ended as {}", outcome.name()))),
        output: called.output,
    }
}
