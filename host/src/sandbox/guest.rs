//! Runs guests: a program loaded once, a fresh store and instance for each call.
//!
//! Hot path: [`Sandbox::call`] runs for every test.

use super::called::{self, Called, Seen, enough};
use super::capture::Stream;
use super::clock::{self, Clock};
use super::deadline::{AtInterrupt, Deadline, Guard};
use super::engine;
use super::grants::{Grants, Reach, State};
use super::load::Host;
use super::process_id::Setter;
use super::scratch::Scratch;
use super::snapshot::{Replay, Replayed};
use crate::event::{Cause, Format};
use crate::grant::ModuleGrants;
use crate::harness::termination::Ending;
use crate::instrument::gaps::{Gap, Gaps};
use crate::instrument::{Facts, PAGE};
use crate::protocol::{
    FixtureGrant, FixtureNumber, Keep, ModuleNumber, UnknownImports, WorkerSetup,
};
use std::cell::OnceCell;
use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::{
    Engine, Instance, InstancePre, Linker, Module, Store, Trap, UpdateDeadline, WasmBacktrace,
    component,
};
use wasmtime_wasi::p2::bindings::sync::CommandIndices;

/// Everything that guests run in.
pub struct Sandbox {
    pooled: Host,
    /// For what no slot of the pool has room for.
    plain: OnceCell<Host>,
    wasm_stack: usize,
    grants: Grants,
    keep_scratch: Keep,
    /// What the machine's monotonic clock showed when the run began.
    began: Duration,
    pub(super) deadline: Deadline,
}

/// A module that is ready to be instantiated.
pub struct Program {
    pub(super) engine: Engine,
    pub(super) kind: Kind,
    process_id: Setter,
}

pub(super) enum Kind {
    Core(InstancePre<State>),
    Rewritten(Box<Rewritten>),
    Component(Box<(component::InstancePre<State>, CommandIndices)>),
}

/// A core module whose memory comes from outside.
pub(super) struct Rewritten {
    pub(super) main: Module,
    pub(super) linker: Linker<State>,
    /// Where it begins when nothing was set up.
    pub(super) begin: Rc<Replay<State>>,
    pub(super) facts: Facts,
}

/// An instance, and what its memory has to be given back to.
pub(super) struct Made {
    pub(super) instance: Instance,
    pub(super) replayed: Option<(Rc<Replay<State>>, Replayed)>,
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
    /// The module is.
    Module(Cause),
}

/// What is called in a program.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Its start: `_start`, or a component's `wasi:cli/run`.
    Start,
    /// One of the SDK's tests.
    Export {
        /// The export's name.
        name: &'a str,
    },
}

/// How a call is to be made.
pub struct Call<'a> {
    /// The test's id, which it may ask for.
    pub test_id: &'a str,
    /// How much memory it may use, in bytes.
    pub max_memory: Option<u64>,
    /// What it may reach.
    pub reach: Reach,
    /// The host fixtures that it is bound to, for what it may reach beside that.
    pub fixtures: &'a [FixtureNumber],
    /// All arguments, `argv[0]` included.
    pub args: &'a [&'a str],
    /// Environment beside what is granted.
    pub env: &'a [(&'a str, &'a str)],
    /// When it is stopped.
    pub timeout: Duration,
    /// Its stdout and stderr.
    pub streams: (Stream, Stream),
}

impl Sandbox {
    /// A sandbox as a worker's set-up asks for it.
    ///
    /// # Errors
    /// If wasmtime cannot work here or the scratch folder cannot be opened.
    pub fn new(setup: &WorkerSetup, deadline: Deadline) -> anyhow::Result<Sandbox> {
        let scratch = Scratch::new(&setup.scratch)?;
        Ok(Sandbox {
            pooled: Host::new(engine::for_running(setup.wasm_stack)?),
            plain: OnceCell::new(),
            wasm_stack: setup.wasm_stack,
            grants: Grants::new(
                setup.dirs.clone(),
                setup.env.clone(),
                scratch,
                setup.how_to_grant,
            ),
            keep_scratch: setup.keep_scratch,
            began: setup.began,
            deadline: deadline.with_glances(),
        })
    }

    /// A clock that shows the time since the run began.
    pub(super) fn clock(&self) -> Clock {
        Clock::showing(clock::of_the_machine().saturating_sub(self.began))
    }

    /// Makes known what a host fixture implies for the calls that name it.
    pub fn add_fixture(&mut self, grant: FixtureGrant) {
        self.grants.add_fixture(grant);
    }

    /// Makes known what a module is granted beside what the run grants.
    pub fn add_module(&mut self, module: ModuleNumber, grants: ModuleGrants) {
        self.grants.add_module(module, grants);
    }

    /// The limit of the WebAssembly stack, in bytes.
    pub fn wasm_stack(&self) -> usize {
        self.wasm_stack
    }

    /// Makes a program of an artefact, which must come from this user's cache.
    ///
    /// # Errors
    /// Tells a bad artefact from a module that cannot run.
    pub fn load(
        &self,
        artefact: &File,
        format: Format,
        replay: Option<(&File, &Facts)>,
        unknown: UnknownImports,
    ) -> Result<Program, LoadProblem> {
        let again = |file: &File| {
            file.try_clone()
                .map_err(|e| LoadProblem::Artefact(e.to_string()))
        };
        let load = |host: &Host| {
            let replay = replay.map(|(pristine, facts)| Ok((again(pristine)?, facts)));
            host.load(again(artefact)?, format, replay.transpose()?, unknown)
        };
        let first = load(&self.pooled);
        match first {
            Err(LoadProblem::Artefact(why)) if !why.contains("limit") && !why.contains("pool") => {
                Err(LoadProblem::Artefact(why))
            }
            // no slot of the pool may have room for it
            Err(LoadProblem::Artefact(_)) => {
                let plain = match self.plain.get() {
                    Some(plain) => plain,
                    None => {
                        let engine = engine::without_pool(self.wasm_stack)
                            .map_err(|e| LoadProblem::Artefact(e.to_string()))?;
                        self.plain.get_or_init(|| Host::new(engine))
                    }
                };
                load(plain)
            }
            done => done,
        }
    }

    /// Calls a program's entry in a store and an instance of its own.
    pub fn call(&mut self, program: &Program, entry: Entry<'_>, call: &Call<'_>) -> Called {
        let mut store = match self.store(program, call, self.clock()) {
            Ok(store) => store,
            Err(refused) => return *refused,
        };
        let mut seen = Seen::default();
        let mut made = None;
        let stop = AtInterrupt::Stop;
        let result = self
            .deadline
            .during(&program.engine, call.timeout, stop, || match entry {
                Entry::Start => program.start(&mut store, &mut seen.entered, &mut made),
                Entry::Export { name } => {
                    let instance = made.insert(program.instantiate(&mut store)?).instance;
                    seen.run(&mut store, &instance, name)
                }
            });
        let called = seen.account(&mut store, result, &call.streams);
        if let Some(made) = made {
            made.release(&mut store);
        }
        called
    }

    /// A store with what a call is granted.
    pub(super) fn store(
        &mut self,
        program: &Program,
        call: &Call<'_>,
        clock: Clock,
    ) -> Result<Store<State>, Box<Called>> {
        let state = self.grants.state(call, clock);
        let mut state = state.map_err(|e| {
            let why = format!("the sandbox could not be set up: {e:#}");
            Box::new(Called::without_store(Ending::Refused(why), &call.streams))
        })?;
        state.guard = self.deadline.guard();
        state.report.test_id = call.test_id.to_owned();
        state.limit_memory(call.max_memory);
        let mut store = Store::new(&program.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            if store.data().guard.is_to_stop() {
                return Err(Trap::Interrupt.into());
            }
            let trace = WasmBacktrace::force_capture(&store);
            store.data_mut().seen_at = called::frames(&trace);
            Ok(UpdateDeadline::Continue(1))
        });
        Ok(store)
    }

    /// A handle to whatever guest runs here.
    pub fn guard(&self) -> Guard {
        self.deadline.guard()
    }

    /// Makes the sandbox ready for the next test; gives the scratch folder of a
    /// failed one, if it was touched and is to be kept.
    pub fn tidy(&mut self, called: &Called, passed: bool) -> Option<PathBuf> {
        self.tidy_after(called.touched_files(), passed)
    }

    pub(super) fn tidy_after(&mut self, touched_files: bool, passed: bool) -> Option<PathBuf> {
        if !touched_files {
            return None;
        }
        let keep = self.keep_scratch == Keep::Failed && !passed;
        self.grants.replace_scratch(keep)
    }
}

impl Program {
    pub(super) fn new(engine: Engine, kind: Kind) -> Program {
        Program {
            engine,
            kind,
            process_id: Setter::None,
        }
    }

    /// The same, knowing what was filled in before it was compiled: a function of a guest's own that
    /// is called as ours is must not be called.
    pub fn filled_in(mut self, gaps: &Gaps) -> Program {
        if gaps.process_id == Gap::Filled {
            self.process_id = match &self.kind {
                Kind::Core(pre) => Setter::of_module(pre.module()),
                Kind::Rewritten(rewritten) => Setter::of_module(&rewritten.main),
                Kind::Component(pre) => Setter::of_component(pre.0.component()),
            };
        }
        self
    }

    pub(super) fn start(
        &self,
        store: &mut Store<State>,
        entered: &mut bool,
        made: &mut Option<Made>,
    ) -> wasmtime::Result<Ending> {
        match &self.kind {
            Kind::Core(_) | Kind::Rewritten(_) => {
                let instance = made.insert(self.instantiate(store)?).instance;
                let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
                *entered = true;
                start.call(store, ())?;
                Ok(Ending::Returned)
            }
            Kind::Component(command) => {
                let (pre, indices) = &**command;
                let instance = pre.instantiate(&mut *store)?;
                let command = indices.load(&mut *store, &instance)?;
                self.process_id.set_in_component(store, &instance)?;
                *entered = true;
                Ok(match command.wasi_cli_run().call_run(store)? {
                    Ok(()) => Ending::Returned,
                    Err(()) => Ending::ReturnedFailure,
                })
            }
        }
    }

    /// An instance whose exports are called one by one.
    pub(super) fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Made> {
        let allowed = store.data().max_memory;
        match &self.kind {
            Kind::Component(_) => {
                wasmtime::bail!("the tests of a component cannot be called one by one")
            }
            Kind::Core(pre) => {
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
            Kind::Rewritten(rewritten) => {
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
        replay: &Rc<Replay<State>>,
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
