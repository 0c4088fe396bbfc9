//! States from which tests begin: taken here once, mapped as soon as that can be done.
//!
//! A small one is copied, and begun from by copying, until a compiler has made of it what
//! all workers map. A large one is written to a file by one worker of them all, which maps
//! it from there like the others: no copy of it is in any memory.
//!
//! A setup that did something outside of its own memory cannot be replayed; then,
//! and where its module could not be rewritten, it is run again for each test.

use super::fixture_instance::FixtureInstance;
use crate::event::{SetupOutput, SetupRun};
use crate::module::cache::Cache;
use crate::protocol::{Beside, FromWorker, SnapshotNumber, StateForm, Task};
use crate::sandbox::engine;
use crate::sandbox::guest::Sandbox;
use crate::sandbox::live::{Beginning, CapturedMemory, Live, MappedSnapshot};
use crate::sandbox::program::Program;
use std::collections::HashMap;
use std::fs::File;
use std::io;

/// A memory of so many bytes is large. The engine leaves what was compiled where it is mapped
/// and only puts right what a test wrote, which saves a small test 0.1 ms of page faults
/// (measured); but compiling takes several times as much memory as the state, and as
/// long as some thousand tests save. So a compiler makes an image of every state that it gets.
const LARGE: u64 = engine::LARGEST_SPARSE_IMAGE;

/// What there is of a state.
pub enum KnownState {
    /// It cannot be kept.
    Nothing,
    /// What was taken here.
    Captured(Box<CapturedMemory>),
    /// What all workers can map, and this one has not yet.
    Told {
        /// The name of the file that it is kept in.
        file: StateForm<String>,
        /// What belongs to it beside its memory.
        beside: Beside,
    },
    /// What all workers map.
    Mapped(MappedSnapshot),
}

/// The states that tests of this worker's begin from.
pub struct Snapshots {
    known: HashMap<SnapshotNumber, KnownState>,
    /// What was written until each of them was taken.
    wrote: HashMap<SnapshotNumber, Vec<SetupOutput>>,
    cache: Cache,
    /// What the names of this run's own files in the cache begin with.
    run: String,
    /// And those of this worker's own.
    own: String,
}

impl Snapshots {
    /// No state yet.
    pub(super) fn new(cache: Cache, run: String, own: String) -> Self {
        Snapshots {
            known: HashMap::new(),
            wrote: HashMap::new(),
            cache,
            run,
            own,
        }
    }

    /// All workers can map a state: what was taken of it here is not needed any more.
    pub(super) fn told(
        &mut self,
        number: SnapshotNumber,
        file: StateForm<String>,
        beside: Beside,
        wrote: Vec<SetupOutput>,
    ) {
        self.known.insert(number, KnownState::Told { file, beside });
        self.wrote.insert(number, wrote);
    }

    /// Where an instance for this task begins, and how many of its steps that holds.
    pub(super) fn beginning(&self, task: &Task) -> (Beginning<'_>, usize) {
        let kept = task
            .snapshot
            .map(|of| (self.known.get(&of.number), of.steps));
        match kept {
            Some((Some(KnownState::Captured(taken)), steps)) => (Beginning::Captured(taken), steps),
            Some((Some(KnownState::Mapped(snapshot)), steps)) => {
                (Beginning::Mapped(snapshot), steps)
            }
            _ => (Beginning::Module, 0),
        }
    }

    /// What was written before an instance for this task began, if it begins so.
    pub(super) fn wrote_before(&self, task: &Task, at: &Beginning<'_>) -> Vec<SetupOutput> {
        let wrote = match (at, task.snapshot) {
            (Beginning::Module, _) | (_, None) => None,
            (Beginning::Captured(_) | Beginning::Mapped(_), Some(of)) => self.wrote.get(&of.number),
        };
        wrote.cloned().unwrap_or_default()
    }

    /// Which state is to be taken after so many of a task's steps, if one is.
    pub(super) fn wanted(&self, task: &Task, steps: usize) -> Option<SnapshotNumber> {
        let of = task.snapshot.filter(|of| of.steps == steps)?;
        (!self.known.contains_key(&of.number)).then_some(of.number)
    }

    /// Takes the state in which an instance stands.
    pub(super) fn take(
        &mut self,
        number: SnapshotNumber,
        instance: &mut FixtureInstance,
        program: &Program,
        tell: &dyn Fn(&FromWorker),
    ) {
        let wrote = instance.wrote(SetupRun::Replayed);
        self.wrote.insert(number, wrote.clone());
        let live = instance.live();
        let kept = live.size(program).and_then(|size| match size {
            LARGE.. => self.keep(number, live, program, (size, wrote), tell),
            _ => self.copy(number, live, program, wrote, tell),
        });
        let kept = kept.unwrap_or_else(|why| {
            tell(&FromWorker::NoState(number, why));
            KnownState::Nothing
        });
        self.known.insert(number, kept);
    }

    /// Takes a small state, and writes it down for the compiler.
    fn copy(
        &self,
        number: SnapshotNumber,
        live: &mut Live,
        program: &Program,
        wrote: Vec<SetupOutput>,
        tell: &dyn Fn(&FromWorker),
    ) -> Result<KnownState, String> {
        let (taken, state) = live.take(program)?;
        let name = Cache::name_in_a_run(&self.own, number.0, "state");
        self.cache
            .store_state(&name, &state)
            .map_err(|e| format!("it cannot be written: {e}"))?;
        let (size, beside) = (taken.size(), taken.beside().clone());
        tell(&FromWorker::State(number, size, beside, wrote));
        Ok(KnownState::Captured(Box::new(taken)))
    }

    /// Keeps a large state, unless another worker has done so meanwhile: then this one
    /// begins from that, too.
    fn keep(
        &self,
        number: SnapshotNumber,
        live: &mut Live,
        program: &Program,
        (size, wrote): (u64, Vec<SetupOutput>),
        tell: &dyn Fn(&FromWorker),
    ) -> Result<KnownState, String> {
        tell(&FromWorker::Keeping(number, size));
        let name = Cache::name_in_a_run(&self.run, number.0, "state");
        let write = |file: &File| live.write(program, file);
        let beside: Beside = self.cache.keep_memory(&name, write)?;
        tell(&FromWorker::Kept(number, size, beside.clone(), wrote));
        Ok(KnownState::Told {
            file: StateForm::Memory(name),
            beside,
        })
    }

    /// Maps the state that a task begins from, if it was told of and is not mapped yet.
    pub(super) fn map(&mut self, task: &Task, program: &Program, sandbox: &Sandbox) {
        let Some(of) = task.snapshot else {
            return;
        };
        let Some(KnownState::Told { file, beside }) = self.known.get(&of.number) else {
            return;
        };
        let opened: io::Result<StateForm<File>> = match file {
            StateForm::Compiled(name) => self.cache.open_artefact(name).map(StateForm::Compiled),
            StateForm::Memory(name) => self.cache.open_memory(name).map(StateForm::Memory),
        };
        let opened = opened.map_err(|e| e.to_string());
        let mapped = opened.and_then(|file| sandbox.map(program, file, beside));
        // one that does not fit is not used: the setup is run
        let kept = mapped.map_or(KnownState::Nothing, KnownState::Mapped);
        self.known.insert(of.number, kept);
    }
}
