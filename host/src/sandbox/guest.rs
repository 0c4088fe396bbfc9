//! Runs guests: a program loaded once, a fresh store and instance for each call.
//!
//! Hot path: [`Sandbox::call`] runs for every test.

use super::capture::Stream;
use super::deadline::{AtInterrupt, Deadline, Guard, Stopped};
use super::engine;
use super::grants::{Grants, Reach, State};
use super::load::Host;
use super::scratch::Scratch;
use super::sdk::{Refused, Skipped};
use super::snapshot::{Replay, Replayed};
use super::stubs::StubCalled;
use crate::denied::Denials;
use crate::ending::{Ending, Trap};
use crate::event::{Attachment, Captured, Cause, Format};
use crate::instrument::{Facts, PAGE};
use crate::module::scan::Scan;
use crate::protocol::{
    FixtureGrant, FixtureNumber, Keep, ModuleGrants, ModuleNumber, UnknownImports, WorkerSetup,
};
use std::cell::OnceCell;
use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::{Engine, Instance, InstancePre, Linker, Module, Store, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::sync::CommandPre;

/// Everything that guests run in.
pub struct Sandbox {
    pooled: Host,
    /// For what no slot of the pool has room for.
    plain: OnceCell<Host>,
    wasm_stack: usize,
    grants: Grants,
    keep_scratch: Keep,
    pub(super) deadline: Deadline,
}

/// A module that is ready to be instantiated.
pub struct Program {
    pub(super) engine: Engine,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Core(InstancePre<State>),
    Rewritten(Box<Rewritten>),
    Component(CommandPre<State>),
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

/// How a call came back.
pub struct Called {
    /// How it ended.
    pub ending: Ending,
    /// Whether its entry was reached: a trap before that is one of its start.
    pub entered: bool,
    /// What a test's export returned.
    pub returned: Option<i32>,
    /// The message of the panic that the SDK recorded in a test.
    pub panicked: Option<String>,
    /// What a test logged.
    pub logs: Vec<String>,
    /// What a test attached.
    pub attachments: Vec<Attachment>,
    /// The guest's stack at its trap, innermost first.
    pub stack: Vec<StackFrame>,
    /// What was kept of its stdout.
    pub stdout: Captured,
    /// What was seen in it.
    pub stdout_scan: Scan,
    /// What was kept of its stderr.
    pub stderr: Captured,
    /// What was seen in it.
    pub stderr_scan: Scan,
    /// What it tried to reach of files and could not.
    pub denied: Denials,
    touched_files: bool,
}

/// One frame of a guest's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackFrame {
    /// The function's index in its core module.
    pub function: u32,
    /// Offset in the file that was compiled.
    pub offset: Option<usize>,
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
            deadline,
        })
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
        let mut store = match self.store(program, call) {
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
    ) -> Result<Store<State>, Box<Called>> {
        let state = self.grants.state(call);
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
        Ok(store)
    }

    /// A handle to whatever guest runs here.
    pub fn guard(&self) -> Guard {
        self.deadline.guard()
    }

    /// Makes the sandbox ready for the next test; gives the scratch folder of a
    /// failed one, if it was touched and is to be kept.
    pub fn tidy(&mut self, called: &Called, passed: bool) -> Option<PathBuf> {
        self.tidy_after(called.touched_files, passed)
    }

    pub(super) fn tidy_after(&mut self, touched_files: bool, passed: bool) -> Option<PathBuf> {
        if !touched_files {
            return None;
        }
        let keep = self.keep_scratch == Keep::Failed && !passed;
        self.grants.replace_scratch(keep)
    }
}

impl Called {
    /// Whether what it did may hang on more than its module and its arguments: it
    /// looked at files, or did not come to its end.
    pub fn may_differ(&self) -> bool {
        self.touched_files || self.ending == Ending::Interrupted
    }
}

impl Program {
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
            Kind::Component(pre) => {
                let command = pre.instantiate(&mut *store)?;
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
                Ok(Made {
                    instance: pre.instantiate(&mut *store)?,
                    replayed: None,
                })
            }
            Kind::Rewritten(rewritten) => {
                if let Some(allowed) = allowed {
                    enough(allowed, rewritten.facts.memory.minimum * PAGE)?;
                }
                from_state(&rewritten.begin, store)
            }
        }
    }
}

/// An instance that begins from a state.
pub(super) fn from_state(
    replay: &Rc<Replay<State>>,
    store: &mut Store<State>,
) -> wasmtime::Result<Made> {
    let replayed = replay.instantiate(store)?;
    Ok(Made {
        instance: replayed.instance,
        replayed: Some((replay.clone(), replayed)),
    })
}

/// Whether a test's own limit leaves room for what its module has already.
fn enough(allowed: u64, there: u64) -> wasmtime::Result<()> {
    match there > allowed {
        false => Ok(()),
        true => Err(Refused(format!(
            "its mark allows {allowed} bytes of memory (max_memory), and its module and fixtures have {there} before it begins"
        ))
        .into()),
    }
}

/// What is learned in a call beside its result.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) entered: bool,
    pub(super) returned: Option<i32>,
    pub(super) panicked: Option<String>,
}

impl Seen {
    /// Calls an export that runs something.
    pub(super) fn run(
        &mut self,
        store: &mut Store<State>,
        instance: &Instance,
        export: &str,
    ) -> wasmtime::Result<Ending> {
        self.entered = true;
        if let Some(allowed) = store.data().max_memory
            && let Some(memory) = instance.get_memory(&mut *store, "memory")
        {
            enough(allowed, memory.data_size(&*store) as u64)?;
        }
        let run = instance.get_typed_func::<(), i32>(&mut *store, export)?;
        match run.call(&mut *store, ()) {
            Ok(returned) => {
                self.returned = Some(returned);
                Ok(Ending::Returned)
            }
            Err(e) => {
                self.panicked = panicked(store, instance);
                Err(e)
            }
        }
    }

    /// Puts together how a call came back.
    pub(super) fn account(
        self,
        store: &mut Store<State>,
        (result, stopped): (Option<wasmtime::Result<Ending>>, Option<Stopped>),
        streams: &(Stream, Stream),
    ) -> Called {
        let (ending, stack) = ended(result, stopped);
        let state = store.data_mut();
        Called {
            entered: self.entered,
            returned: self.returned,
            panicked: self.panicked,
            logs: std::mem::take(&mut state.report.logs),
            attachments: std::mem::take(&mut state.report.attachments),
            stack,
            denied: state.watch.take(),
            touched_files: state.touched_files,
            ..Called::without_store(ending, streams)
        }
    }
}

/// How a call ended, and its stack if it trapped.
pub(super) fn ended(
    result: Option<wasmtime::Result<Ending>>,
    stopped: Option<Stopped>,
) -> (Ending, Vec<StackFrame>) {
    let error = match result {
        None => return (Ending::Interrupted, Vec::new()),
        Some(Ok(ending)) => return (ending, Vec::new()),
        Some(Err(error)) => error,
    };
    let mut stack = Vec::new();
    if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
        stack.extend(trace.frames().iter().map(|f| StackFrame {
            function: f.func_index(),
            offset: f.module_offset(),
        }));
    }
    let ending = match ending_of(&error) {
        Ending::DeadlinePassed if stopped == Some(Stopped::Interrupt) => Ending::Interrupted,
        ending => ending,
    };
    (ending, stack)
}

impl Called {
    pub(super) fn touched_files(&self) -> bool {
        self.touched_files
    }

    /// How a call came back that left nothing but this and its output.
    pub(super) fn without_store(ending: Ending, streams: &(Stream, Stream)) -> Called {
        let (stdout, stdout_scan) = streams.0.finish();
        let (stderr, stderr_scan) = streams.1.finish();
        Called {
            ending,
            entered: false,
            returned: None,
            panicked: None,
            logs: Vec::new(),
            attachments: Vec::new(),
            stack: Vec::new(),
            stdout,
            stdout_scan,
            stderr,
            stderr_scan,
            denied: Denials::default(),
            touched_files: false,
        }
    }
}

/// The message that the SDK's panic hook left in the guest's memory: two words at
/// an exported address say where. Nothing in there is to be trusted.
fn panicked(store: &mut Store<State>, instance: &Instance) -> Option<String> {
    const LONGEST: usize = 64 << 20;
    let message = pointed_to(store, instance, "wasmtest-panicked", LONGEST)?;
    Some(String::from_utf8_lossy(&message).into_owned())
}

/// The bytes that two words at an exported address point to, up to so many; `None`
/// if they are not there or the first word is 0.
pub(super) fn pointed_to(
    store: &mut Store<State>,
    instance: &Instance,
    export: &str,
    longest: usize,
) -> Option<Vec<u8>> {
    let at = instance.get_global(&mut *store, export)?;
    let at = at.get(&mut *store).i32()? as u32 as usize;
    let memory = instance.get_memory(&mut *store, "memory")?;
    let data = memory.data(&*store);
    let word = |at: usize| -> Option<usize> {
        let bytes = data.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let (address, length) = (word(at)?, word(at.checked_add(4)?)?);
    if address == 0 {
        return None;
    }
    let end = address.checked_add(length.min(longest))?;
    data.get(address..end).map(<[u8]>::to_vec)
}

fn ending_of(error: &wasmtime::Error) -> Ending {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Ending::Exited(exit.0);
    }
    if let Some(skipped) = error.downcast_ref::<Skipped>() {
        return Ending::Skipped(skipped.0.clone());
    }
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Ending::Trapped(Trap::Other(refused.0.clone()));
    }
    if let Some(stub) = error.downcast_ref::<StubCalled>() {
        return Ending::Trapped(Trap::StubCalled(stub.0.clone()));
    }
    use wasmtime::Trap as T;
    match error.downcast_ref::<T>() {
        Some(T::Interrupt) => Ending::DeadlinePassed,
        Some(T::UnreachableCodeReached) => Ending::Trapped(Trap::Unreachable),
        Some(T::StackOverflow) => Ending::Trapped(Trap::CallStack),
        Some(T::IntegerDivisionByZero) => Ending::Trapped(Trap::DivisionByZero),
        Some(T::MemoryOutOfBounds) => {
            let (address, memory) = fault(error).unzip();
            Ending::Trapped(Trap::OutOfBounds { address, memory })
        }
        Some(trap) => Ending::Trapped(Trap::Other(trap.to_string())),
        None => Ending::Trapped(Trap::Other(engine::chain(error))),
    }
}

/// wasmtime attaches address and memory size to a fault, as text only:
/// `memory fault at wasm address 0x.. in linear memory of size 0x..`.
fn fault(error: &wasmtime::Error) -> Option<(u64, u64)> {
    error.chain().find_map(|cause| {
        let text = cause.to_string();
        let (address, memory) = text
            .strip_prefix("memory fault at wasm address 0x")?
            .split_once(" in linear memory of size 0x")?;
        let hex = |s: &str| u64::from_str_radix(s.trim(), 16).ok();
        Some((hex(address)?, hex(memory)?))
    })
}
