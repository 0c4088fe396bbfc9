//! The workers: started, listened to, replaced.
//!
//! Each slot holds at most one worker and the jobs that it was given, in order:
//! the first is the one that runs, which is how a death is blamed on a test.

use super::admission::Lie;
use super::ledger::since_epoch;
use super::peer::{Home, Peer, Role};
use super::pipeline::NO_MODULE;
use super::{Goal, Message, Run};
use crate::event::{Event, FixtureKind, Outcome, Progress, Ran, SuiteStep, TestEnd};
use crate::harness::limit;
use crate::module::cache::Cache;
use crate::plan::PlannedTest;
use crate::protocol::suites::ValueNumber;
use crate::protocol::{
    Compiler, Done, FixtureNumber, FromWorker, LoadError, ModuleNumber, ResultReader,
    SnapshotNumber, Stop, TaskNumber, ToWorker, WorkerSetup,
};
use crate::settings::Verbosity;
use rustc_hash::FxHashSet;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Listing is not one test: it may take this long even where tests may not.
pub(super) const LISTING: Duration = Duration::from_secs(10);
/// When an idle worker may take over what waits behind another's test.
pub(super) const TAKE_OVER: Duration = Duration::from_millis(3);
/// Workers that die before they are ready, in a row, until a slot is given up.
pub(super) const MAX_FALSE_STARTS: u32 = 3;
/// The same of workers that die later, but without a test or a list that came to its end in
/// between. Those do not count that were ended at a limit.
const MAX_DEATHS: u32 = 20;

/// A place for a worker.
#[derive(Default)]
pub(super) struct WorkerSlot {
    /// Raised with every worker: what an earlier one still says is ignored.
    pub(super) life: u64,
    pub(super) worker: Option<Worker>,
    pub(super) false_starts: u32,
    /// Workers that died in a row.
    pub(super) deaths: u32,
}

pub(super) struct Worker {
    pub(super) peer: Peer,
    pub(super) told: FxHashSet<ModuleNumber>,
    /// The modules of the jobs that have come to their end.
    pub(super) has_run: FxHashSet<ModuleNumber>,
    /// The values that it knows.
    pub(super) values: HashSet<ValueNumber>,
    /// Units of which it has told something.
    pub(super) began: HashSet<TaskNumber>,
    pub(super) told_fixtures: HashSet<FixtureNumber>,
    pub(super) told_snapshots: HashSet<SnapshotNumber>,
    pub(super) jobs: VecDeque<Job>,
    /// What it tells without a message, where that can be.
    pub(super) results: Option<ResultReader>,
    /// How many of these were read, and how often it has said that there are some.
    pub(super) read: u64,
    pub(super) told_results: u64,
    /// When to look for more.
    pub(super) read_at: Option<Instant>,
    pub(super) ready: bool,
    /// When the first job, or what it does in between, began, as far as is known.
    pub(super) since: Instant,
    pub(super) doing: Doing,
    pub(super) slow_said: bool,
    pub(super) revoking: bool,
    /// When it was first and last asked to give up the job that runs.
    pub(super) asked: Option<(Instant, Instant)>,
    pub(super) killed: Option<Duration>,
    /// Whose teardown runs in it, as it has told at an interrupt.
    pub(super) taking_down: Option<String>,
    /// How often it has told that.
    pub(super) told_down: usize,
    /// When it was started.
    pub(super) started: Instant,
    /// How long it had had a processor when that was looked at last.
    pub(super) processor_time: Duration,
    /// How many times it may give tasks back: once each time that it was asked to, or fails a
    /// test where that means that others are given back.
    pub(super) gives_back: usize,
    /// The task that it was asked to give up last.
    pub(super) stop_asked: Option<TaskNumber>,
    /// The state that it is keeping.
    pub(super) keeping: Option<SnapshotNumber>,
    /// The states of which it has told.
    pub(super) told_of_states: HashSet<SnapshotNumber>,
    /// What it should not have said, if it did: nothing more of it is heard.
    pub(super) lied: Option<Lie>,
    /// Why it could not be set up, if it could not.
    pub(super) not_set_up: Option<String>,
}

/// What takes a worker's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Its first job.
    Jobs,
    /// A large state, which is no part of the job after whose setup it is kept.
    Keeping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    List(ModuleNumber),
    /// A test, and the unit that it belongs to, which is named by its first task.
    Test(TaskNumber, Option<TaskNumber>),
    /// What is taken down at a unit's end, and how long that may take.
    Teardown(TaskNumber, Duration),
}

impl Job {
    pub(super) fn task(&self) -> Option<TaskNumber> {
        match self {
            Job::Test(task, _) => Some(*task),
            Job::List(_) | Job::Teardown(..) => None,
        }
    }

    fn unit(&self) -> Option<TaskNumber> {
        match self {
            Job::Test(_, unit) => *unit,
            Job::Teardown(unit, _) => Some(*unit),
            Job::List(_) => None,
        }
    }
}

impl Worker {
    /// From now on its time goes into this.
    pub(super) fn begins(&mut self, doing: Doing) {
        self.doing = doing;
        self.since = Instant::now();
        self.slow_said = false;
        self.asked = None;
    }

    /// Asks it to give back up to so many tasks.
    pub(super) fn revoke(&mut self, count: usize) {
        self.revoking = true;
        self.gives_back += 1;
        let _ = self.peer.send(&[ToWorker::Revoke(count)]);
    }

    /// Asks it to give up the task that runs.
    pub(super) fn stop(&mut self, task: TaskNumber, why: Stop) {
        self.stop_asked = Some(task);
        // one that is gone says so itself
        let _ = self.peer.send(&[ToWorker::Stop { task, why }]);
    }

    /// Tells it that the run is interrupted; what waits comes back, and what is left of a unit.
    pub(super) fn interrupt(&mut self) {
        self.gives_back += 2;
        let _ = self.peer.send(&[ToWorker::Interrupt]);
    }

    /// How many of its tests can be taken back: not the one that runs, nor what is
    /// in one unit with it.
    pub(super) fn revocable(&self) -> usize {
        let unit = self.jobs.front().and_then(Job::unit);
        let waits = |j: &&Job| matches!(j, Job::Test(..)) && (unit.is_none() || j.unit() != unit);
        self.jobs.iter().skip(1).filter(waits).count()
    }
}

impl WorkerSlot {
    /// Whether its worker, if any, has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.held() == 0
    }

    pub(super) fn held(&self) -> usize {
        self.worker.as_ref().map_or(0, |w| w.jobs.len())
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.false_starts >= MAX_FALSE_STARTS || self.deaths >= MAX_DEATHS
    }

    /// Its worker has to be told of this module anew.
    pub(super) fn forget(&mut self, module: ModuleNumber) {
        if let Some(worker) = &mut self.worker {
            worker.told.remove(&module);
        }
    }

    /// Asks its worker to end.
    pub(super) fn close(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.peer.close();
        }
    }
}

/// What the names of one worker's own files in the cache begin with.
fn own_name(run: &str, slot: usize, life: u64) -> String {
    format!("{run}-w{slot}-{life}")
}

/// The file in which a worker leaves a state for the compiler: it is told that name.
fn name_of_state(run: &str, slot: usize, life: u64, of: SnapshotNumber) -> String {
    Cache::name_in_a_run(&own_name(run, slot, life), of.0, "state")
}

impl Run<'_> {
    /// Starts the first worker, and the second where all tests are meant: then there is hardly ever
    /// nothing for it to do. More are started once it is known how many tests there are.
    pub(super) fn start_workers(&mut self) {
        self.start_worker(0);
        let all = self.settings.selection.filter.means_all();
        if all && self.goal == Goal::Run && self.workers.len() > 1 {
            self.start_worker(1);
        }
    }

    /// Starts a worker in a slot.
    pub(super) fn start_worker(&mut self, number: usize) {
        let slot = &mut self.workers[number];
        slot.life += 1;
        let (life, tx) = (slot.life, self.tx.clone());
        // without it each result is a message
        let results = ResultReader::new(&self.settings.host.temp_dir).ok();
        let file = results.as_ref().and_then(|results| results.file().ok());
        let on_messages = move |messages| {
            let _ = tx.send(match messages {
                Some(messages) => Message::Worker(number, life, messages),
                None => Message::WorkerEnded(number, life),
            });
        };
        let started = Peer::start::<FromWorker>(Role::Worker, self.home, file, on_messages);
        match started {
            Ok(mut peer) => {
                // a worker that died already is noticed by its end of the channel
                let own = own_name(&self.setup.run, number, life);
                let setup = WorkerSetup {
                    own,
                    ..self.setup.clone()
                };
                let _ = peer.send(&[ToWorker::Setup(setup)]);
                slot.worker = Some(Worker {
                    peer,
                    told: FxHashSet::default(),
                    has_run: FxHashSet::default(),
                    values: HashSet::new(),
                    began: HashSet::new(),
                    told_fixtures: HashSet::new(),
                    told_snapshots: HashSet::new(),
                    jobs: VecDeque::new(),
                    results,
                    read: 0,
                    told_results: 0,
                    read_at: None,
                    ready: false,
                    since: Instant::now(),
                    doing: Doing::Jobs,
                    slow_said: false,
                    revoking: false,
                    asked: None,
                    killed: None,
                    taking_down: None,
                    told_down: 0,
                    started: Instant::now(),
                    processor_time: Duration::ZERO,
                    gives_back: 0,
                    stop_asked: None,
                    keeping: None,
                    told_of_states: HashSet::new(),
                    lied: None,
                    not_set_up: None,
                });
            }
            Err(e) => {
                slot.false_starts = MAX_FALSE_STARTS;
                if self.workers.iter().all(WorkerSlot::is_given_up) {
                    self.no_worker_is_left(format!("no worker process can be started: {e}"));
                }
            }
        }
    }

    /// Whether a slot's worker has run another module's code than this one's: what it says of
    /// this one may be that one's word.
    pub(super) fn has_run_another(&self, number: usize, module: ModuleNumber) -> bool {
        let worker = self.workers[number].worker.as_ref();
        worker.is_some_and(|worker| worker.has_run.iter().any(|ran| *ran != module))
    }

    /// Has a worker end that has nothing to do any more; nobody waits for that.
    pub(super) fn retire(&mut self, number: usize) {
        let slot = &mut self.workers[number];
        slot.close();
        if let Some(worker) = slot.worker.take() {
            self.retired.push((number, slot.life, worker.peer));
        }
    }

    /// A worker has something to say.
    pub(super) fn on_message(&mut self, number: usize, life: u64, message: FromWorker) {
        if self.workers[number].life != life {
            return;
        }
        // what it has told without a message came before
        self.read_results(number);
        let heard = self.workers[number].worker.as_ref();
        let Some(worker) = heard.filter(|w| w.lied.is_none()) else {
            return;
        };
        if let Err(lie) = self.admit(worker, &message) {
            return self.unexpected(number, lie);
        }
        let slot = &mut self.workers[number];
        let Some(worker) = &mut slot.worker else {
            return;
        };
        match message {
            FromWorker::Ready => {
                worker.ready = true;
                slot.false_starts = 0;
                self.first_job_begins(number);
            }
            FromWorker::SetupFailed(why) => {
                worker.not_set_up = Some(why);
                worker.peer.kill();
            }
            FromWorker::Listed { module, tests } => {
                worker.jobs.pop_front();
                slot.deaths = 0;
                worker.peer.may_list(false);
                worker.has_run.insert(module);
                if !self.stopping {
                    self.listing_came(module, tests);
                }
                self.first_job_begins(number);
            }
            FromWorker::Passed(task, start, duration) => {
                self.on_test_end(number, Done::passed(task, start, duration));
            }
            FromWorker::Results => {
                worker.told_results += 1;
                worker.look_again();
            }
            FromWorker::Done(done) => self.on_test_end(number, *done),
            FromWorker::Stopped(stopped) => match worker.jobs.front() {
                Some(Job::Teardown(unit, _)) if *unit == stopped.task => {
                    let unit = *unit;
                    worker.jobs.pop_front();
                    let cause =
                        limit::passed_in_the_host(stopped.duration, self.settings.limit_of, None);
                    self.unit_not_torn_down(unit, cause);
                    let rest = self.abandon(number).into_iter().map(|(test, _)| test);
                    self.queue_again(rest.collect());
                }
                _ => self.stopped(number, *stopped),
            },
            FromWorker::Revoked(tasks) => {
                worker.revoking = false;
                worker.gives_back -= 1;
                let back = tasks.into_iter().filter_map(|t| self.take_back(number, t));
                let back: Vec<PlannedTest> = back.collect();
                self.queue_again(back);
            }
            FromWorker::UnitDone(unit, failures) => {
                worker.jobs.pop_front();
                worker.began.remove(&unit);
                worker.taking_down = None;
                if let Some((module, _)) = self.units.remove(&unit) {
                    for failure in failures {
                        self.suite_failed(module, failure);
                    }
                }
                self.check_max_fail();
                self.first_job_begins(number);
            }
            FromWorker::TakingDown(of, kind) => {
                worker.taking_down = Some(of.clone());
                worker.told_down += 1;
                let module = match worker.jobs.front() {
                    Some(Job::Teardown(unit, _)) => self.units.get(unit).map(|(m, _)| *m),
                    Some(Job::Test(task, _)) => self.given.get(task).map(|t| t.module),
                    Some(Job::List(_)) | None => None,
                };
                self.waits_for_teardown(module, of, kind);
            }
            FromWorker::State(snapshot, size, beside, wrote) => {
                worker.told_of_states.insert(snapshot);
                let state = name_of_state(&self.setup.run, number, life, snapshot);
                self.state_came(snapshot, state, size, beside, wrote);
            }
            FromWorker::Keeping(snapshot, bytes) => {
                worker.told_of_states.insert(snapshot);
                worker.keeping = Some(snapshot);
                worker.begins(Doing::Keeping);
                self.keeping_state(snapshot, bytes);
            }
            FromWorker::Kept(snapshot, bytes, beside, wrote) => {
                worker.keeping = None;
                worker.begins(Doing::Jobs);
                self.state_kept(snapshot, bytes, beside, wrote);
            }
            FromWorker::NoState(snapshot, why) => {
                worker.told_of_states.insert(snapshot);
                if worker.keeping.take().is_some() {
                    worker.begins(Doing::Jobs);
                }
                self.no_state(snapshot, why);
            }
            // never admitted
            FromWorker::SetUp(..) | FromWorker::TornDown(..) | FromWorker::Logged(..) => {}
        }
    }

    /// An interrupted run waits for a teardown: worth a word.
    pub(super) fn waits_for_teardown(
        &mut self,
        module: Option<ModuleNumber>,
        of: String,
        kind: FixtureKind,
    ) {
        if let (Some(module), Some(_)) = (module, self.interrupted_at) {
            let (of, step) = (self.fixture_name(module, of, kind), SuiteStep::TearingDown);
            self.ledger.progress(Progress::suite(&of, step));
        }
    }

    /// The first of a worker's jobs has come to its end.
    pub(super) fn on_test_end(&mut self, number: usize, done: Done) {
        let slot = &mut self.workers[number];
        let Some(worker) = &mut slot.worker else {
            return;
        };
        let Some(job) = worker.jobs.pop_front() else {
            return;
        };
        slot.deaths = 0;
        worker.began.extend(job.unit());
        worker.taking_down = None;
        let took = worker.since.elapsed();
        let gives_back = done.gives_back(self.setup.after_failure);
        worker.gives_back += usize::from(gives_back);
        worker.begins(Doing::Jobs);
        self.done(number, done, took);
        if !gives_back {
            self.first_job_begins(number);
        }
    }

    /// A worker that says what it cannot is not to be trusted with anything else.
    pub(super) fn unexpected(&mut self, number: usize, what: Lie) {
        self.ledger
            .internal_error(format!("worker {} sent {what}", number + 1));
        if let Some(worker) = &mut self.workers[number].worker {
            worker.lied = Some(what);
            worker.peer.kill();
        }
    }

    fn done(&mut self, number: usize, done: Done, took: Duration) {
        let Some(test) = self.given.remove(&done.task) else {
            return;
        };
        if let Some(worker) = &mut self.workers[number].worker {
            worker.has_run.insert(test.module);
        }
        let outcome = match done.outcome {
            Ok(Outcome::Interrupted) => self.cut_short(),
            Ok(outcome) => outcome,
            Err(error) => return self.not_loadable(number, test, error),
        };
        if !test.announced && done.start > Duration::ZERO {
            // it began just before the worker heard that the run is interrupted
            self.ledger.emit(&Event::Started(test.info.clone()));
        }
        // what is around a test takes its time too
        self.pace.0 = self
            .pace
            .0
            .saturating_add(match test.place.around.is_empty() {
                true => done.duration,
                false => took.max(done.duration),
            });
        self.pace.1 = self.pace.1.saturating_add(1);
        let is_good = outcome.is_good();
        if is_good {
            // what was stopped, or failed, might have taken any time
            self.note_pace(number, &test, done.duration);
        }
        self.kept_scratch |= done.output.scratch.is_some();
        for failure in done.suites {
            self.suite_failed(test.module, failure);
        }
        if let Some(made) = done.made {
            self.making.seen(test.module, made);
        }
        if let Some(source) = done.as_source
            && self.settings.verbosity == Verbosity::Verbose
        {
            let id = &test.info.id;
            let told = format!("{id}: {source} was found, as file!() names it; that is no path");
            self.ledger.note(told);
        }
        let ran = Ran {
            worker: self.worker_number(number),
            start: since_epoch(done.start),
            duration: done.duration,
            compiler: test.compiler.map(Compiler::name),
        };
        let mut output = done.output;
        if !is_good {
            output.setups.splice(0..0, self.shared_wrote(&test));
        }
        self.ledger.ended(TestEnd {
            test: test.info,
            order: test.order,
            // a test whose suite is not there was never begun
            ran: (done.start > Duration::ZERO).then_some(ran),
            outcome,
            output,
        });
        if !is_good {
            self.check_max_fail();
        }
    }

    /// A test's module cannot be loaded, which concerns its other tests, too: believed of a
    /// worker that has run no other module's code. Otherwise one that is new is asked.
    fn not_loadable(&mut self, number: usize, test: PlannedTest, error: LoadError) {
        let module = test.module;
        if !matches!(self.home, Home::Thread) && self.has_run_another(number, module) {
            return self.ask_another(number, test);
        }
        if let LoadError::Artefact(why) = error {
            self.compile_again(module, why);
            self.queue_again(vec![test]);
        } else {
            self.ledger.never_begun(&[test], NO_MODULE);
            self.module_failed(module, error);
        }
    }

    pub(super) fn worker_number(&self, slot: usize) -> usize {
        match self.home {
            Home::Process(_) => slot + 1,
            Home::Thread => 0,
            #[cfg(test)]
            Home::Fake(_) => slot + 1,
        }
    }
}
