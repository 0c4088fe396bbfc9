//! States from which tests begin: taken here once, mapped as soon as that can be done.
//!
//! A setup that did something outside of its own memory cannot be replayed; then,
//! and where its module could not be rewritten, it is run again for each test.

use super::execute::Executor;
use super::stand::Stand;
use crate::event::{SetupOutput, SetupRun};
use crate::module::cache::Cache;
use crate::protocol::{FromWorker, SnapshotNumber, Task};
use crate::sandbox::guest::Program;
use crate::sandbox::live::{Beginning, Snapshot, Taken};
use crate::sandbox::snapshot::Beside;

/// What there is of a state.
pub enum Kept {
    /// It cannot be kept.
    Nothing,
    /// What was taken here.
    Taken(Box<Taken>),
    /// What all workers can map, and this one has not yet.
    Told {
        /// The file name of its compiled form.
        artefact: String,
        /// What belongs to it beside its memory.
        beside: Beside,
    },
    /// What all workers map.
    Mapped(Snapshot),
}

impl Executor {
    /// Where an instance for this task begins, and how many of its steps that holds.
    pub(super) fn beginning<'a>(
        snapshots: &'a std::collections::HashMap<SnapshotNumber, Kept>,
        task: &Task,
    ) -> (Beginning<'a>, usize) {
        let kept = task
            .snapshot
            .map(|of| (snapshots.get(&of.number), of.steps));
        match kept {
            Some((Some(Kept::Taken(taken)), steps)) => (Beginning::Taken(taken), steps),
            Some((Some(Kept::Mapped(snapshot)), steps)) => (Beginning::Mapped(snapshot), steps),
            _ => (Beginning::Module, 0),
        }
    }

    /// What was written before an instance for this task began, if it begins so.
    pub(super) fn wrote_before(&self, task: &Task, at: &Beginning<'_>) -> Vec<SetupOutput> {
        let wrote = match (at, task.snapshot) {
            (Beginning::Module, _) | (_, None) => None,
            (Beginning::Taken(_) | Beginning::Mapped(_), Some(of)) => self.wrote.get(&of.number),
        };
        wrote.cloned().unwrap_or_default()
    }

    /// After so many of a task's steps: its state is taken if it is the one that is wanted.
    pub(super) fn take_state(&mut self, stand: &mut Stand, task: &Task, steps: usize) {
        let Some(of) = task.snapshot.filter(|of| of.steps == steps) else {
            return;
        };
        if self.snapshots.contains_key(&of.number) {
            return;
        }
        let Ok((_, program)) = self.program(task.module) else {
            return;
        };
        let taken = stand.live().take(&program).and_then(|taken| {
            let name = Cache::name_for_a_run(of.number.0, "state");
            self.cache
                .store_state(&name, &taken.captured.state)
                .map_err(|e| format!("it cannot be written: {e}"))?;
            Ok((taken, name))
        });
        let kept = match taken {
            Ok((taken, name)) => {
                let wrote = stand.wrote(SetupRun::Replayed);
                self.outbox.push(FromWorker::State(
                    of.number,
                    name,
                    taken.size(),
                    taken.beside(),
                    wrote.clone(),
                ));
                self.wrote.insert(of.number, wrote);
                Kept::Taken(Box::new(taken))
            }
            Err(why) => {
                self.outbox.push(FromWorker::NoState(of.number, why));
                Kept::Nothing
            }
        };
        self.snapshots.insert(of.number, kept);
    }

    /// Maps the state that a task begins from, if it was told of and is not mapped yet.
    pub(super) fn map_state(&mut self, task: &Task, program: &Program) {
        let Some(of) = task.snapshot else {
            return;
        };
        let Some(Kept::Told { artefact, beside }) = self.snapshots.get(&of.number) else {
            return;
        };
        let file = self
            .cache
            .open_artefact(artefact)
            .map_err(|e| e.to_string());
        let mapped = file.and_then(|file| self.sandbox.map(program, file, beside));
        // one that does not fit is not used: the setup is run
        let kept = mapped.map_or(Kept::Nothing, Kept::Mapped);
        self.snapshots.insert(of.number, kept);
    }
}
