//! Runs one task: loads its module if need be, calls the guest, judges what came back.
//!
//! Also the whole of a run with `--processes 0`, where the primary owns one.

use super::current::Current;
use super::fixture_instance::{FixtureInstance, SharedFixture};
use super::judge::{JudgedAs, in_file, innermost, start_trapped};
use super::making;
use super::modules::Modules;
use super::snapshots::Snapshots;
use crate::event::denials::Denials;
use crate::event::{Captured, Cause, Outcome, TestOutput};
use crate::harness::listing::{self, Answer, ListAccess, Question};
use crate::harness::termination::{StackFrame, Termination};
use crate::harness::{self, Case};
use crate::module::cache::Cache;
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    Benchmarks, Done, Expect, FixtureGrant, FromWorker, Holds, LimitOf, Listing, LoadError,
    ModuleNumber, ModuleSpec, Outputs, Place, Task, WorkerSetup,
};
use crate::sandbox::backstop::Backstop;
use crate::sandbox::call::{Call, Entry, GuestAccess, Own};
use crate::sandbox::call_result::CallResult;
use crate::sandbox::capture::Stream;
use crate::sandbox::deadline::Deadline;
use crate::sandbox::guest::Sandbox;
use crate::sandbox::program::Program;
use crate::sandbox::told::Tells;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs tasks, one after the other.
pub struct Executor {
    pub(super) sandbox: Sandbox,
    pub(super) capture: usize,
    /// How much a guest may write to each of its streams, in bytes.
    max_output: Option<u64>,
    pub(super) outputs: Outputs,
    benchmarks: Benchmarks,
    pub(super) modules: Modules,
    /// Values of shared fixtures.
    pub(super) values: HashMap<ValueNumber, Vec<u8>>,
    /// Shared fixtures that stand here.
    pub(super) shared: Vec<SharedFixture>,
    /// States from which tests begin.
    pub(super) snapshots: Snapshots,
    /// Tells the primary what it should know at once.
    pub(super) tell: Box<dyn Fn(&FromWorker)>,
}

impl Executor {
    /// An executor as a worker's set-up asks for it; `tell` tells the primary.
    ///
    /// # Errors
    /// If the sandbox cannot be made.
    pub fn new(
        setup: &WorkerSetup,
        deadline: Deadline,
        tell: Box<dyn Fn(&FromWorker)>,
        place: Place,
    ) -> anyhow::Result<Executor> {
        let cache = || Cache::at(setup.cache.clone());
        Ok(Executor {
            sandbox: Sandbox::new(
                setup,
                deadline,
                match place {
                    Place::OwnProcess => Backstop::of_this_process(&setup.limits),
                    Place::Thread => Backstop::none(),
                },
            )?,
            capture: setup.capture,
            max_output: setup.limits.output,
            outputs: setup.outputs,
            benchmarks: setup.benchmarks,
            modules: Modules::new(cache(), setup.current_dir.clone()),
            values: HashMap::new(),
            shared: Vec::new(),
            snapshots: Snapshots::new(cache(), setup.run.clone(), setup.own.clone()),
            tell,
        })
    }

    /// Makes a module known; a second time, forgets what was loaded of it.
    pub fn add_module(&mut self, spec: Arc<ModuleSpec>) {
        self.sandbox.add_module(spec.number, spec.grants.clone());
        self.modules.add(spec);
    }

    /// Makes known what a host fixture implies for the tests that are bound to it.
    pub fn add_fixture(&mut self, grant: FixtureGrant) {
        self.sandbox.add_fixture(grant);
    }

    /// Lists a module's tests, as its harness asks for them.
    ///
    /// # Errors
    /// If the module cannot be loaded or does not list its tests.
    pub fn list(&mut self, module: ModuleNumber, timeout: Duration) -> Result<Listing, LoadError> {
        let of = self.program(module)?;
        let mut holds = Holds::ForTheModule;
        let mut ask = |question: &Question<'_>| {
            let (answer, its) = self.ask(module, &of, question, timeout);
            if its == Holds::ForTheRun {
                holds = its;
            }
            answer
        };
        let tests = harness::of(of.0.harness).list(&mut ask);
        let tests = match tests.and_then(listing::named_shortly) {
            Ok(tests) => tests,
            Err(e) => return Err(LoadError::List(e.cause, e.stderr)),
        };
        let mut listing = Listing {
            tests,
            plain: None,
            holds,
        };
        self.calibrate(module, &of, &mut listing, timeout);
        Ok(listing)
    }

    /// Puts a harness's question to a program; tells for how long the answer holds.
    pub(super) fn ask(
        &mut self,
        module: ModuleNumber,
        (spec, program): &(Arc<ModuleSpec>, Rc<Program>),
        question: &Question<'_>,
        timeout: Duration,
    ) -> (Answer, Holds) {
        let mut args = vec![spec.name.as_str()];
        args.extend(question.args);
        let call = Call {
            test_id: "",
            max_memory: None,
            reach: match question.access {
                ListAccess::Closed => GuestAccess::Closed,
                ListAccess::Readable => GuestAccess::Readable(module),
            },
            fixtures: &[],
            args: &args,
            env: question.env,
            timeout: question.at_most.map_or(timeout, |most| timeout.min(most)),
            streams: (
                Stream::limited(question.longest, self.max_output),
                Stream::limited(self.capture, self.max_output),
            ),
            own: Own::default(),
            tells: question.stand_ins.is_some().then_some(Tells::Anything),
        };
        let (called, stood_in) = match question.stand_ins {
            Some(stand_ins) => self.sandbox.start_over(program, &call, stand_ins),
            None => (self.sandbox.call(program, Entry::Start, &call), Vec::new()),
        };
        let came_back = matches!(
            called.ending,
            Termination::Returned | Termination::Exited(_)
        );
        let died = (!came_back).then(|| {
            let by = JudgedAs::plain(spec.harness);
            let outcome = self.judge(module, &called, (timeout, None), by);
            outcome.cause().cloned().unwrap_or_default()
        });
        let holds = match called.may_differ() {
            true => Holds::ForTheRun,
            false => Holds::ForTheModule,
        };
        let answer = Answer {
            ending: called.ending,
            stdout: called.output.stdout,
            stderr: called.output.stderr,
            died,
            called: stood_in,
            stack: innermost(spec, &called.stack),
            told_at: in_file(spec, &called.told.1),
        };
        (answer, holds)
    }

    /// Runs one test; `None` if it was given up meanwhile.
    pub fn run(&mut self, task: &Arc<Task>, current: &Current) -> Option<Done> {
        if task.around.is_some() {
            return self.run_with_fixtures(task, current);
        }
        let mut done = Done::new(task.number, Ok(Outcome::Passed));
        let (spec, program) = match self.program(task.module) {
            Ok(found) => found,
            Err(e) => {
                done.outcome = Err(e);
                return Some(done);
            }
        };
        let id = format!("{} {}", spec.name, task.path);
        let harness = harness::of(task.harness);
        let invocation = harness.invoke(&Case::of(task, self.benchmarks));
        let mut args = vec![spec.name.as_str()];
        args.extend(invocation.args.iter().map(|arg| &**arg));
        let env = invocation
            .env
            .iter()
            .map(|(name, value)| (&**name, &**value));
        let env: Vec<(&str, &str)> = env.collect();
        let entry = match (invocation.export, &invocation.direct) {
            (Some(name), _) => Entry::Export { name },
            (None, Some(direct)) if spec.calls_from().is_some() => Entry::Direct {
                place: direct.place,
            },
            (None, _) => Entry::Start,
        };
        let call = Call {
            test_id: &id,
            max_memory: task.max_memory,
            reach: GuestAccess::Granted(task.module),
            fixtures: &task.fixtures,
            args: &args,
            env: &env,
            timeout: task.timeout,
            streams: self.streams(),
            own: Own {
                stdin: &invocation.stdin,
                tmp_variable: invocation.tmp_variable,
                copies: &invocation.copies,
                copies_from: match invocation.copies.is_empty() {
                    true => None,
                    false => spec.file.parent(),
                },
            },
            tells: match (entry, &task.expect, &invocation.direct) {
                (Entry::Direct { .. }, Expect::Panic(text), Some(direct)) if !text.is_empty() => {
                    Some(Tells::Function(direct.tells.clone(), spec.offsets.clone()))
                }
                _ => None,
            },
        };
        done.start = current.begin(task, &call.streams);
        let began = Instant::now();
        let mut called = self.sandbox.call(&program, entry, &call);
        let gave_an_error = called.ending == Termination::Returned
            && invocation
                .direct
                .as_ref()
                .is_some_and(|direct| called.gave.is_some_and(|gave| direct.ok != gave));
        if gave_an_error {
            // which it is, libtest has to say
            self.sandbox.tidy(&called, true);
            let again = Call {
                timeout: task.timeout.saturating_sub(began.elapsed()),
                streams: self.streams(),
                ..call
            };
            current.writes_to(&again.streams);
            called = self.sandbox.call(&program, Entry::Start, &again);
        }
        done.duration = began.elapsed();
        current.end()?;
        let by = JudgedAs::test(task);
        let mut outcome = self.judge(task.module, &called, task.limit(), by);
        if gave_an_error && outcome.is_good() {
            outcome = Outcome::Failed(Cause::new(
                "returned an error; run once more, through libtest, to be told which, it passed",
            ));
        }
        let scratch = self.sandbox.tidy(&called, outcome.is_good());
        // what its start lacks may be what the test's own limit leaves it
        if invocation.export.is_some()
            && task.max_memory.is_none()
            && let Some(e) = start_trapped(&called, &outcome)
        {
            done.outcome = Err(e);
            return Some(done);
        }
        let mut output = self.kept_of(called.output, &outcome);
        output.scratch = scratch.map(|s| s.display().to_string());
        output.notes.append(&mut self.modules.take_notes());
        if !output.stdout.is_empty() {
            harness.clean(&mut output.stdout, &task.path, Some(&outcome));
        }
        done.output = output;
        done.made = self.made(task.module, &called.seen_at);
        done.as_source = called.as_source;
        done.outcome = Ok(outcome);
        Some(done)
    }

    /// A test's stdout and stderr.
    pub(super) fn streams(&self) -> (Stream, Stream) {
        let new = || Stream::limited(self.capture, self.max_output);
        (new(), new())
    }

    /// What is told of what a test left: of one that passed, only what it meant for the report.
    pub(super) fn kept_of(&self, mut output: TestOutput, outcome: &Outcome) -> TestOutput {
        if *outcome == Outcome::Passed && self.outputs != Outputs::All {
            output.stdout = Captured::default();
            output.stderr = Captured::default();
        }
        if outcome.is_good() {
            output.denied = Denials::default();
            output.setups = Vec::new();
        }
        output
    }

    /// The static that a test was making when it was looked at.
    fn made(&mut self, module: ModuleNumber, seen_at: &[StackFrame]) -> Option<String> {
        if seen_at.is_empty() {
            // the file is not read for its names
            return None;
        }
        let symbols = self.modules.symbols(module)?;
        making::a_static(&symbols.backtrace(seen_at).functions)
    }

    pub(super) fn judge(
        &mut self,
        module: ModuleNumber,
        called: &CallResult,
        limit: (Duration, Option<LimitOf>),
        by: JudgedAs<'_>,
    ) -> Outcome {
        self.modules.judge(module, called, limit, by, &self.sandbox)
    }

    pub(super) fn program(
        &mut self,
        module: ModuleNumber,
    ) -> Result<(Arc<ModuleSpec>, Rc<Program>), LoadError> {
        self.modules.program(module, &self.sandbox)
    }

    /// After so many of a task's steps: its state is taken if it is the one that is wanted.
    pub(super) fn take_state(&mut self, instance: &mut FixtureInstance, task: &Task, steps: usize) {
        if let Some(number) = self.snapshots.wanted(task, steps)
            && let Ok((_, program)) = self.program(task.module)
        {
            self.snapshots.take(number, instance, &program, &self.tell);
        }
    }
}
