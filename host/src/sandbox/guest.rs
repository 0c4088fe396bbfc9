//! Runs guests: a program loaded once, a fresh store and instance for each call.
//!
//! Hot path: [`Sandbox::call`] runs for every test.

use super::capture::Stream;
use super::deadline::Deadline;
use super::engine;
use super::grants::{self, Grants, Reach, State};
use super::scratch::Scratch;
use super::sdk::{Refused, Skipped};
use super::stubs::{self, StubCalled};
use crate::ending::{Ending, Trap};
use crate::event::{Attachment, Captured, Cause, Format};
use crate::module::scan::Scan;
use crate::protocol::{FixtureGrant, FixtureNumber, Keep, UnknownImports, WorkerSetup};
use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Duration;
use wasmtime::component::Component;
use wasmtime::{
    Engine, ExternType, Instance, InstancePre, Linker, Module, Store, StoreLimitsBuilder,
    UnknownImportError, WasmBacktrace,
};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::sync::CommandPre;

/// Everything that guests run in.
pub struct Sandbox {
    pooled: Host,
    /// For what no slot of the pool has room for.
    plain: OnceCell<Host>,
    wasm_stack: usize,
    unknown_imports: UnknownImports,
    grants: Grants,
    keep_scratch: Keep,
    deadline: Deadline,
}

/// An engine with what guests can import.
struct Host {
    engine: Engine,
    core: OnceCell<Linker<State>>,
    component: OnceCell<wasmtime::component::Linker<State>>,
}

/// A module that is ready to be instantiated.
pub struct Program {
    engine: Engine,
    kind: Kind,
}

enum Kind {
    Core(InstancePre<State>),
    Component(CommandPre<State>),
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
    /// What is called.
    pub entry: Entry<'a>,
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
    pub fn new(setup: &WorkerSetup) -> anyhow::Result<Sandbox> {
        let scratch = Scratch::new(&setup.scratch)?;
        Ok(Sandbox {
            pooled: Host::new(engine::for_running(setup.wasm_stack)?),
            plain: OnceCell::new(),
            wasm_stack: setup.wasm_stack,
            unknown_imports: setup.unknown_imports,
            grants: Grants::new(setup.dirs.clone(), setup.env.clone(), scratch),
            keep_scratch: setup.keep_scratch,
            deadline: Deadline::default(),
        })
    }

    /// Makes known what a host fixture implies for the calls that name it.
    pub fn add_fixture(&mut self, grant: FixtureGrant) {
        self.grants.add_fixture(grant);
    }

    /// The limit of the WebAssembly stack, in bytes.
    pub fn wasm_stack(&self) -> usize {
        self.wasm_stack
    }

    /// Makes a program of an artefact, which must come from this user's cache.
    ///
    /// # Errors
    /// Tells a bad artefact from a module that cannot run.
    pub fn load(&self, artefact: &File, format: Format) -> Result<Program, LoadProblem> {
        let file = || {
            artefact
                .try_clone()
                .map_err(|e| LoadProblem::Artefact(e.to_string()))
        };
        let first = self.pooled.load(file()?, format, self.unknown_imports);
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
                plain.load(file()?, format, self.unknown_imports)
            }
            done => done,
        }
    }

    /// Calls a program's entry in a store and an instance of its own.
    pub fn call(&mut self, program: &Program, call: &Call<'_>) -> Called {
        let streams = &call.streams;
        let state = self.grants.state(call);
        let mut stack = Vec::new();
        let mut touched_files = false;
        let mut entered = false;
        let mut returned = None;
        let mut panicked = None;
        let (mut logs, mut attachments) = (Vec::new(), Vec::new());
        let ending = match state {
            Err(e) => Ending::Refused(format!("the sandbox could not be set up: {e:#}")),
            Ok(mut state) => {
                state.report.test_id = call.test_id.to_owned();
                if let Some(bytes) = call.max_memory {
                    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                    state.limits = StoreLimitsBuilder::new().memory_size(bytes).build();
                }
                let mut store = Store::new(&program.engine, state);
                store.limiter(|state| &mut state.limits);
                store.set_epoch_deadline(1);
                let result =
                    self.deadline
                        .during(&program.engine, call.timeout, || match call.entry {
                            Entry::Start => program.start(&mut store, &mut entered),
                            Entry::Export { name } => {
                                let export = Export {
                                    name,
                                    entered: &mut entered,
                                    panicked: &mut panicked,
                                };
                                returned = Some(program.call_export(&mut store, export)?);
                                Ok(Ending::Returned)
                            }
                        });
                let state = store.data_mut();
                touched_files = state.touched_files;
                logs = std::mem::take(&mut state.report.logs);
                attachments = std::mem::take(&mut state.report.attachments);
                match result {
                    Ok(ending) => ending,
                    Err(error) => {
                        if let Some(trace) = error.downcast_ref::<WasmBacktrace>() {
                            stack.extend(trace.frames().iter().map(|f| StackFrame {
                                function: f.func_index(),
                                offset: f.module_offset(),
                            }));
                        }
                        ending_of(&error)
                    }
                }
            }
        };
        let (stdout, stdout_scan) = streams.0.finish();
        let (stderr, stderr_scan) = streams.1.finish();
        Called {
            ending,
            entered,
            returned,
            panicked,
            logs,
            attachments,
            stack,
            stdout,
            stdout_scan,
            stderr,
            stderr_scan,
            touched_files,
        }
    }

    /// Makes the sandbox ready for the next test; gives the scratch folder of a
    /// failed one, if it was touched and is to be kept.
    pub fn tidy(&mut self, called: &Called, passed: bool) -> Option<PathBuf> {
        if !called.touched_files {
            return None;
        }
        let keep = self.keep_scratch == Keep::Failed && !passed;
        self.grants.replace_scratch(keep)
    }
}

impl Host {
    fn new(engine: Engine) -> Host {
        Host {
            engine,
            core: OnceCell::new(),
            component: OnceCell::new(),
        }
    }

    fn load(
        &self,
        artefact: File,
        format: Format,
        unknown: UnknownImports,
    ) -> Result<Program, LoadProblem> {
        let kind = match format {
            Format::Core => self.load_core(artefact, unknown),
            Format::Component => self.load_component(artefact, unknown),
        }?;
        Ok(Program {
            engine: self.engine.clone(),
            kind,
        })
    }

    fn load_core(&self, artefact: File, unknown: UnknownImports) -> Result<Kind, LoadProblem> {
        // SAFETY: the file is a compiled form that this program made: it lies
        // in a folder that is the user's alone, was opened without following
        // links, belongs to the user, and its checksum was verified.
        let module = unsafe { Module::deserialize_open_file(&self.engine, artefact) }
            .map_err(|e| LoadProblem::Artefact(engine::chain(&e)))?;
        if self.core.get().is_none() {
            let linker = grants::core_linker(&self.engine).map_err(host_problem)?;
            let _ = self.core.set(linker);
        }
        let mut linker = self.core.get().expect("it was just set").clone();
        if unknown == UnknownImports::Trap {
            linker
                .define_unknown_imports_as_traps(&module)
                .map_err(|e| module_problem(&e))?;
        }
        let pre = linker.instantiate_pre(&module).map_err(|e| {
            let mut store = Store::new(&self.engine, State::nothing());
            let missing: Vec<Missing> = module
                .imports()
                .filter(|i| linker.get_by_import(&mut store, i).is_none())
                .map(|i| Missing {
                    module: i.module().to_owned(),
                    name: i.name().to_owned(),
                    kind: match i.ty() {
                        ExternType::Func(_) => "",
                        ExternType::Memory(_) => "the memory ",
                        ExternType::Global(_) => "the global ",
                        ExternType::Table(_) => "the table ",
                        ExternType::Tag(_) => "the tag ",
                    },
                })
                .collect();
            match missing.is_empty() {
                true => LoadProblem::Module(
                    Cause::new(format!("it does not fit the host's functions: {}", engine::chain(&e)))
                        .hint("was it built for another version of WASI, or its imports declared by hand?"),
                ),
                false => LoadProblem::Module(missing_imports(&missing)),
            }
        })?;
        Ok(Kind::Core(pre))
    }

    fn load_component(&self, artefact: File, unknown: UnknownImports) -> Result<Kind, LoadProblem> {
        // SAFETY: as for a core module; the bytes are the open file's, whatever
        // its name means by now.
        let component =
            unsafe { component_of(&self.engine, &artefact) }.map_err(LoadProblem::Artefact)?;
        if self.component.get().is_none() {
            let linker = grants::component_linker(&self.engine).map_err(host_problem)?;
            let _ = self.component.set(linker);
        }
        let mut linker = self.component.get().expect("it was just set").clone();
        if unknown == UnknownImports::Trap {
            stubs::for_component(&mut linker, &component).map_err(|e| module_problem(&e))?;
        }
        let pre = linker.instantiate_pre(&component).map_err(|e| {
            LoadProblem::Module(
                Cause::new(format!("the host does not offer what it imports: {}", engine::chain(&e)))
                    .hint("WASI 0.2's command world is offered; --stub-imports lets tests run that do not call the rest"),
            )
        })?;
        let pre = CommandPre::new(pre).map_err(|e| module_problem(&e))?;
        Ok(Kind::Component(pre))
    }
}

impl Program {
    fn start(&self, store: &mut Store<State>, entered: &mut bool) -> wasmtime::Result<Ending> {
        match &self.kind {
            Kind::Core(pre) => {
                let instance = pre.instantiate(&mut *store)?;
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
}

/// A component by its open file: mapped where the system names descriptors, read elsewhere.
///
/// # Safety
/// The file must be a compiled form that this program made.
unsafe fn component_of(engine: &Engine, mut artefact: &File) -> Result<Component, String> {
    let path = format!("/dev/fd/{}", artefact.as_raw_fd());
    if std::path::Path::new(&path).exists() {
        // SAFETY: the caller's.
        return unsafe { Component::deserialize_file(engine, path) }.map_err(|e| engine::chain(&e));
    }
    let mut bytes = Vec::new();
    artefact
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    // SAFETY: the caller's.
    unsafe { Component::deserialize(engine, bytes) }.map_err(|e| engine::chain(&e))
}

/// One of the SDK's tests, and what is learned while it is called.
struct Export<'a> {
    name: &'a str,
    entered: &'a mut bool,
    panicked: &'a mut Option<String>,
}

impl Program {
    /// Calls one of the SDK's tests.
    fn call_export(&self, store: &mut Store<State>, export: Export<'_>) -> wasmtime::Result<i32> {
        let Kind::Core(pre) = &self.kind else {
            wasmtime::bail!("the tests of a component cannot be called one by one");
        };
        let instance = pre.instantiate(&mut *store)?;
        let test = instance.get_typed_func::<(), i32>(&mut *store, export.name)?;
        *export.entered = true;
        let result = test.call(&mut *store, ());
        if result.is_err() {
            *export.panicked = panicked(store, &instance);
        }
        result
    }
}

/// The message that the SDK's panic hook left in the guest's memory: two words at
/// an exported address say where. Nothing in there is to be trusted.
fn panicked(store: &mut Store<State>, instance: &Instance) -> Option<String> {
    const LONGEST: usize = 1 << 20;
    let at = instance.get_global(&mut *store, "wasmtest-panicked")?;
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
    let message = data.get(address..address.checked_add(length.min(LONGEST))?)?;
    Some(String::from_utf8_lossy(message).into_owned())
}

fn ending_of(error: &wasmtime::Error) -> Ending {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return Ending::Exited(exit.0);
    }
    if let Some(stub) = error.downcast_ref::<UnknownImportError>() {
        return Ending::Trapped(Trap::StubCalled(format!(
            "{}::{}",
            stub.module(),
            stub.name()
        )));
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

fn host_problem(error: anyhow::Error) -> LoadProblem {
    LoadProblem::Module(Cause::new(format!(
        "the host functions cannot be defined: {error:#}"
    )))
}

fn module_problem(error: &wasmtime::Error) -> LoadProblem {
    LoadProblem::Module(Cause::new(engine::chain(error)))
}

/// An import that nobody provides.
struct Missing {
    module: String,
    name: String,
    /// What it is, if it is no function.
    kind: &'static str,
}

impl Missing {
    fn looks_like(&self) -> &'static str {
        match self.module.as_str() {
            "env" if self.kind.is_empty() => "a C symbol that the linker left undefined",
            "env" => "part of what a host puts together by itself (emscripten, or a plugin's)",
            "wbg" => "a module for wasm-bindgen, which needs a JavaScript host",
            m if m.starts_with("__wbindgen") => {
                "a module for wasm-bindgen, which needs a JavaScript host"
            }
            m if m.starts_with("wasi") => "a WASI function that this version does not have",
            _ => "a host's own SDK",
        }
    }
}

/// Names what nobody provides, and what it looks like.
fn missing_imports(missing: &[Missing]) -> Cause {
    const SHOWN: usize = 5;
    let mut looks: Vec<(&str, Vec<String>)> = Vec::new();
    for import in missing.iter().take(SHOWN) {
        let name = format!("{}`{}::{}`", import.kind, import.module, import.name);
        match looks
            .iter_mut()
            .find(|(look, _)| *look == import.looks_like())
        {
            Some((_, names)) => names.push(name),
            None => looks.push((import.looks_like(), vec![name])),
        }
    }
    let mut parts: Vec<String> = looks
        .iter()
        .map(|(look, names)| format!("{} (it looks like {look})", names.join(", ")))
        .collect();
    if missing.len() > SHOWN {
        parts.push(format!("{} more", missing.len() - SHOWN));
    }
    let cause = Cause::new(format!(
        "it imports what nobody provides: {}",
        parts.join("; ")
    ));
    // only functions can be stubbed
    match missing.iter().all(|m| m.kind.is_empty()) {
        true => cause.hint("--stub-imports lets it run: a test that calls such an import then fails, the others do not"),
        false => cause,
    }
}
