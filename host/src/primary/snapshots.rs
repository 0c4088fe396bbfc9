//! Snapshots: the state after a split fixture's setup, made once and mapped by all workers.
//!
//! The first worker that has set a fixture up writes the state to the cache folder; of a
//! small one a compiler process makes the form that can be mapped, and all workers are told.
//! Until then each of them begins from what it took itself. A large one is mapped as it was
//! written. A snapshot is of
//! one run: its key is the module, the steps it holds and what is granted beside
//! the run's own grants; everything else is the same throughout a run.

use super::Run;
use crate::event::{Cause, FixtureKind, Progress, SetupOutput, SnapshotStep};
use crate::module::cache::{Cache, RunMark};
use crate::plan::{PlannedTask, PlannedTest};
use crate::protocol::suites::{FixtureStep, StepAction};
use crate::protocol::{
    Beside, FixtureNumber, ModuleNumber, SnapshotNumber, SnapshotUse, StateForm, StateJob, ToWorker,
};
use crate::settings::Snapshots;
use std::collections::HashMap;

/// The snapshots of a run.
#[derive(Default)]
pub(super) struct SnapshotTable {
    known: HashMap<Key, SnapshotNumber>,
    /// How many tests would begin from each.
    planned: HashMap<Key, usize>,
    all: Vec<Snapshot>,
    /// Says that what is kept of them is not left over, once there is one.
    mark: Option<RunMark>,
}

impl SnapshotTable {
    /// Whether there is, or was, some state of this module.
    pub(super) fn has_some_of(&self, module: ModuleNumber) -> bool {
        self.all.iter().any(|snapshot| snapshot.module == module)
    }

    /// Nothing of them is left behind; to be called once nobody is left who writes some.
    pub(super) fn remove(self, cache: &Cache, run: &str) {
        if self.all.is_empty() {
            return;
        }
        cache.remove_run(run);
        // gone at last: until then the next run would find what is left here
        drop(self.mark);
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    module: ModuleNumber,
    steps: Vec<FixtureStep>,
    fixtures: Vec<FixtureNumber>,
}

struct Snapshot {
    module: ModuleNumber,
    /// Its name for people: the innermost suite or fixture that it holds.
    of: String,
    kind: FixtureKind,
    /// What was written until it was taken.
    wrote: Vec<SetupOutput>,
    /// The file name of its compiled form.
    artefact: String,
    phase: Phase,
}

enum Phase {
    /// No worker has told of it.
    Unknown,
    /// A worker writes it to where all can map it.
    Keeping,
    /// It is made again for each test.
    Refused,
    /// Each worker begins from what it took itself, for good.
    Unshared,
    Compiling {
        /// The file of the state, until the compiler takes it.
        state: String,
        beside: Beside,
    },
    Mapped(StateForm<String>, Beside),
}

impl Run<'_> {
    /// The state from which a test may begin.
    pub(super) fn snapshot_of(
        &mut self,
        test: &PlannedTest,
        fixtures: &[FixtureNumber],
    ) -> Option<SnapshotUse> {
        let (end, key) = self.snapshot_key(test, fixtures)?;
        if let Some(number) = self.snapshots.known.get(&key) {
            let refused = matches!(self.snapshots.all[number.0].phase, Phase::Refused);
            return (!refused).then_some(SnapshotUse {
                number: *number,
                steps: end,
            });
        }
        // one test alone would only pay for it
        if self.snapshots.planned.get(&key).copied().unwrap_or(0) < 2 {
            return None;
        }
        let steps = &test.place.around.steps;
        let held = &steps[..end];
        let runs = |s: &FixtureStep| s.action == StepAction::Run;
        let last = held.iter().rfind(|s| runs(s));
        let fresh = || steps.iter().find(|s| runs(s) && !s.of_one_test);
        let (of, kind) = match last.or_else(fresh) {
            Some(step) => (step.of().to_owned(), step.kind()),
            // nothing that would have to be run again
            None => return None,
        };
        let why = match (
            self.settings.snapshots,
            &self.modules[test.module.0].why_plain,
        ) {
            (Snapshots::Off, _) => Some("--no-snapshot".to_owned()),
            (_, Some(why)) => Some(format!("its module cannot be rewritten: {why}")),
            _ if last.is_none() => Some("it is marked `fresh`".to_owned()),
            _ => None,
        };
        if self.snapshots.all.is_empty() {
            // where it cannot be marked it is swept by nobody
            self.snapshots.mark = self.cache.mark_run(&self.setup.run).ok();
        }
        let number = SnapshotNumber(self.snapshots.all.len());
        self.snapshots.known.insert(key, number);
        self.snapshots.all.push(Snapshot {
            module: test.module,
            of,
            kind,
            wrote: Vec::new(),
            artefact: Cache::name_in_a_run(&self.setup.run, number.0, "cwasm"),
            phase: match why {
                None => Phase::Unknown,
                Some(_) => Phase::Refused,
            },
        });
        match why {
            Some(why) => {
                self.say_snapshot(number, SnapshotStep::Rerun { why });
                None
            }
            None => Some(SnapshotUse { number, steps: end }),
        }
    }

    /// What a test's state would be known by, and how many of its steps it holds.
    fn snapshot_key(&self, test: &PlannedTest, fixtures: &[FixtureNumber]) -> Option<(usize, Key)> {
        let steps = &test.place.around.steps;
        // a value of one test's own is no state that others could begin from
        if steps.iter().all(|s| s.of_one_test) || test.place.unit.is_some() {
            return None;
        }
        // what wants to be run anew, and all that comes after it, is no part of it
        let end = steps.iter().position(|s| s.fresh).unwrap_or(steps.len());
        let key = Key {
            module: test.module,
            steps: steps[..end].to_vec(),
            fixtures: fixtures.to_vec(),
        };
        Some((end, key))
    }

    /// The state from which a test that was given to a worker may begin.
    pub(super) fn begins_from(&self, test: &PlannedTest) -> Option<SnapshotNumber> {
        let (_, key) = self.snapshot_key(test, &self.fixtures_of(test))?;
        self.snapshots.known.get(&key).copied()
    }

    /// Takes note of tests that may begin from one state.
    pub(super) fn plan_snapshots(&mut self, tasks: &[PlannedTask]) {
        for test in tasks.iter().flat_map(PlannedTask::tests) {
            let fixtures = self.fixtures_of(test);
            if let Some((_, key)) = self.snapshot_key(test, &fixtures) {
                *self.snapshots.planned.entry(key).or_default() += 1;
            }
        }
    }

    /// What a worker has to be told before a test that may begin from this state.
    pub(super) fn tell_snapshot(&self, number: SnapshotNumber) -> Option<ToWorker> {
        let snapshot = &self.snapshots.all[number.0];
        match &snapshot.phase {
            Phase::Mapped(file, beside) => Some(ToWorker::Snapshot(
                number,
                file.clone(),
                beside.clone(),
                snapshot.wrote.clone(),
            )),
            _ => None,
        }
    }

    /// A worker has written a state.
    pub(super) fn state_came(
        &mut self,
        number: SnapshotNumber,
        state: String,
        size: u64,
        beside: Beside,
        wrote: Vec<SetupOutput>,
    ) {
        let wanted = !self.stopping
            && matches!(
                self.snapshots.all.get(number.0),
                Some(Snapshot {
                    phase: Phase::Unknown,
                    ..
                })
            );
        if !wanted {
            // somebody else's was first
            self.cache.remove_state(&state);
            return;
        }
        let snapshot = &mut self.snapshots.all[number.0];
        snapshot.wrote = wrote;
        self.forms.want_state(StateJob {
            number,
            compiler: self.modules[snapshot.module.0].spec.compiler,
            state: self.cache.dir().join(&state),
        });
        snapshot.phase = Phase::Compiling { state, beside };
        self.compile();
        // workers begin from what they took themselves until this is done
        if matches!(self.snapshots.all[number.0].phase, Phase::Compiling { .. }) {
            self.say_snapshot(number, SnapshotStep::Kept { bytes: size });
        }
    }

    /// The name of the file in which a state's compiled form is kept.
    pub(super) fn state_artefact(&self, number: SnapshotNumber) -> Option<String> {
        let snapshot = self.snapshots.all.get(number.0);
        snapshot.map(|snapshot| snapshot.artefact.clone())
    }

    /// Workers go on with what each of them took.
    pub(super) fn not_shared(&mut self, number: SnapshotNumber, why: &str) {
        let snapshot = &mut self.snapshots.all[number.0];
        snapshot.phase = Phase::Unshared;
        let note = format!("the snapshot of `{}` is not shared: {why}", snapshot.of);
        self.ledger.note(note);
    }

    /// A worker has found that there can be no snapshot.
    pub(super) fn no_state(&mut self, number: SnapshotNumber, why: String) {
        let Some(snapshot) = self.snapshots.all.get_mut(number.0) else {
            return;
        };
        if matches!(snapshot.phase, Phase::Unknown | Phase::Keeping) {
            snapshot.phase = Phase::Refused;
            self.say_snapshot(number, SnapshotStep::Rerun { why });
        }
    }

    /// A compiler is done with a state.
    pub(super) fn state_compiled(&mut self, number: SnapshotNumber, result: Result<(), Cause>) {
        let Some(snapshot) = self.snapshots.all.get_mut(number.0) else {
            return;
        };
        let taken = std::mem::replace(&mut snapshot.phase, Phase::Unshared);
        let Phase::Compiling { state, beside } = taken else {
            snapshot.phase = taken;
            return;
        };
        self.cache.remove_state(&state);
        if let Err(why) = result {
            return self.not_shared(number, &why.message);
        }
        let file = StateForm::Compiled(snapshot.artefact.clone());
        snapshot.phase = Phase::Mapped(file, beside);
        self.tell_all_of_snapshot(number);
    }

    /// A worker begins to keep a large state.
    pub(super) fn keeping_state(&mut self, number: SnapshotNumber, bytes: u64) {
        let Some(snapshot) = self.snapshots.all.get_mut(number.0) else {
            return;
        };
        if matches!(snapshot.phase, Phase::Unknown) {
            snapshot.phase = Phase::Keeping;
            self.say_snapshot(number, SnapshotStep::Keeping { bytes });
        }
    }

    /// A large state is kept, in a file that can be mapped.
    pub(super) fn state_kept(
        &mut self,
        number: SnapshotNumber,
        bytes: u64,
        beside: Beside,
        wrote: Vec<SetupOutput>,
    ) {
        let file = self.memory_of(number);
        let Some(snapshot) = self.snapshots.all.get_mut(number.0) else {
            return;
        };
        // others that have set it up meanwhile say so, too
        if matches!(snapshot.phase, Phase::Unknown | Phase::Keeping) {
            snapshot.phase = Phase::Mapped(StateForm::Memory(file), beside);
            snapshot.wrote = wrote;
            self.say_snapshot(number, SnapshotStep::Kept { bytes });
            self.tell_all_of_snapshot(number);
        }
    }

    /// The name of the file that holds the memory of a large state.
    fn memory_of(&self, number: SnapshotNumber) -> String {
        Cache::name_in_a_run(&self.setup.run, number.0, "state")
    }

    /// Workers that do not wait for a test of it are told as well: they may hold some.
    fn tell_all_of_snapshot(&mut self, number: SnapshotNumber) {
        let Some(message) = self.tell_snapshot(number) else {
            return;
        };
        for worker in self.workers.iter_mut().filter_map(|s| s.worker.as_mut()) {
            if worker.told_snapshots.insert(number) {
                let _ = worker.peer.send(std::slice::from_ref(&message));
            }
        }
    }

    /// None of them is made any more.
    pub(super) fn forget_snapshots(&mut self) {
        self.compilers.end(&self.forms.forget_states());
    }

    fn say_snapshot(&mut self, number: SnapshotNumber, step: SnapshotStep) {
        let snapshot = &self.snapshots.all[number.0];
        let of = self.fixture_name(snapshot.module, snapshot.of.clone(), snapshot.kind);
        self.ledger.progress(Progress::snapshot(&of, &step));
    }
}
