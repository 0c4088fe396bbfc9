//! A module that is ready to run: instances are made of it, and begun.

use super::call_result::enough;
use super::guest_code::GuestCode;
use super::process_id::Setter;
use super::shared_memory;
use super::snapshot::{Replayed, SnapshotImage};
use super::state::State;
use crate::event::Cause;
use crate::harness::termination::Termination;
use crate::instrument::gaps::{Gap, Gaps};
use crate::instrument::{PAGE, RewriteFacts};
use std::rc::Rc;
use std::sync::Arc;
use wasmtime::{Engine, Instance, InstancePre, Linker, Module, Store, component};
use wasmtime_wasi::p2::bindings::sync::CommandIndices;

/// A module that is ready to be instantiated.
pub struct Program {
    pub(super) engine: Engine,
    pub(super) kind: ProgramKind,
    /// What a guest of it runs, for whoever stops it.
    pub(super) code: Arc<GuestCode>,
    process_id: Setter,
    /// By how many bytes its memories may grow unseen.
    pub(super) unseen: u64,
    /// How much its memories have from the start, all of them as the largest, in bytes.
    pub(super) declared: u64,
}

pub(super) enum ProgramKind {
    Core(InstancePre<State>),
    Rewritten(Box<Rewritten>),
    Component(Box<(component::InstancePre<State>, CommandIndices)>),
}

impl ProgramKind {
    fn code(&self) -> GuestCode {
        match self {
            ProgramKind::Core(pre) => GuestCode::of_module(pre.module()),
            ProgramKind::Rewritten(rewritten) => GuestCode::of_module(&rewritten.main),
            ProgramKind::Component(pre) => GuestCode::of_component(pre.0.component()),
        }
    }

    fn declared(&self) -> u64 {
        let required = match self {
            ProgramKind::Core(pre) => Some(pre.module().resources_required()),
            ProgramKind::Rewritten(rewritten) => Some(rewritten.main.resources_required()),
            // of components that are parts of each other it is not known
            ProgramKind::Component(pre) => pre.0.component().resources_required(),
        };
        let required = required.map(|r| (r.num_memories, r.max_initial_memory_size));
        let (memories, largest) = required.unwrap_or_default();
        let largest = largest.unwrap_or(0).saturating_mul(PAGE);
        largest.saturating_mul(memories.into())
    }
}

/// A core module whose memory comes from outside.
pub(super) struct Rewritten {
    pub(super) main: Module,
    pub(super) linker: Linker<State>,
    /// Where it begins when nothing was set up.
    pub(super) begin: Rc<SnapshotImage<State>>,
    pub(super) facts: RewriteFacts,
}

/// An instance, and what its memory has to be given back to.
pub(super) struct Made {
    pub(super) instance: Instance,
    pub(super) replayed: Option<(Rc<SnapshotImage<State>>, Replayed)>,
}

impl Made {
    /// To be called when it is done with, before its store is dropped.
    pub(super) fn release(&self, store: &mut Store<State>) {
        if let Some((replay, replayed)) = &self.replayed {
            replay.release(store, replayed);
        }
    }
}

/// Why a program cannot be made of an artefact.
#[derive(Debug)]
pub enum LoadProblem {
    /// The artefact is at fault.
    Artefact(String),
    Module(Cause),
}

impl Program {
    pub(super) fn new(engine: Engine, kind: ProgramKind) -> Program {
        Program {
            declared: kind.declared(),
            code: Arc::new(kind.code()),
            engine,
            kind,
            process_id: Setter::None,
            unseen: 0,
        }
    }

    /// The same, knowing the file that it was made of: how far its shared memories may grow.
    ///
    /// # Errors
    /// If that is no module.
    pub fn with_file(mut self, bytes: &[u8]) -> Result<Program, LoadProblem> {
        let growth = shared_memory::growth(bytes);
        let refused =
            |e: wasmparser::BinaryReaderError| LoadProblem::Module(Cause::new(e.to_string()));
        self.unseen = growth.map_err(refused)?;
        Ok(self)
    }

    /// The same, knowing what was filled in before it was compiled: a function of a guest's own that
    /// is called as ours is must not be called.
    pub fn filled_in(mut self, gaps: &Gaps) -> Program {
        if gaps.process_id == Gap::Filled {
            self.process_id = match &self.kind {
                ProgramKind::Core(pre) => Setter::of_module(pre.module()),
                ProgramKind::Rewritten(rewritten) => Setter::of_module(&rewritten.main),
                ProgramKind::Component(pre) => Setter::of_component(pre.0.component()),
            };
        }
        self
    }

    pub(super) fn start(
        &self,
        store: &mut Store<State>,
        entered: &mut bool,
        made: &mut Option<Made>,
    ) -> wasmtime::Result<Termination> {
        match &self.kind {
            ProgramKind::Core(_) | ProgramKind::Rewritten(_) => {
                let instance = made.insert(self.instantiate(store)?).instance;
                let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
                *entered = true;
                start.call(store, ())?;
                Ok(Termination::Returned)
            }
            ProgramKind::Component(command) => {
                let (pre, indices) = &**command;
                let instance = pre.instantiate(&mut *store)?;
                let command = indices.load(&mut *store, &instance)?;
                self.process_id.set_in_component(store, &instance)?;
                *entered = true;
                Ok(match command.wasi_cli_run().call_run(store)? {
                    Ok(()) => Termination::Returned,
                    Err(()) => Termination::ReturnedFailure,
                })
            }
        }
    }

    /// An instance whose exports are called one by one.
    pub(super) fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Made> {
        let allowed = store.data().limits.own();
        match &self.kind {
            ProgramKind::Component(_) => {
                wasmtime::bail!("the tests of a component cannot be called one by one")
            }
            ProgramKind::Core(pre) => {
                if let Some(allowed) = allowed {
                    let mut exports = pre.module().exports();
                    let memory = exports.find_map(|e| e.ty().memory().cloned());
                    let needed = memory.map_or(0, |m| m.minimum() * m.page_size());
                    enough(allowed, needed)?;
                }
                let instance = pre.instantiate(&mut *store)?;
                self.process_id.set(store, &instance)?;
                Ok(Made {
                    instance,
                    replayed: None,
                })
            }
            ProgramKind::Rewritten(rewritten) => {
                if let Some(allowed) = allowed {
                    enough(allowed, rewritten.facts.memory.minimum * PAGE)?;
                }
                self.begun_at(&rewritten.begin, store)
            }
        }
    }

    /// An instance that begins from a state.
    pub(super) fn begun_at(
        &self,
        replay: &Rc<SnapshotImage<State>>,
        store: &mut Store<State>,
    ) -> wasmtime::Result<Made> {
        let replayed = replay.instantiate(store)?;
        // no part of the state: another process than the one that came to it
        self.process_id.set(store, &replayed.instance)?;
        Ok(Made {
            instance: replayed.instance,
            replayed: Some((replay.clone(), replayed)),
        })
    }
}
