//! Runs guests: a fresh store and instance for each call.
//!
//! Hot path: [`Sandbox::call`] runs for every test.

use super::backstop::Backstop;
use super::call::{Call, Entry};
use super::call_result::{self, CallResult, Seen};
use super::clock::{self, Clock};
use super::deadline::{AtInterrupt, Deadline, Guard, Wanted};
use super::file_length;
use super::grants::Grants;
use super::hosts::Hosts;
use super::limits::Limits;
use super::load::Host;
use super::program::{LoadProblem, Program};
use super::reach;
use super::scratch::Scratch;
use super::state::State;
use super::told::Listener;
use crate::event::Format;
use crate::grant::ModuleGrants;
use crate::harness::termination::Termination;
use crate::instrument::RewriteFacts;
use crate::protocol::{
    Compiler, FixtureGrant, GuestLimits, Keep, ModuleNumber, UnknownImports, WorkerSetup,
};
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;
use wasmtime::{CallHook, Store, StoreContextMut, Trap, UpdateDeadline, WasmBacktrace};

/// Everything that guests run in.
pub struct Sandbox {
    hosts: Hosts,
    pub(super) backstop: Backstop,
    wasm_stack: usize,
    limits: GuestLimits,
    grants: Grants,
    keep_scratch: Keep,
    /// What the machine's monotonic clock showed when the run began.
    began: Duration,
    pub(super) deadline: Deadline,
}

/// A compiled form of a module, its files open.
pub struct OpenForm<'a> {
    /// By what.
    pub compiler: Compiler,
    pub artefact: &'a File,
    /// What its memory begins with, compiled, and what is known of its rewriting, if it was
    /// rewritten.
    pub replay: Option<(&'a File, &'a RewriteFacts)>,
}

impl Sandbox {
    /// A sandbox as a worker's set-up asks for it.
    ///
    /// # Errors
    /// If wasmtime cannot work here or the scratch folder cannot be opened.
    pub fn new(
        setup: &WorkerSetup,
        deadline: Deadline,
        backstop: Backstop,
    ) -> anyhow::Result<Sandbox> {
        file_length::allow(setup.max_scratch);
        let scratch = Scratch::new(&setup.scratch, setup.max_scratch)?;
        let hosts = Hosts::new(setup.compiler, setup.wasm_stack)?;
        backstop.begin();
        Ok(Sandbox {
            hosts,
            backstop,
            wasm_stack: setup.wasm_stack,
            limits: setup.limits,
            grants: Grants::new(
                setup.dirs.clone(),
                setup.env.clone(),
                scratch,
                setup.how_to_grant,
                setup.home_dir.clone(),
                setup.random_seed,
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

    /// Makes a program of an artefact, which must come from this user's cache. `file` gives
    /// what it was made of, where that has to be known.
    ///
    /// # Errors
    /// Tells a bad artefact from a module that cannot run.
    pub fn load(
        &self,
        form: OpenForm<'_>,
        format: Format,
        unknown: UnknownImports,
        file: impl FnOnce() -> Result<Vec<u8>, LoadProblem>,
    ) -> Result<Program, LoadProblem> {
        let OpenForm {
            compiler,
            artefact,
            replay,
        } = form;
        let again = |file: &File| {
            file.try_clone()
                .map_err(|e| LoadProblem::Artefact(e.to_string()))
        };
        let load = |host: &Host| {
            let replay = replay.map(|(initial_memory, facts)| Ok((again(initial_memory)?, facts)));
            host.load(again(artefact)?, format, replay.transpose()?, unknown)
        };
        let engines = self.hosts.made();
        let pooled = self.hosts.pooled(compiler);
        let pooled = pooled.map_err(|e| LoadProblem::Artefact(e.to_string()))?;
        let loaded = match load(pooled) {
            Err(LoadProblem::Artefact(why)) if !why.contains("limit") && !why.contains("pool") => {
                Err(LoadProblem::Artefact(why))
            }
            // no slot of the pool may have room for it
            Err(LoadProblem::Artefact(_)) => load(self.hosts.plain(compiler)?)?.with_file(&file()?),
            done if pooled.has_pool() => done,
            // it would have told which have shared memories
            done => done?.with_file(&file()?),
        };
        if self.hosts.made() > engines {
            self.backstop.look_again();
        }
        loaded
    }

    /// Calls a program's entry in a store and an instance of its own.
    pub fn call(&mut self, program: &Program, entry: Entry<'_>, call: &Call<'_>) -> CallResult {
        let mut store = match self.store(program, call, self.clock()) {
            Ok(store) => store,
            Err(refused) => return *refused,
        };
        let mut seen = Seen::default();
        let mut made = None;
        let stop = AtInterrupt::Stop;
        let result = self
            .deadline
            .during(&program.code, call.timeout, stop, || match entry {
                Entry::Start => program.start(&mut store, &mut seen.entered, &mut made),
                Entry::Export { name } => {
                    let instance = made.insert(program.instantiate(&mut store)?).instance;
                    seen.run(&mut store, &instance, name)
                }
                Entry::Direct { place } => {
                    let instance = made.insert(program.instantiate(&mut store)?).instance;
                    seen.run_direct(&mut store, &instance, place)
                }
            });
        let called = seen.account(&mut store, result, &call.streams);
        if let Some(made) = made {
            made.release(&mut store);
        }
        let had = store.data().limits.used();
        drop(store);
        self.backstop.set(had);
        called
    }

    /// A store with what a call is granted.
    pub(super) fn store(
        &mut self,
        program: &Program,
        call: &Call<'_>,
        clock: Clock,
    ) -> Result<Store<State>, Box<CallResult>> {
        let state = self.grants.state(call, clock);
        let mut state = state.map_err(|e| {
            let why = format!("the sandbox could not be set up: {e:#}");
            Box::new(CallResult::without_store(
                Termination::Refused(why),
                &call.streams,
            ))
        })?;
        state.guard = self.deadline.guard();
        state.account.stopped_by(self.deadline.guard());
        state.report.test_id = call.test_id.to_owned();
        state.limits = Limits::new(self.limits);
        state.limits.set_own(call.max_memory);
        state.limits.set_declared(program.declared);
        let listener = call.tells.clone().map(Listener::new);
        state.listener = listener.map(Box::new);
        if !state.limits.take(program.unseen)
            && let Some(hit) = state.limits.take_hit()
        {
            let ending = Termination::Limit(hit);
            return Err(Box::new(CallResult::without_store(ending, &call.streams)));
        }
        let mut store = Store::new(&program.engine, state);
        store.limiter(|state| &mut state.limits);
        store.call_hook(on_the_way);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            if store.data().guard.is_to_stop() {
                return Err(Trap::Interrupt.into());
            }
            let trace = WasmBacktrace::force_capture(&store);
            store.data_mut().seen_at = call_result::frames(&trace);
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
    pub fn tidy(&mut self, called: &CallResult, passed: bool) -> Option<PathBuf> {
        self.tidy_after(called.touched_files(), passed)
    }

    pub(super) fn tidy_after(&mut self, touched_files: bool, passed: bool) -> Option<PathBuf> {
        if !touched_files && !self.grants.has_copies() {
            return None;
        }
        let keep = self.keep_scratch == Keep::Failed && !passed;
        self.grants.replace_scratch(keep)
    }
}

/// On a guest's way back from the host to its code: whatever is wanted of it, here it can be done.
pub(super) fn on_the_way(
    mut store: StoreContextMut<'_, State>,
    way: CallHook,
) -> wasmtime::Result<()> {
    match way {
        CallHook::CallingHost => reach::is_in_the_host(true),
        CallHook::ReturningFromHost => reach::is_in_the_host(false),
        CallHook::CallingWasm | CallHook::ReturningFromWasm => {}
    }
    if !matches!(way, CallHook::ReturningFromHost) {
        return Ok(());
    }
    match store.data().guard.wanted() {
        Wanted::Nothing => Ok(()),
        Wanted::Look => {
            let trace = WasmBacktrace::force_capture(&store);
            let state = store.data_mut();
            state.seen_at = call_result::frames(&trace);
            state.guard.was_seen();
            Ok(())
        }
        Wanted::Stop => Err(Trap::Interrupt.into()),
    }
}
