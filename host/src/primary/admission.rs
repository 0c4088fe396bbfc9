//! What a worker may say: every field of every message, before anything is done with it.
//!
//! A worker runs code of guests' and may be theirs by now. So whatever it says is held against
//! what it was asked: numbers name what it was given, texts and lists are as long as an honest
//! worker's can be (`values`), and each thing is said once. One that says anything else is ended,
//! and nothing that it says after that is heard. A message without a rule here does not compile.

mod values;

use super::Run;
use super::workers::{Doing, Job, Worker};
use crate::event::{Cause, Outcome, SetupOutput, SuiteFailure, SuitePart};
use crate::harness::{command, listing};
use crate::plan::PlannedTest;
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    Beside, Done, FromWorker, Keep, LoadError, SetUp, SharedSetupError, SnapshotNumber, Stopped,
    TaskNumber, is_one_value,
};
use crate::sandbox::clock;
use crate::sandbox::live::MAX_VALUE;
use std::time::Duration;
pub(super) use values::Lie;
use values::{Bounds, beside, name, times};

/// Suites and fixtures that fail around one test, or are taken down in one worker.
const MOST_FAILURES: usize = 1000;
/// Lines that one shared fixture logs at once.
const MOST_LOGS: usize = 100_000;

const NOT_GIVEN: Lie = "word of a test that it was not given";
const UNASKED: Lie = "a result that nobody asked for";
const OF_SHARED: Lie = "word of a shared fixture";
const OF_STATE: Lie = "word of a state that nobody asked for";

impl Run<'_> {
    /// Whether a worker may say this now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn admit(&self, worker: &Worker, message: &FromWorker) -> Result<(), Lie> {
        match message {
            FromWorker::Ready | FromWorker::SetupFailed(_) if worker.ready => {
                return Err("word of its start a second time");
            }
            FromWorker::Ready => return Ok(()),
            FromWorker::SetupFailed(why) => return self.bounds().text(why),
            // what waits in it can be taken back before
            FromWorker::Revoked(_) => {}
            _ if !worker.ready => return Err("a message before it was ready"),
            _ => {}
        }
        let keeps = worker.keeping.is_some();
        match message {
            FromWorker::Ready | FromWorker::SetupFailed(_) => Ok(()),
            FromWorker::Listed { module, tests } => {
                if worker.jobs.front() != Some(&Job::List(*module)) {
                    return Err("a listing that nobody asked for");
                }
                match tests {
                    Ok(listing) => {
                        let harness = self.modules[module.0].spec.harness;
                        // what does not answer as its harness would is a command
                        listing::believable(listing, &[harness, command::NAME])
                    }
                    Err(error) => self.bounds().load_error(error),
                }
            }
            // each time there is at least one that was not told of
            FromWorker::Results if worker.told_results < worker.read => Ok(()),
            FromWorker::Results => Err("word of results that are not there"),
            FromWorker::Passed(task, start, duration) => {
                self.admit_done(worker, *task)?;
                let nanos = std::time::Duration::from_nanos;
                times(nanos(*start), nanos(*duration), worker.started.elapsed())
            }
            FromWorker::Done(done) => {
                let test = self.admit_done(worker, done.task)?;
                self.admit_end(worker, test, done)
            }
            FromWorker::Stopped(stopped) => self.admit_stopped(worker, stopped),
            FromWorker::Revoked(tasks) => admit_revoked(worker, tasks),
            FromWorker::UnitDone(unit, failures) => {
                if !matches!(worker.jobs.front(), Some(Job::Teardown(u, _)) if u == unit) {
                    return Err("the end of a suite that nobody asked for");
                }
                if failures.iter().any(|f| f.part != SuitePart::Teardown) {
                    return Err("a setup that failed at the end of a suite");
                }
                self.failures(failures)
            }
            FromWorker::TakingDown(of, _) => {
                if self.interrupted_at.is_none() || worker.told_down >= MOST_FAILURES {
                    return Err("word of a teardown that nobody waits for");
                }
                name(of)
            }
            FromWorker::State(number, _, beside, wrote) => {
                self.admit_new_state(worker, *number)?;
                self.state(worker, beside, wrote)
            }
            FromWorker::Keeping(number, _) => self.admit_new_state(worker, *number),
            FromWorker::Kept(number, _, beside, wrote) => {
                if worker.keeping != Some(*number) {
                    return Err(OF_STATE);
                }
                self.state(worker, beside, wrote)
            }
            FromWorker::NoState(number, why) => {
                if worker.keeping != Some(*number) {
                    self.admit_new_state(worker, *number)?;
                }
                self.bounds().text(why)
            }
            FromWorker::SetUp(..) | FromWorker::TornDown(..) | FromWorker::Logged(..) => {
                Err(OF_SHARED)
            }
        }?;
        let goes_on = matches!(
            message,
            FromWorker::Passed(..) | FromWorker::Done(_) | FromWorker::Listed { .. }
        );
        match keeps && goes_on {
            true => Err("a result while it kept a state"),
            false => Ok(()),
        }
    }

    /// Whether a compiler can have this to say of a module.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn admit_cause(&self, cause: &Cause) -> Result<(), Lie> {
        self.bounds().cause(cause)
    }

    fn bounds(&self) -> Bounds<'_> {
        let kept = self.setup.keep_scratch == Keep::Failed;
        Bounds {
            capture: self.setup.capture,
            scratch: kept.then_some(self.setup.scratch.as_path()),
        }
    }

    /// The end of a test is that of the one that runs.
    fn admit_done(&self, worker: &Worker, task: TaskNumber) -> Result<&PlannedTest, Lie> {
        let runs = worker.jobs.front().and_then(Job::task) == Some(task);
        let test = self.given.get(&task).filter(|_| runs);
        test.ok_or(UNASKED)
    }

    fn admit_end(&self, worker: &Worker, test: &PlannedTest, done: &Done) -> Result<(), Lie> {
        let Done {
            task: _,
            outcome,
            start,
            duration,
            output,
            suites,
            made,
            as_source,
        } = done;
        times(*start, *duration, worker.started.elapsed())?;
        match outcome {
            Ok(outcome) => {
                self.can_end_so(test, outcome)?;
                self.bounds().outcome(outcome)?;
            }
            Err(error @ (LoadError::Artefact(_) | LoadError::Module(_))) => {
                self.bounds().load_error(error)?;
            }
            Err(LoadError::List(..)) => return Err("a list's failure as a test's"),
        }
        self.bounds().output(output, set_up_for(test))?;
        // what is told with a test can be the end of the suite before it, but not its beginning
        let steps = &test.place.around.steps;
        let module = self.modules[test.module.0].spec.name.as_str();
        let is_its = |path: &str| path == module || steps.iter().any(|s| s.path == path);
        let mut setups = suites.iter().filter(|f| f.part == SuitePart::Setup);
        if !setups.all(|f| is_its(&f.path)) {
            return Err("the failure of a suite that is not its test's");
        }
        self.failures(suites)?;
        made.as_deref().map_or(Ok(()), name)?;
        as_source.as_deref().map_or(Ok(()), name)
    }

    /// Whether a worker can have this to say of a test: some ends are the primary's to tell.
    fn can_end_so(&self, test: &PlannedTest, outcome: &Outcome) -> Result<(), Lie> {
        let can = match outcome {
            Outcome::Passed
            | Outcome::Failed(_)
            | Outcome::Errored(_)
            | Outcome::OutOfMemory(_)
            | Outcome::TimedOut(_)
            | Outcome::Skipped { .. } => true,
            Outcome::ExpectedFailure { .. } => test.listed.todo.is_some(),
            Outcome::NotRun { .. } => !test.place.around.is_empty(),
            Outcome::Interrupted => self.interrupted_at.is_some(),
            Outcome::Crashed(_) => false,
        };
        can.then_some(()).ok_or("an end that its test cannot have")
    }

    fn failures(&self, failures: &[SuiteFailure]) -> Result<(), Lie> {
        if failures.len() > MOST_FAILURES {
            return Err("more failures than there are suites");
        }
        failures.iter().try_for_each(|failure| {
            let SuiteFailure {
                of,
                path,
                part: _,
                cause,
                output,
            } = failure;
            name(of)?;
            name(path)?;
            self.bounds().cause(cause)?;
            self.bounds().output(output, MOST_FAILURES)
        })
    }

    fn admit_stopped(&self, worker: &Worker, stopped: &Stopped) -> Result<(), Lie> {
        let Stopped {
            task,
            start,
            duration,
            output,
            frames,
            in_host,
        } = stopped;
        let (most_setups, limit) = match worker.jobs.front() {
            Some(Job::Teardown(unit, _)) if unit == task => {
                (MOST_FAILURES, Duration::from_nanos(1))
            }
            _ => {
                let test = self.admit_done(worker, *task).map_err(|_| NOT_GIVEN)?;
                (set_up_for(test), self.timeout_of(test))
            }
        };
        // at its limit it is given up unasked
        if worker.stop_asked != Some(*task) && *duration < limit {
            return Err("word of a test that it was not to give up");
        }
        times(*start, *duration, worker.started.elapsed())?;
        self.bounds().place(frames, in_host.as_deref())?;
        self.bounds().output(output, most_setups)
    }

    /// A state is that of the test that runs, and is told of once.
    fn admit_new_state(&self, worker: &Worker, number: SnapshotNumber) -> Result<(), Lie> {
        let runs = worker.jobs.front().and_then(Job::task);
        let test = runs.and_then(|task| self.given.get(&task));
        let is_its = test.is_some_and(|test| self.begins_from(test) == Some(number));
        let is_new = worker.doing == Doing::Jobs && !worker.told_of_states.contains(&number);
        (is_its && is_new).then_some(()).ok_or(OF_STATE)
    }

    fn state(&self, worker: &Worker, of: &Beside, wrote: &[SetupOutput]) -> Result<(), Lie> {
        let runs = worker.jobs.front().and_then(Job::task);
        let test = runs.and_then(|task| self.given.get(&task));
        self.bounds().setups(wrote, test.map_or(0, set_up_for))?;
        let lasted = clock::of_the_machine().saturating_sub(self.setup.began);
        beside(of, lasted)
    }

    /// Whether the fixture host may say this, which is at this fixture.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn admit_of_host(
        &self,
        busy: Option<ValueNumber>,
        message: &FromWorker,
    ) -> Result<(), Lie> {
        let host = &self.fixture_host;
        let at = |number: &ValueNumber| busy == Some(*number);
        match message {
            FromWorker::Ready | FromWorker::SetupFailed(_) if host.ready => {
                Err("word of its start a second time")
            }
            FromWorker::Ready => Ok(()),
            FromWorker::SetupFailed(why) => self.bounds().text(why),
            // what an interrupt has it give back
            FromWorker::Revoked(tasks) if tasks.is_empty() && host.gives_back => Ok(()),
            _ if !host.ready => Err("a message before it was ready"),
            FromWorker::Logged(number, logs) if at(number) && !host.logged => {
                if logs.len() > MOST_LOGS {
                    return Err("too many lines of log");
                }
                Ok(())
            }
            FromWorker::TakingDown(of, _)
                if busy.is_some()
                    && self.interrupted_at.is_some()
                    && host.told_down < MOST_FAILURES =>
            {
                name(of)
            }
            FromWorker::SetUp(number, result) if at(number) && host.sets_up => {
                self.admit_set_up(*number, result)
            }
            FromWorker::TornDown(number, failures) if at(number) && !host.sets_up => {
                if failures.iter().any(|f| f.part != SuitePart::Teardown) {
                    return Err("a setup that failed when it was taken down");
                }
                self.failures(failures)
            }
            FromWorker::Revoked(_)
            | FromWorker::Logged(..)
            | FromWorker::TakingDown(..)
            | FromWorker::SetUp(..)
            | FromWorker::TornDown(..)
            | FromWorker::Listed { .. }
            | FromWorker::Passed(..)
            | FromWorker::Results
            | FromWorker::Done(_)
            | FromWorker::UnitDone(..)
            | FromWorker::State(..)
            | FromWorker::Keeping(..)
            | FromWorker::Kept(..)
            | FromWorker::NoState(..) => Err("what nobody asked for"),
            // what it was told to call has had its time
            FromWorker::Stopped(_) if host.is_late(self.settings.timeout) => Ok(()),
            FromWorker::Stopped(_) => Err("what nobody asked for"),
        }
    }

    fn admit_set_up(
        &self,
        number: ValueNumber,
        result: &Result<SetUp, SharedSetupError>,
    ) -> Result<(), Lie> {
        let shared = &self.shared[number.0];
        let steps = &shared.plan.around.steps;
        match result {
            Ok(SetUp { value, wrote }) => {
                if value.is_some() != shared.plan.travels {
                    return Err("a value where there is none, or none where there is one");
                }
                if let Some(value) = value
                    && (value.len() > MAX_VALUE || !is_one_value(value))
                {
                    return Err("a value that is none");
                }
                self.bounds().setups(wrote, steps.len())
            }
            Err(SharedSetupError::Load(LoadError::List(..))) => {
                Err("a list's failure as a fixture's")
            }
            Err(SharedSetupError::Load(error)) => self.bounds().load_error(error),
            Err(SharedSetupError::Failed(failure)) => {
                let module = self.modules[shared.module.0].spec.name.as_str();
                let is_its = failure.path == module || steps.iter().any(|s| s.path == failure.path);
                if failure.part != SuitePart::Setup || !is_its {
                    return Err("the failure of another fixture");
                }
                self.failures(std::slice::from_ref(failure))
            }
            Err(SharedSetupError::Skipped(reason)) => self.bounds().text(reason),
            Err(SharedSetupError::Interrupted) if self.interrupted_at.is_none() => {
                Err("word of an interrupt that there was not")
            }
            Err(SharedSetupError::Interrupted) => Ok(()),
        }
    }
}

/// How much can be set up before a test.
fn set_up_for(test: &PlannedTest) -> usize {
    let around = &test.place.around;
    around.steps.len() + around.before.len()
}

/// What is given back is what the worker has, if it was asked to give something back.
fn admit_revoked(worker: &Worker, tasks: &[TaskNumber]) -> Result<(), Lie> {
    if worker.gives_back == 0 {
        return Err("tasks back that it was to keep");
    }
    let mut has: Vec<TaskNumber> = worker.jobs.iter().filter_map(Job::task).collect();
    has.sort_unstable();
    let mut back = tasks.to_vec();
    back.sort_unstable();
    back.dedup();
    let all = back.len() == tasks.len() && back.iter().all(|t| has.binary_search(t).is_ok());
    all.then_some(()).ok_or("tasks back that it was not given")
}
