//! The primary: plans, dispatches, reports. It compiles, lists and runs nothing itself.
//!
//! One loop, one channel: whatever a worker, the compiler or a signal has to
//! say arrives as a `Message`, is dealt with here, and then idle workers are
//! given work. The loop knows at any moment which worker runs what, since a
//! worker executes its jobs in the order in which it was given them.
//! `pipeline` takes a module from file to plan, `compiling` has it compiled, `better` once more, `workers` looks after workers,
//! `dispatch` gives them work, `results` reads what they tell without messages, `timeouts` watches over what takes too long,
//! `host_fixtures` looks after what runs beside the tests.

mod admission;
mod better;
mod child;
mod compiling;
mod discover;
mod dispatch;
mod external;
mod fixture_host;
mod held;
mod host_fixtures;
mod ledger;
mod losses;
mod making;
mod oom;
mod peer;
mod pipeline;
mod processor_time;
mod queue;
mod results;
mod shared;
mod signals;
mod snapshots;
mod stopping;
#[cfg(test)]
mod tests;
mod timeouts;
mod workers;

use crate::event::{Cause, Event, Interrupt, SuitePart, Summary};
use crate::grant::protected;
use crate::guardian::FromGuardian;
use crate::module::cache::{Cache, CacheError, Remembered};
use crate::module::forms::{Forms, JobNumber};
use crate::plan::tree::{BoundTests, NoSnapshots};
use crate::plan::{ModulePlan, PlannedTest, Splitting};
use crate::protocol::suites::ModuleFixtures;
use crate::protocol::{
    AfterFailure, CompileResult, FixtureNumber, FromWorker, ModuleNumber, TaskNumber, WorkerSetup,
};
use crate::report::Reporter;
use crate::sandbox::scratch::{self, NOTHING};
use crate::settings::{Chosen, MaxFail, Processes, Settings};
use crate::temporary::sweep::Sweep;
use crate::temporary::{Purpose, TempFolder};
use crate::text;
pub use external::ExternalResults;
use held::Held;
use host_fixtures::HostFixtures;
use ledger::Ledger;
use peer::{AT_THE_END, Heard, Home};
use rustc_hash::FxHashMap;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// A test that runs for longer is worth a notice.
const SLOW: Duration = Duration::from_secs(10);
/// How often a person who watches is shown what runs.
const TICK: Duration = Duration::from_millis(200);

/// A loop that looks at the clock so much later than it was to was stopped (Ctrl-Z) or starved ...
const MISSED: Duration = Duration::from_millis(500);
/// ... and hears first, for so long, what its children have said meanwhile.
const CATCH_UP: Duration = Duration::from_secs(1);

/// How long results are kept back for the number of all tests, which is told first: it should be
/// that of all wherever nothing compiles for remarkably long.
const HOLD: Duration = SLOW;

/// Whether it was said how many tests there are.
#[derive(Clone, Copy, Debug)]
enum Planned {
    /// No; since when there are results.
    Unsaid(Option<Instant>),
    /// Of how many it is known, while modules are still compiled or listed.
    Some,
    All,
}

impl Default for Planned {
    fn default() -> Self {
        Planned::Unsaid(None)
    }
}

/// Something that the loop has to deal with.
enum Message {
    Worker(usize, u64, Heard<FromWorker>),
    WorkerEnded(usize, u64),
    Compiled(JobNumber, Heard<CompileResult>),
    CompilerEnded(JobNumber),
    Locked(JobNumber, Option<File>),
    Kept(JobNumber, Result<(), Cause>),
    FixtureHost(u64, Heard<FromWorker>),
    FixtureHostEnded(u64),
    Guardian(FixtureNumber, Heard<FromGuardian>),
    GuardianEnded(FixtureNumber),
    /// A signal, and what is dropped once it was heard of.
    Signal(Interrupt, Sender<()>),
}

/// What is wanted of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Run,
    List,
    Plan,
}

/// A run under way.
struct Run<'a> {
    settings: &'a Settings,
    goal: Goal,
    home: Home<'a>,
    cache: Cache,
    setup: WorkerSetup,
    ledger: Ledger<'a>,
    tx: Sender<Message>,
    modules: Vec<pipeline::Module>,
    forms: Forms,
    compilers: compiling::Compilers,
    to_list: VecDeque<ModuleNumber>,
    workers: Vec<workers::WorkerSlot>,
    /// Workers that were replaced and have not ended yet, by slot and life.
    retired: Vec<(usize, u64, peer::Peer)>,
    host_fixtures: HostFixtures,
    /// What waits for a worker, in the plan's order.
    queue: queue::Queue,
    shared: Vec<shared::Shared>,
    snapshots: snapshots::SnapshotTable,
    fixture_host: fixture_host::FixtureHost,
    /// What failed of suites and was reported: once is enough.
    failed_suites: HashSet<(ModuleNumber, String, SuitePart)>,
    /// Tests that a worker has been given.
    given: FxHashMap<TaskNumber, PlannedTest>,
    /// The units that workers were given, by their first task: module and suite.
    units: HashMap<TaskNumber, (ModuleNumber, String)>,
    next_task: u64,
    /// How long the tests that ended took, to judge how many a worker should hold.
    pace: (Duration, u32),
    /// Set once nothing new is to be started.
    stopping: bool,
    /// Why that is so, for the tests that are not run.
    stopped_since: Option<String>,
    /// When it was ended before its time.
    interrupted_at: Option<Instant>,
    /// Whether those who did not stop by themselves were asked to.
    asked_all: bool,
    /// Dropped once the loop heard that its time is over.
    in_time: Option<Sender<()>>,
    /// Until when nobody is too late, since this process was stopped itself.
    catching_up: Option<Instant>,
    planned: Planned,
    kept_scratch: bool,
    /// What tests were seen making that ran for long.
    making: making::Making,
    /// What was found in files that were read, once nothing cuts that off any more.
    to_remember: Vec<Remembered>,
    found: Vec<PlannedTest>,
    plans: Vec<Plan>,
    fatal: Option<anyhow::Error>,
}

/// Runs tests.
///
/// # Errors
/// If the runner itself cannot work here; whatever is wrong with modules and
/// tests is reported as an event and counted in the summary.
pub fn run(settings: &Settings, reporter: &mut dyn Reporter) -> anyhow::Result<Summary> {
    let (summary, ..) = go(settings, Goal::Run, reporter, &mut |_| ())?;
    Ok(summary)
}

/// Runs tests; then has `more` report what came of tests that somebody else runs.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    settings: &Settings,
    reporter: &mut dyn Reporter,
    mut more: impl FnMut(&mut ExternalResults<'_, '_>),
) -> anyhow::Result<Summary> {
    let (summary, ..) = go(settings, Goal::Run, reporter, &mut more)?;
    Ok(summary)
}

/// What has the results of tests that somebody else runs.
type Elsewhere<'a> = &'a mut dyn FnMut(&mut ExternalResults<'_, '_>);

/// A module's plan, and what it was made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The module's name.
    pub module: Arc<str>,
    /// Its place among the modules.
    pub order: usize,
    pub plan: ModulePlan,
    /// Its suites and fixtures.
    pub module_fixtures: ModuleFixtures,
    /// Why states of its fixtures are not replayed, if they are not.
    pub no_snapshots: NoSnapshots,
    /// Whether its split suites are split.
    pub splitting: Splitting,
    /// The host fixtures that its tests are bound to, in the order of their names.
    pub host_fixtures: Vec<BoundTests>,
}

/// Plans, and runs nothing.
///
/// # Errors
/// As [`run`].
pub fn plan(
    settings: &Settings,
    reporter: &mut dyn Reporter,
) -> anyhow::Result<(Summary, Vec<Plan>)> {
    let (summary, _, plans) = go(settings, Goal::Plan, reporter, &mut |_| ())?;
    Ok((summary, plans))
}

/// Lists tests, in the order of the plan.
///
/// # Errors
/// As [`run`].
pub fn list(
    settings: &Settings,
    reporter: &mut dyn Reporter,
) -> anyhow::Result<(Summary, Vec<PlannedTest>)> {
    let (summary, found, _) = go(settings, Goal::List, reporter, &mut |_| ())?;
    Ok((summary, found))
}

fn go(
    settings: &Settings,
    goal: Goal,
    reporter: &mut dyn Reporter,
    elsewhere: Elsewhere<'_>,
) -> anyhow::Result<(Summary, Vec<PlannedTest>, Vec<Plan>)> {
    let (home, processes) = match settings.processes {
        Processes::Primary => (Home::Thread, 0),
        Processes::Workers(n) => (Home::Process(&settings.host), n),
    };
    go_with(settings, goal, home, processes, reporter, elsewhere)
}

fn go_with(
    settings: &Settings,
    goal: Goal,
    home: Home<'_>,
    processes: usize,
    reporter: &mut dyn Reporter,
    elsewhere: Elsewhere<'_>,
) -> anyhow::Result<(Summary, Vec<PlannedTest>, Vec<Plan>)> {
    let (place, is_seen) = scratch::place(&settings.granted(), &settings.host.temp_dir);
    let held = Held::default();
    let listening = Arc::new(AtomicBool::new(false));
    let (tx, rx) = mpsc::channel();
    signals::watch(&tx, listening.clone(), held.clone())?;
    let scratch = held.make(Purpose::Run, &place)?;
    let sweep = Sweep::begin(vec![place.clone(), settings.host.temp_dir.clone()]);
    let mut ledger = Ledger::new(reporter, processes);
    if is_seen && goal == Goal::Run {
        ledger.note(format!(
            "tests can see each other's scratch folders, since they are granted what {} lies in; TMPDIR names another place",
            place.display()
        ));
    }
    let (cache, _temporary) = open_cache(settings, &mut ledger, &held)?;
    let setup = WorkerSetup {
        cache: cache.dir().to_owned(),
        run: Cache::name_of_a_run(),
        own: String::new(),
        began: crate::sandbox::clock::of_the_machine(),
        scratch: scratch.path().to_owned(),
        max_scratch: settings.max_scratch,
        keep_scratch: settings.keep_scratch,
        dirs: settings.dirs.clone(),
        how_to_grant: settings.how_to_grant,
        env: settings.env.clone(),
        compiler: settings.compilers.first(),
        wasm_stack: settings.wasm_stack,
        limits: settings.limits,
        after_failure: match settings.max_fail {
            MaxFail::Unlimited => AfterFailure::GoOn,
            MaxFail::After(_) => AfterFailure::GiveBack,
        },
        capture: settings.keep_output,
        outputs: settings.outputs,
        benchmarks: settings.selection.choice.benchmarks,
        random_seed: settings.random_seed,
        current_dir: settings.host.current_dir.clone(),
        home_dir: settings.host.home_dir.clone(),
    };
    protected::refuse_writable_cache(settings.granted(), cache.dir())?;
    let mut run = Run {
        settings,
        goal,
        home,
        setup,
        ledger,
        tx,
        modules: Vec::new(),
        forms: Forms::new(
            cache.clone(),
            settings.std_gaps,
            settings.compilers,
            compiling::at_once(),
        ),
        cache,
        compilers: compiling::Compilers::default(),
        to_list: VecDeque::new(),
        workers: (0..processes.max(1))
            .map(|_| workers::WorkerSlot::default())
            .collect(),
        retired: Vec::new(),
        host_fixtures: HostFixtures::new(settings.config.fixtures.clone()),
        queue: queue::Queue::default(),
        shared: Vec::new(),
        snapshots: snapshots::SnapshotTable::default(),
        fixture_host: fixture_host::FixtureHost::default(),
        failed_suites: HashSet::new(),
        given: FxHashMap::default(),
        units: HashMap::new(),
        next_task: 0,
        pace: (Duration::ZERO, 0),
        stopping: false,
        stopped_since: None,
        interrupted_at: None,
        asked_all: false,
        in_time: settings
            .run_timeout
            .and_then(|limit| signals::end_after(limit, held.clone())),
        catching_up: None,
        planned: Planned::default(),
        kept_scratch: false,
        making: making::Making::default(),
        to_remember: Vec::new(),
        found: Vec::new(),
        plans: Vec::new(),
        fatal: None,
    };
    let to_compile = run.discover();
    listening.store(true, Ordering::SeqCst);
    for of in std::mem::take(&mut run.to_remember) {
        run.cache.remember(&of);
    }
    run.compile_modules(to_compile);
    run.work(&rx);
    run.in_time = None;
    run.keep_pace();
    run.end_fixtures(&rx);
    let name = |module: ModuleNumber| run.modules[module.0].spec.name.clone();
    if let Some(note) = run.making.note(name) {
        run.ledger.note(note);
    }
    run.forget_snapshots();
    if run.fatal.is_none() {
        let until = run.out_of_time_at();
        elsewhere(&mut ExternalResults {
            stopping: run.stopping,
            until,
            ledger: &mut run.ledger,
            rx: &rx,
        });
    }
    let Run {
        ledger,
        cache,
        setup,
        mut workers,
        mut retired,
        snapshots,
        found,
        plans,
        kept_scratch,
        fatal,
        ..
    } = run;
    let summary = match fatal {
        None => Ok(ledger.finish()),
        Some(fatal) => Err(fatal),
    };
    for slot in &mut workers {
        slot.close();
    }
    // one deadline for all of them
    let until = Instant::now() + AT_THE_END;
    let left = workers.iter_mut().filter_map(|slot| slot.worker.as_mut());
    let left = left.map(|worker| &mut worker.peer);
    for peer in left.chain(retired.iter_mut().map(|(.., peer)| peer)) {
        peer.end_by(until);
    }
    drop((workers, retired));
    snapshots.remove(&cache, &setup.run);
    let summary = summary?;
    let folder = scratch.path().to_owned();
    if kept_scratch {
        // beside what tests left there is nothing to see; it may never have been made
        let _ = std::fs::remove_dir(folder.join(NOTHING));
        scratch.keep();
    } else if let Err(e) = scratch.remove() {
        let note = format!(
            "a test left what cannot be removed ({e}): {}",
            folder.display()
        );
        text::tell(&format!("note: {}", text::Escaped(&note)));
    }
    sweep.finish();
    Ok((summary, found, plans))
}

/// The user's cache, or one for this run alone where that cannot be written.
fn open_cache(
    settings: &Settings,
    ledger: &mut Ledger<'_>,
    held: &Held,
) -> anyhow::Result<(Cache, Option<TempFolder>)> {
    let root = &settings.selection.cache_root;
    match Cache::open(&root.dir) {
        Ok(cache) => Ok((cache, None)),
        Err(e @ CacheError::NotPrivate { .. }) if root.chosen == Chosen::Asked => Err(e.into()),
        Err(e) => {
            ledger.note(format!(
                "{e}; compiled modules are kept for this run only (--cache-dir names another)"
            ));
            let dir = held.make(Purpose::Cache, &settings.host.temp_dir)?;
            Ok((Cache::open(dir.path())?, Some(dir)))
        }
    }
}

impl Run<'_> {
    /// The loop.
    fn work(&mut self, rx: &Receiver<Message>) {
        loop {
            self.say_planned();
            self.next_serial();
            self.tend_shared();
            self.dispatch();
            if self.is_done() {
                return;
            }
            let wake_at = self.wake_at().map(|at| at.max(Instant::now()));
            let first = match wake_at {
                None => rx.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => rx.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match first {
                Ok(message) => {
                    self.handle(message);
                    while let Ok(more) = rx.try_recv() {
                        self.handle(more);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("this run holds a sender"),
            }
            if wake_at.is_some_and(|at| at.elapsed() > MISSED) {
                self.catching_up = Some(Instant::now() + CATCH_UP);
            }
            match self.catching_up {
                Some(until) if until > Instant::now() => {}
                _ => {
                    self.catching_up = None;
                    self.look_at_clocks();
                }
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Worker(slot, life, mut messages) => {
                for message in messages.take() {
                    self.on_message(slot, life, message);
                }
            }
            Message::WorkerEnded(slot, life) => self.worker_ended(slot, life),
            Message::Compiled(job, mut results) => {
                for result in results.take() {
                    self.compiled(job, result);
                }
            }
            Message::CompilerEnded(job) => self.compiler_ended(job),
            Message::Locked(job, lock) => self.locked(job, lock),
            Message::Kept(job, kept) => self.job_done(job, kept),
            Message::FixtureHost(life, mut messages) => {
                for message in messages.take() {
                    self.fixture_host_said(life, message);
                }
            }
            Message::FixtureHostEnded(life) => self.fixture_host_ended(life),
            Message::Guardian(fixture, mut messages) => {
                for message in messages.take() {
                    self.on_fixture_message(fixture, message);
                }
            }
            Message::GuardianEnded(fixture) => self.guardian_ended(fixture),
            Message::Signal(interrupt, heard) => {
                drop(heard);
                self.interrupt(interrupt);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.fatal.is_some() || self.no_test_is_left() && !self.anything_stands()
    }

    /// Whether all tests that will ever run have ended.
    fn no_test_is_left(&self) -> bool {
        (self.stopping || self.modules.iter().all(pipeline::Module::is_settled))
            && self.queue.is_empty()
            && self.workers.iter().all(workers::WorkerSlot::is_idle)
    }

    /// Says how many tests there are, once that is known; and how many are known of, once what
    /// has ended would wait for the others for too long.
    fn say_planned(&mut self) {
        let known = self.stopping || self.modules.iter().all(pipeline::Module::is_listed);
        let overdue = self.planned_due().is_some_and(|due| due <= Instant::now());
        self.planned = match self.planned {
            Planned::All => return,
            _ if known => Planned::All,
            _ if overdue => Planned::Some,
            Planned::Unsaid(None) if self.ledger.has_results() => {
                self.planned = Planned::Unsaid(Some(Instant::now()));
                return;
            }
            Planned::Unsaid(_) | Planned::Some => return,
        };
        let planned = Event::Planned {
            tests: self.ledger.planned,
            filtered_out: self.ledger.filtered(),
        };
        self.ledger.emit(&planned);
    }

    /// When results have waited long enough for the number of all tests.
    fn planned_due(&self) -> Option<Instant> {
        match self.planned {
            Planned::Unsaid(Some(since)) => Some(since + HOLD),
            _ => None,
        }
    }
}
