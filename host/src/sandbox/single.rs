//! Runs one program once, on this process's own standard streams.
//!
//! For `exec`: no pool, since there is one instance, and no limit unless one is
//! given. What the guest writes goes where this process's output goes, unread, unless
//! it is to be kept.

use super::call::SingleRun;
use super::call_result::ended;
use super::deadline::{AtInterrupt, Deadline, Guard};
use super::guest::on_the_way;
use super::limits::Limits;
pub use super::load::Artefact;
use super::load::Host;
use super::program::{LoadProblem, Program, ProgramKind};
use super::{engine, grants};
use crate::event::denials::Denials;
use crate::event::{Cause, Format};
use crate::harness::limit::LimitHit;
use crate::harness::termination::{StackFrame, Termination};
use crate::protocol::{Compiler, GuestLimits, UnknownImports};
use std::time::Duration;
use wasmtime::{Engine, ExternType, Store};

/// How a program came back.
pub struct ProgramEnd {
    pub ending: Termination,
    /// Whether its entry was reached: a trap before that is one of its start.
    pub entered: bool,
    /// Its stack at its trap, innermost first.
    pub stack: Vec<StackFrame>,
    /// What it asked for and was refused, since it had reached a limit.
    pub limit_hit: Option<LimitHit>,
    /// What was refused to it, if that was noted.
    pub denied: Denials,
    /// Whether it looked for folders and found that there is none.
    pub found_no_folder: bool,
}

/// An engine for one program.
pub struct Single {
    engine: Engine,
    host: Host,
    unknown_imports: UnknownImports,
    deadline: Deadline,
}

impl Single {
    /// An engine whose guests have a WebAssembly stack of so many bytes.
    ///
    /// # Errors
    /// If wasmtime cannot work on this machine.
    pub fn new(wasm_stack: usize, unknown_imports: UnknownImports) -> anyhow::Result<Single> {
        let engine = engine::without_pool(Compiler::BEST, wasm_stack)?;
        Ok(Single {
            host: Host::new(engine.clone()),
            engine,
            unknown_imports,
            deadline: Deadline::default(),
        })
    }

    /// The engine, which compiles too.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A handle to the program while it runs.
    pub fn guard(&self) -> Guard {
        self.deadline.guard()
    }

    /// Makes a program of an artefact.
    ///
    /// # Errors
    /// Tells a bad artefact from a module that cannot run.
    pub fn load(&self, artefact: Artefact<'_>, format: Format) -> Result<Program, LoadProblem> {
        let program = self
            .host
            .load_as_it_is(artefact, format, self.unknown_imports)?;
        if let ProgramKind::Core(pre) = &program.kind
            && !matches!(pre.module().get_export("_start"), Some(ExternType::Func(_)))
        {
            return Err(LoadProblem::Module(
                Cause::new("it is a library: it exports no function `_start`")
                    .hint("a program is what cargo makes of a `main`"),
            ));
        }
        Ok(program)
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// If what it is given cannot be opened.
    pub fn run(&mut self, program: &Program, given: &SingleRun<'_>) -> anyhow::Result<ProgramEnd> {
        let deadline = &mut self.deadline;
        let mut state = grants::inheriting(given)?;
        state.guard = deadline.guard();
        state.limits = Limits::new(given.limits);
        let mut store = Store::new(&program.engine, state);
        if given.limits != GuestLimits::OF_PROGRAMS {
            store.limiter(|state| &mut state.limits);
        }
        store.set_epoch_deadline(1);
        let mut entered = false;
        let limit = given.limit.unwrap_or(Duration::MAX);
        store.call_hook(on_the_way);
        let back = deadline.during(&program.code, limit, AtInterrupt::Stop, || {
            program.start(&mut store, &mut entered, &mut None)
        });
        let limits = &mut store.data_mut().limits;
        let (ending, stack) = ended(back, entered, limits);
        let limit_hit = limits.take_hit();
        let denied = store.data_mut().watch.take();
        let found_no_folder = store.data().found_no_folder;
        // the process ends now: what the system takes back by itself need not be given back
        std::mem::forget(store);
        Ok(ProgramEnd {
            ending,
            entered,
            stack,
            limit_hit,
            denied,
            found_no_folder,
        })
    }
}
