//! Runs one task: loads its module if need be, calls the guest, judges what came back.
//!
//! Also the whole of a run with `--processes 0`, where the primary owns one.

use super::current::Current;
use super::making;
use super::shared::Standing;
use super::snapshots::Kept;
use crate::event::denials::Denials;
use crate::event::{Captured, Cause, Harness, Outcome, SetupOutput, TestOutput};
use crate::harness::evidence::Evidence;
use crate::harness::libtest::{self, ListCall};
use crate::harness::termination::{Backtrace, Ending, StackFrame};
use crate::harness::{command, doctest, hints, libtest_like, sdk};
use crate::module::cache::Cache;
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    Benchmarks, Done, Expect, FixtureGrant, FromWorker, Holds, LimitOf, ListedTest, Listing,
    LoadError, ModuleNumber, ModuleSpec, Outputs, SnapshotNumber, Task, WorkerSetup,
};
use crate::sandbox::call::{Call, Entry, Reach};
use crate::sandbox::called::Called;
use crate::sandbox::capture::Stream;
use crate::sandbox::deadline::Deadline;
use crate::sandbox::guest::Sandbox;
use crate::sandbox::program::{LoadProblem, Program};
use crate::sandbox::symbols::Symbols;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a listing may be: a hundred thousand tests of a hundred bytes.
const LISTING: usize = 16 << 20;
/// No honest test has a longer name, and every name costs memory several times over.
const MAX_NAME: usize = 4 << 10;

/// Runs tasks, one after the other.
pub struct Executor {
    pub(super) cache: Cache,
    pub(super) sandbox: Sandbox,
    pub(super) capture: usize,
    pub(super) outputs: Outputs,
    benchmarks: Benchmarks,
    modules: HashMap<ModuleNumber, Loaded>,
    /// Values of shared fixtures.
    pub(super) values: HashMap<ValueNumber, Vec<u8>>,
    /// Shared fixtures that stand here.
    pub(super) shared: Vec<Standing>,
    /// States from which tests begin.
    pub(super) snapshots: HashMap<SnapshotNumber, Kept>,
    /// What was written until each of them was taken.
    pub(super) wrote: HashMap<SnapshotNumber, Vec<SetupOutput>>,
    /// What the names of this run's own files in the cache begin with.
    pub(super) run: String,
    /// Tells the primary what it should know at once.
    pub(super) tell: Box<dyn Fn(&FromWorker)>,
}

struct Loaded {
    spec: Rc<ModuleSpec>,
    program: Option<Result<Rc<Program>, LoadError>>,
    symbols: Option<Symbols>,
}

/// Who judges a call.
#[derive(Clone, Copy)]
pub(super) enum Verdict<'a> {
    Libtest,
    Custom,
    Doctest(&'a Expect),
    Command,
    Sdk(&'a Expect),
}

impl<'a> Verdict<'a> {
    pub(super) fn of(task: &'a Task) -> Self {
        match task.harness {
            Harness::Libtest => Verdict::Libtest,
            Harness::Custom => Verdict::Custom,
            Harness::Doctest => Verdict::Doctest(&task.expect),
            Harness::Command => Verdict::Command,
            Harness::Sdk => Verdict::Sdk(&task.expect),
        }
    }
}

/// What a trap in a module's start means: the module cannot be used, by any test.
pub(super) fn start_trapped(called: &Called, outcome: &Outcome) -> Option<LoadError> {
    let is_trap = !called.entered && matches!(called.ending, Ending::Trapped(_));
    let cause = outcome.cause().filter(|_| is_trap)?;
    Some(LoadError::Module(cause.clone()))
}

/// A list without absurd names.
fn named_shortly(tests: Vec<ListedTest>) -> Result<Vec<ListedTest>, LoadError> {
    match tests.iter().find(|t| t.path.len() > MAX_NAME) {
        None => Ok(tests),
        Some(test) => {
            let length = test.path.len();
            let why = format!("it lists a test whose name is {length} bytes long");
            Err(LoadError::List(Cause::new(why), Box::default()))
        }
    }
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
    ) -> anyhow::Result<Executor> {
        Ok(Executor {
            cache: Cache::at(setup.cache.clone()),
            sandbox: Sandbox::new(setup, deadline)?,
            capture: setup.capture,
            outputs: setup.outputs,
            benchmarks: setup.benchmarks,
            modules: HashMap::new(),
            values: HashMap::new(),
            shared: Vec::new(),
            snapshots: HashMap::new(),
            wrote: HashMap::new(),
            run: setup.run.clone(),
            tell,
        })
    }

    /// Makes a module known; a second time, forgets what was loaded of it.
    pub fn add_module(&mut self, spec: ModuleSpec) {
        let number = spec.number;
        self.sandbox.add_module(number, spec.grants.clone());
        let loaded = Loaded {
            spec: Rc::new(spec),
            program: None,
            symbols: None,
        };
        self.modules.insert(number, loaded);
    }

    /// Makes known what a host fixture implies for the tests that are bound to it.
    pub fn add_fixture(&mut self, grant: FixtureGrant) {
        self.sandbox.add_fixture(grant);
    }

    /// Lists a module's tests, in a closed sandbox; a custom harness reads what its tests read.
    ///
    /// # Errors
    /// If the module cannot be loaded or does not list its tests.
    pub fn list(&mut self, module: ModuleNumber, timeout: Duration) -> Result<Listing, LoadError> {
        let mut holds = Holds::ForTheModule;
        let tests = self.list_tests(module, timeout, &mut holds)?;
        Ok(Listing { tests, holds })
    }

    fn list_tests(
        &mut self,
        module: ModuleNumber,
        timeout: Duration,
        holds: &mut Holds,
    ) -> Result<Vec<ListedTest>, LoadError> {
        let (spec, program) = self.program(module)?;
        if spec.harness == Harness::Command {
            return Ok(command::list());
        }
        let asked = spec.harness == Harness::Custom;
        let (longest, timeout) = match asked {
            true => (
                libtest_like::LIST_MAX,
                timeout.min(libtest_like::LIST_TIMEOUT),
            ),
            false => (LISTING, timeout),
        };
        let mut called_with = |call: ListCall, reach: Reach| {
            let args: Vec<&str> = [spec.name.as_str()]
                .iter()
                .chain(call.args())
                .copied()
                .collect();
            let streams = (Stream::new(longest), Stream::new(self.capture));
            let called = self.sandbox.call(
                &program,
                Entry::Start,
                &Call {
                    test_id: "",
                    max_memory: None,
                    reach,
                    fixtures: &[],
                    args: &args,
                    env: call.env(),
                    timeout,
                    streams,
                },
            );
            if called.may_differ() {
                *holds = Holds::ForTheRun;
            }
            called
        };
        let complete = |called: &Called| {
            called.ending == Ending::Returned && called.output.stdout.dropped == 0
        };
        if asked {
            let answered = |called: &Called| {
                let ended = matches!(called.ending, Ending::Returned | Ending::Exited(0));
                let whole = ended
                    && called.output.stdout.dropped == 0
                    && called.output.stdout.tail.is_empty();
                let text = std::str::from_utf8(&called.output.stdout.head).ok();
                text.filter(|_| whole).and_then(libtest_like::read_list)
            };
            // silence is no list: a program of one's own that takes no arguments is silent too
            let list = |called: &Called| answered(called).filter(|tests| !tests.is_empty());
            let mut reach = Reach::Closed;
            let closed = called_with(ListCall::Terse, reach);
            let mut all = list(&closed);
            // it may make its list of files, as datatest-stable does
            if all.is_none() && closed.ending != Ending::DeadlinePassed {
                reach = Reach::Readable(module);
                all = list(&called_with(ListCall::Terse, reach));
            }
            let Some(mut tests) = all else {
                return Ok(command::list());
            };
            let ignored = answered(&called_with(ListCall::TerseIgnored, reach));
            let ignored = ignored.unwrap_or_default();
            // all of them again: it may well not know the flag, and says so when it runs them
            if ignored.len() < tests.len() {
                libtest::mark_ignored(&mut tests, &ignored);
            }
            return named_shortly(tests);
        }
        let mut called = |call: ListCall| called_with(call, Reach::Closed);
        let first = called(ListCall::Json);
        let from_json = complete(&first)
            .then(|| libtest::read_json(&first.output.stdout.text()))
            .flatten();
        // only a refusal of the arguments is worth another try
        if from_json.is_none() && !matches!(first.ending, Ending::Returned | Ending::Exited(_)) {
            return Err(self.list_error(module, &first, timeout));
        }
        let mut tests = match from_json {
            Some(tests) => tests,
            None => {
                let all = called(ListCall::Terse);
                if all.ending != Ending::Returned {
                    return Err(self.list_error(module, &all, timeout));
                }
                if !complete(&all) {
                    let why = format!("its list of tests is longer than {} MiB", LISTING >> 20);
                    return Err(LoadError::List(Cause::new(why), Box::default()));
                }
                let mut tests = libtest::read_terse(&all.output.stdout.text());
                // one that merely looks like libtest may be silent, and is no empty list
                if tests.is_empty() {
                    let counted = called(ListCall::Counted);
                    if !complete(&counted) || !libtest::is_none(&counted.output.stdout.text()) {
                        return Ok(command::list());
                    }
                }
                let ignored = called(ListCall::TerseIgnored);
                if complete(&ignored) {
                    let ignored = libtest::read_terse(&ignored.output.stdout.text());
                    // all of them again: whoever does not know the flag says so when it runs them
                    if ignored.len() < tests.len() {
                        libtest::mark_ignored(&mut tests, &ignored);
                    }
                }
                tests
            }
        };
        // an older libtest may not know this flag: then what was not run shows when it runs
        let without = called(ListCall::WithoutShouldPanic);
        if complete(&without) {
            let without = libtest::read_terse(&without.output.stdout.text());
            libtest::mark_should_panic(&mut tests, &without);
        }
        named_shortly(tests)
    }

    fn list_error(
        &mut self,
        module: ModuleNumber,
        called: &Called,
        timeout: Duration,
    ) -> LoadError {
        let why = match &called.ending {
            Ending::Exited(status) => Cause::new(format!(
                "it exited with status {status} when asked to list its tests"
            )),
            _ => {
                let outcome = self.judge(module, called, (timeout, None), Verdict::Libtest);
                let mut cause = outcome.cause().cloned().unwrap_or_default();
                cause.message = format!(
                    "it died when asked to list its tests, before any ran: {}",
                    cause.message
                );
                cause
            }
        };
        LoadError::List(why, Box::new(called.output.stderr.clone()))
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
        let mut args = vec![spec.name.as_str()];
        if matches!(task.harness, Harness::Libtest | Harness::Custom) {
            args.extend(libtest::run_args(&task.path, task.ignored, self.benchmarks));
        }
        let number = task.doctest.map(|number| number.to_string());
        let entry = match &task.export {
            Some(name) => Entry::Export { name },
            None => Entry::Start,
        };
        let call = Call {
            test_id: &id,
            max_memory: task.max_memory,
            reach: Reach::Granted(task.module),
            fixtures: &task.fixtures,
            args: &args,
            env: match &number {
                Some(number) => &[(doctest::RUN_ONE, number)],
                None => &[],
            },
            timeout: task.timeout,
            streams: (Stream::new(self.capture), Stream::new(self.capture)),
        };
        done.start = current.begin(task, &call.streams);
        let began = Instant::now();
        let called = self.sandbox.call(&program, entry, &call);
        done.duration = began.elapsed();
        current.end()?;
        let verdict = Verdict::of(task);
        let outcome = self.judge(task.module, &called, task.limit(), verdict);
        let scratch = self.sandbox.tidy(&called, outcome.is_good());
        // what its start lacks may be what the test's own limit leaves it
        if task.harness == Harness::Sdk
            && task.max_memory.is_none()
            && let Some(e) = start_trapped(&called, &outcome)
        {
            done.outcome = Err(e);
            return Some(done);
        }
        let mut output = self.kept_of(called.output, &outcome);
        output.scratch = scratch.map(|s| s.display().to_string());
        if task.harness == Harness::Libtest && !output.stdout.is_empty() {
            libtest::without_frame(&mut output.stdout, &task.path);
            if outcome == Outcome::Passed {
                libtest::without_pass(&mut output.stdout);
            }
        }
        done.output = output;
        done.made = self.made(task.module, &called.seen_at);
        done.as_source = called.as_source;
        done.outcome = Ok(outcome);
        Some(done)
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
        let loaded = self.modules.get_mut(&module)?;
        if seen_at.is_empty() {
            return None;
        }
        let spec = loaded.spec.clone();
        let symbols = loaded.symbols.get_or_insert_with(|| Symbols::new(&spec));
        making::a_static(&symbols.backtrace(seen_at).functions)
    }

    pub(super) fn judge(
        &mut self,
        module: ModuleNumber,
        called: &Called,
        (timeout, limit_of): (Duration, Option<LimitOf>),
        verdict: Verdict<'_>,
    ) -> Outcome {
        let ending = &called.ending;
        let Some(loaded) = self.modules.get_mut(&module) else {
            return Outcome::Errored(Cause::new("its module is unknown"));
        };
        let spec = loaded.spec.clone();
        let stack = match ending {
            Ending::Trapped(_) | Ending::DeadlinePassed => called.stack.as_slice(),
            _ => &[],
        };
        let message = called.stderr_scan.message();
        let is_about_a_call = message.is_some_and(hints::is_about_a_call);
        let mut backtrace = Backtrace::default();
        if !stack.is_empty() || is_about_a_call {
            let symbols = loaded.symbols.get_or_insert_with(|| Symbols::new(&spec));
            backtrace = symbols.backtrace(stack);
            backtrace.unoptimised =
                *ending == Ending::DeadlinePassed && symbols.is_unoptimised(stack);
            if is_about_a_call {
                backtrace.asked = symbols.asked(stack);
            }
        }
        let evidence = Evidence {
            ending,
            stdout: &called.stdout_scan,
            stderr: &called.stderr_scan,
            backtrace: &backtrace,
            gaps: &spec.gaps,
            denied: &called.output.denied,
            timeout,
            limit_of,
            wasm_stack: self.sandbox.wasm_stack(),
        };
        let mut outcome = match verdict {
            Verdict::Libtest => libtest::outcome(&evidence, spec.format),
            Verdict::Custom => libtest_like::outcome(&evidence, spec.format),
            Verdict::Doctest(expect) => doctest::outcome(&evidence, expect, spec.format),
            Verdict::Command => command::outcome(&evidence, spec.format),
            Verdict::Sdk(expect) => sdk::outcome(
                &evidence,
                expect,
                called.returned,
                called.panicked.as_deref(),
            ),
        };
        if let Outcome::Failed(cause)
        | Outcome::Errored(cause)
        | Outcome::OutOfMemory(cause)
        | Outcome::TimedOut(cause)
        | Outcome::ExpectedFailure { cause, .. } = &mut outcome
        {
            cause.frames = backtrace.shown;
            if !called.entered && matches!(ending, Ending::Trapped(_)) {
                cause.message = format!(
                    "it died at its start, before its entry was called: {}",
                    cause.message
                );
            }
        }
        outcome
    }

    pub(super) fn program(
        &mut self,
        module: ModuleNumber,
    ) -> Result<(Rc<ModuleSpec>, Rc<Program>), LoadError> {
        let unknown = || LoadError::Module(Cause::new("the worker was never told of this module"));
        let loaded = self.modules.get_mut(&module).ok_or_else(unknown)?;
        let program = match &loaded.program {
            Some(program) => program,
            None => {
                let spec = &loaded.spec;
                let open = |name: &str| {
                    let file = self.cache.open_artefact(name);
                    file.map_err(|e| LoadProblem::Artefact(e.to_string()))
                };
                let load = || {
                    let file = open(&spec.artefact)?;
                    let replay = spec.replay.as_ref();
                    let replay = replay.map(|r| Ok((open(&r.pristine)?, &r.facts)));
                    let replay = replay.transpose()?;
                    let replay = replay.as_ref().map(|(file, facts)| (file, *facts));
                    let program =
                        self.sandbox
                            .load(&file, spec.format, replay, spec.unknown_imports)?;
                    Ok(program.filled_in(&spec.gaps))
                };
                let program = load().map(Rc::new).map_err(|e| match e {
                    LoadProblem::Artefact(why) => LoadError::Artefact(why),
                    LoadProblem::Module(cause) => LoadError::Module(cause),
                });
                loaded.program.insert(program)
            }
        };
        match program {
            Ok(program) => Ok((loaded.spec.clone(), program.clone())),
            Err(e) => Err(e.clone()),
        }
    }
}
