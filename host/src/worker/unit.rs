//! Tests with fixtures: one in an instance of its own, or a whole suite in one.
//!
//! A unit's tests share an instance, in order. A trap poisons only that: what can
//! be taken down is, the test is reported, and the rest of the unit goes on in a
//! fresh instance that is set up again.

use super::current::Current;
use super::execute::Executor;
use super::fixture_instance::{FixtureInstance, SetupError};
use super::judge::JudgedAs;
use crate::event::denials::Denials;
use crate::event::{
    Cause, Outcome, SetupKind, SetupOutput, SetupRun, SuiteFailure, SuitePart, TestOutput,
};
use crate::protocol::suites::without_crate;
use crate::protocol::{AfterFailure, Done, FromWorker, Task, TaskNumber};
use crate::sandbox::deadline::AtInterrupt;
use std::collections::HashMap;
use std::sync::Arc;

/// What is known of a unit under way.
#[derive(Default)]
struct Unit {
    instance: Option<FixtureInstance>,
    /// Whether a new instance has to be made in place of one that was given up.
    began_again: bool,
    /// Steps that did not go well, and what that means for their tests.
    failed: HashMap<String, Outcome>,
}

impl Executor {
    /// Runs one test with what is around it; `None` if it was given up meanwhile.
    pub(super) fn run_with_fixtures(
        &mut self,
        task: &Arc<Task>,
        current: &Current,
    ) -> Option<Done> {
        let mut unit = Unit::default();
        let mut done = self.run_in_unit(&mut unit, task, current)?;
        // a test by itself has nobody after it
        if let Some(instance) = unit.instance.take() {
            let passed = done.outcome.as_ref().is_ok_and(Outcome::is_good);
            self.close(instance, task, passed, current)?
                .add_to(&mut done);
        }
        Some(done)
    }

    /// Runs a suite's tests in one instance; tells of each as it ends. What it does not run goes
    /// back, with what waits behind it where that goes back too. `None` if one was given up
    /// meanwhile.
    pub fn run_unit(
        &mut self,
        tasks: Vec<Task>,
        after_failure: AfterFailure,
        current: &Current,
        tell: &dyn Fn(FromWorker),
        take_waiting: &dyn Fn() -> Vec<TaskNumber>,
    ) -> Option<()> {
        let tasks: Vec<Arc<Task>> = tasks.into_iter().map(Arc::new).collect();
        let Some(first) = tasks.first().cloned() else {
            return Some(());
        };
        let longest = tasks.iter().max_by_key(|task| task.timeout);
        let longest = longest.unwrap_or(&first);
        // what is taken down at the end belongs to no test: to the unit, named by its first
        let of_unit = Arc::new(Task {
            timeout: longest.timeout,
            limit_of: longest.limit_of,
            ..Task::clone(&first)
        });
        let mut unit = Unit::default();
        let mut left = tasks.into_iter();
        let mut all_passed = true;
        let mut began = false;
        while let Some(task) = left.next() {
            if self.sandbox.guard().is_interrupted() {
                let rest = [task].into_iter().chain(left).map(|t| t.number);
                tell(FromWorker::Revoked(rest.collect()));
                break;
            }
            began = true;
            let done = self.run_in_unit(&mut unit, &task, current)?;
            all_passed &= done.outcome.as_ref().is_ok_and(Outcome::is_good);
            let gives_back = done.gives_back(after_failure);
            tell(done.into_message());
            if gives_back {
                let rest = left.map(|t| t.number).chain(take_waiting());
                tell(FromWorker::Revoked(rest.collect()));
                break;
            }
        }
        let mut failures = Vec::new();
        if let Some(instance) = unit.instance.take() {
            failures = self
                .close(instance, &of_unit, all_passed, current)?
                .failures;
        }
        // one that was given back whole has nothing to be taken down
        if began {
            tell(FromWorker::UnitDone(of_unit.number, failures));
        }
        Some(())
    }

    /// Runs a test in the unit's instance, which is made if there is none; afterwards
    /// there is none if the test left it poisoned.
    fn run_in_unit(
        &mut self,
        unit: &mut Unit,
        task: &Arc<Task>,
        current: &Current,
    ) -> Option<Done> {
        let mut done = Done::new(task.number, Ok(Outcome::Passed));
        let failed = task.steps().iter().find_map(|s| unit.failed.get(&s.path));
        if let Some(outcome) = failed {
            done.outcome = Ok(outcome.clone());
            return Some(done);
        }
        if let Some(mut instance) = unit.instance.take() {
            self.set_test(&mut instance, task);
            done.suites
                .extend(self.leave(&mut instance, task, current)?);
            if instance.is_poisoned() {
                // a teardown left it in the middle of something: no test may begin there
                unit.began_again = true;
                self.close(instance, task, false, current)?
                    .add_to(&mut done);
            } else {
                unit.instance = Some(instance);
            }
        }
        let mut instance = match unit.instance.take() {
            Some(instance) => instance,
            None => match self.open(task, current)? {
                Ok(instance) => instance,
                Err(why) => {
                    self.not_there(unit, task, &mut done, why);
                    return Some(done);
                }
            },
        };
        done.start = crate::worker::current::now();
        match self.ensure(&mut instance, task, current)? {
            Ok(()) => {
                if std::mem::take(&mut unit.began_again) {
                    done.output.notes.push(
                        "its suite was set up again: what ran before left the instance in the middle of something"
                            .to_owned(),
                    );
                }
                self.run_test(&mut instance, task, &mut done, current)?;
            }
            Err(why) => {
                done.output.setups = instance.wrote_for(task);
                self.not_there(unit, task, &mut done, why);
                done.duration = instance.take_spent();
                let mut report = instance.take_report();
                // what was refused to a setup is told with its failure
                report.denied = Denials::default();
                done.output.take_report(&mut report);
            }
        }
        for failure in self.leave_test(&mut instance, task, current)? {
            own_failed(&mut done, failure);
        }
        if instance.is_poisoned() {
            unit.began_again = true;
            self.close(instance, task, false, current)?
                .add_to(&mut done);
        } else {
            unit.instance = Some(instance);
        }
        Some(done)
    }

    /// A test whose suite or fixture is not there is not run.
    fn not_there(&mut self, unit: &mut Unit, task: &Task, done: &mut Done, why: SetupError) {
        let outcome = match why {
            SetupError::Load(e) => {
                done.outcome = Err(e);
                return;
            }
            SetupError::Interrupted => Outcome::Interrupted,
            SetupError::Skipped { path, reason } => {
                let outcome = Outcome::Skipped { reason };
                // what is one test's own is made again for the next
                if !is_own(task, &path) {
                    unit.failed.insert(path, outcome.clone());
                }
                outcome
            }
            SetupError::Failed(failure) if is_own(task, &failure.path) => {
                return own_failed(done, *failure);
            }
            SetupError::Failed(failure) => {
                let outcome = Outcome::NotRun {
                    reason: format!("`{}` could not be set up", failure.of),
                };
                unit.failed.insert(failure.path.clone(), outcome.clone());
                done.suites.push(*failure);
                outcome
            }
        };
        done.outcome = Ok(outcome);
    }

    /// The test itself, with the hooks around it.
    fn run_test(
        &mut self,
        instance: &mut FixtureInstance,
        task: &Arc<Task>,
        done: &mut Done,
        current: &Current,
    ) -> Option<()> {
        let pass = JudgedAs::hook();
        instance.take_spent();
        done.start = crate::worker::current::now();
        let mut outcome = Outcome::Passed;
        let mut wrote = instance.wrote_for(task);
        for path in task.before() {
            let (called, came) =
                self.call_in(instance, task, path, AtInterrupt::Stop, pass, current)?;
            if came != Outcome::Passed {
                outcome = of_hook("before", path, came);
                done.output.set_streams(called.output);
                break;
            }
            let before = SetupOutput {
                path: path.clone(),
                of: without_crate(path).to_owned(),
                kind: SetupKind::Before,
                run: SetupRun::Here,
                stdout: called.output.stdout,
                stderr: called.output.stderr,
            };
            before.keep(&mut wrote);
        }
        current.begins_after(wrote.clone());
        if outcome == Outcome::Passed {
            let export = task.export.as_deref().unwrap_or_default();
            let (verdict, stop) = (JudgedAs::test(task), AtInterrupt::Stop);
            let (called, came) =
                self.call_export(instance, task, export, stop, verdict, current)?;
            done.output.set_streams(called.output);
            outcome = came;
        }
        for path in task.after() {
            if instance.is_poisoned() && !self.recover(instance) {
                done.output.notes.push(format!(
                    "`{}` could not run after it: a trap left the instance in the middle of something",
                    without_crate(path)
                ));
                break;
            }
            let (called, came) =
                self.call_in(instance, task, path, AtInterrupt::GoOn, pass, current)?;
            if came != Outcome::Passed {
                let came = of_hook("after", path, came);
                if outcome.is_good() {
                    outcome = came;
                    done.output.set_streams(called.output);
                } else if let Some(cause) = came.cause() {
                    let first = cause.message.lines().next().unwrap_or_default();
                    done.output.notes.push(first.to_owned());
                }
            }
        }
        // what its fixtures and hooks handed over is told with the first test after them
        done.output.take_report(&mut instance.take_report());
        done.output.setups = wrote;
        done.output = self.kept_of(std::mem::take(&mut done.output), &outcome);
        current.begins_after(Vec::new());
        done.duration = instance.take_spent();
        done.outcome = Ok(outcome);
        Some(())
    }
}

/// Whether a step is there for this test alone.
fn is_own(task: &Task, path: &str) -> bool {
    let mut steps = task.steps().iter();
    steps.any(|s| s.of_one_test && s.path == path)
}

/// A value that a test had for itself could not be made or taken down: that is the test's error,
/// as with hooks around it.
fn own_failed(done: &mut Done, failure: SuiteFailure) {
    let SuiteFailure {
        of, part, cause, ..
    } = failure;
    let what = match part {
        SuitePart::Setup => "which is made for each test",
        SuitePart::Teardown => "which is taken down after each test",
    };
    let message = format!("`{of}`, {what}: {}", cause.message);
    if done.outcome.as_ref().is_ok_and(Outcome::is_good) {
        done.outcome = Ok(Outcome::Errored(Cause { message, ..cause }));
        let TestOutput { denied, .. } = &failure.output;
        done.output.denied = denied.clone();
        done.output.set_streams(failure.output);
    } else {
        let first = message.lines().next().unwrap_or_default();
        done.output.notes.push(first.to_owned());
    }
}

/// What a hook's failure means for the test that it belongs to.
fn of_hook(when: &str, path: &str, outcome: Outcome) -> Outcome {
    let Some(cause) = outcome.cause() else {
        return outcome;
    };
    let name = without_crate(path);
    Outcome::Errored(Cause {
        message: format!("`{name}`, which runs {when} each test: {}", cause.message),
        ..cause.clone()
    })
}
