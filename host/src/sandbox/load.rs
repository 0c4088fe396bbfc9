//! From a compiled form to a program: mapped, its imports looked up, what is missing named.

use super::program::{LoadProblem, Program, ProgramKind, Rewritten};
use super::snapshot::SnapshotImage;
use super::state::State;
use super::{engine, linker, stubs};
use crate::event::{Cause, Format};
use crate::instrument::{RewriteFacts, STATE};
use crate::protocol::{Globals, UnknownImports};
use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use wasmtime::component::Component;
use wasmtime::{Engine, ExternType, Linker, Module, Store};
use wasmtime_wasi::p2::bindings::sync::CommandIndices;

/// A compiled form.
pub enum Artefact<'a> {
    /// An open file of this user's cache.
    File(File),
    /// What this process has just compiled.
    Compiled(&'a [u8]),
}

/// An engine with what guests can import.
pub(super) struct Host {
    engine: Engine,
    core: OnceCell<Linker<State>>,
    component: OnceCell<wasmtime::component::Linker<State>>,
}

impl Host {
    pub(super) fn new(engine: Engine) -> Host {
        Host {
            engine,
            core: OnceCell::new(),
            component: OnceCell::new(),
        }
    }

    /// Whether its instances come from a pool.
    pub(super) fn has_pool(&self) -> bool {
        self.engine.pooling_allocator_metrics().is_some()
    }

    pub(super) fn load(
        &self,
        artefact: File,
        format: Format,
        replay: Option<(File, &RewriteFacts)>,
        unknown: UnknownImports,
    ) -> Result<Program, LoadProblem> {
        let (Format::Core, Some((initial_memory, facts))) = (format, replay) else {
            return self.load_as_it_is(Artefact::File(artefact), format, unknown);
        };
        let kind = self.load_rewritten(artefact, initial_memory, facts, unknown)?;
        Ok(Program::new(self.engine.clone(), kind))
    }

    /// A program whose instances are made by wasmtime alone.
    pub(super) fn load_as_it_is(
        &self,
        artefact: Artefact<'_>,
        format: Format,
        unknown: UnknownImports,
    ) -> Result<Program, LoadProblem> {
        let kind = match format {
            Format::Core => self.load_core(artefact, unknown),
            Format::Component => self.load_component(artefact, unknown),
        }?;
        Ok(Program::new(self.engine.clone(), kind))
    }

    fn load_core(
        &self,
        artefact: Artefact<'_>,
        unknown: UnknownImports,
    ) -> Result<ProgramKind, LoadProblem> {
        let module = match artefact {
            Artefact::File(file) => module_of(&self.engine, file),
            Artefact::Compiled(bytes) => {
                // SAFETY: the bytes are what this process compiled.
                let module = unsafe { Module::deserialize(&self.engine, bytes) };
                module.map_err(|e| engine::chain(&e))
            }
        }
        .map_err(LoadProblem::Artefact)?;
        let linker = self.linker_for(&module, unknown)?;
        let pre = linker.instantiate_pre(&module).map_err(|e| {
            let missing = self.missing(&linker, &module);
            match missing.is_empty() {
                true => LoadProblem::Module(
                    Cause::new(format!("it does not fit the host's functions: {}", engine::chain(&e)))
                        .hint("was it built for another version of WASI, or its imports declared by hand?"),
                ),
                false => LoadProblem::Module(missing_imports(&missing)),
            }
        })?;
        Ok(ProgramKind::Core(pre))
    }

    /// A module whose memory comes from outside, and what that begins with.
    fn load_rewritten(
        &self,
        artefact: File,
        initial_memory: File,
        facts: &RewriteFacts,
        unknown: UnknownImports,
    ) -> Result<ProgramKind, LoadProblem> {
        let main = module_of(&self.engine, artefact).map_err(LoadProblem::Artefact)?;
        let initial_memory =
            module_of(&self.engine, initial_memory).map_err(LoadProblem::Artefact)?;
        let linker = self.linker_for(&main, unknown)?;
        let missing = self.missing(&linker, &main);
        if !missing.is_empty() {
            return Err(LoadProblem::Module(missing_imports(&missing)));
        }
        let begin = SnapshotImage::new(&linker, &main, &initial_memory, &Globals::default())
            .map_err(|e| module_problem(&e))?;
        Ok(ProgramKind::Rewritten(Box::new(Rewritten {
            main,
            linker,
            begin: Rc::new(begin),
            facts: facts.clone(),
        })))
    }

    fn linker_for(
        &self,
        module: &Module,
        unknown: UnknownImports,
    ) -> Result<Linker<State>, LoadProblem> {
        if self.core.get().is_none() {
            let linker = linker::core_linker(&self.engine).map_err(host_problem)?;
            let _ = self.core.set(linker);
        }
        let mut linker = self.core.get().expect("it was just set").clone();
        if unknown == UnknownImports::Trap {
            stubs::for_module(&mut linker, module).map_err(|e| module_problem(&e))?;
        }
        Ok(linker)
    }

    /// What a module imports and nobody provides.
    fn missing(&self, linker: &Linker<State>, module: &Module) -> Vec<Missing> {
        let mut store = Store::new(&self.engine, State::nothing());
        module
            .imports()
            .filter(|i| i.module() != STATE && linker.get_by_import(&mut store, i).is_none())
            .map(|i| Missing {
                module: i.module().to_owned(),
                name: Some(i.name().to_owned()),
                has_stub: matches!(i.ty(), ExternType::Func(_)),
                kind: match i.ty() {
                    ExternType::Func(_) => "",
                    ExternType::Memory(_) => "the memory ",
                    ExternType::Global(_) => "the global ",
                    ExternType::Table(_) => "the table ",
                    ExternType::Tag(_) => "the tag ",
                },
            })
            .collect()
    }

    fn load_component(
        &self,
        artefact: Artefact<'_>,
        unknown: UnknownImports,
    ) -> Result<ProgramKind, LoadProblem> {
        let component = match artefact {
            // SAFETY: as for a core module; the bytes are the open file's, whatever
            // its name means by now.
            Artefact::File(file) => unsafe { component_of(&self.engine, &file) },
            Artefact::Compiled(bytes) => {
                // SAFETY: the bytes are what this process compiled.
                let component = unsafe { Component::deserialize(&self.engine, bytes) };
                component.map_err(|e| engine::chain(&e))
            }
        }
        .map_err(LoadProblem::Artefact)?;
        if self.component.get().is_none() {
            let linker = linker::component_linker(&self.engine).map_err(host_problem)?;
            let _ = self.component.set(linker);
        }
        let mut linker = self.component.get().expect("it was just set").clone();
        if unknown == UnknownImports::Trap {
            stubs::for_component(&mut linker, &component).map_err(|e| module_problem(&e))?;
        }
        let pre = linker.instantiate_pre(&component).map_err(|e| {
            let missing: Vec<Missing> = match unknown {
                UnknownImports::Trap => Vec::new(),
                UnknownImports::Refuse => {
                    let missing = stubs::missing(&component).into_iter();
                    missing.map(|(name, stub)| Missing::of_a_component(name, stub)).collect()
                }
            };
            LoadProblem::Module(match missing.is_empty() {
                false => missing_imports(&missing),
                true => Cause::new(format!("it does not fit the host's functions: {}", engine::chain(&e)))
                    .hint("WASI 0.2's command world is offered: was it built for another version of WASI?"),
            })
        })?;
        let indices = CommandIndices::new(&pre).map_err(|e| module_problem(&e))?;
        Ok(ProgramKind::Component(Box::new((pre, indices))))
    }
}

/// A core module by its open file.
pub(super) fn module_of(engine: &Engine, artefact: File) -> Result<Module, String> {
    // SAFETY: the file is a compiled form that this program made: it lies in a
    // folder that is the user's alone, was opened without following links,
    // belongs to the user, and its checksum was verified.
    unsafe { Module::deserialize_open_file(engine, artefact) }.map_err(|e| engine::chain(&e))
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
    /// The module, or a component's import.
    module: String,
    /// What of the module: a component names all of it.
    name: Option<String>,
    /// What it is, if it is no function.
    kind: &'static str,
    /// Whether `--stub-imports` has something to put in its place.
    has_stub: bool,
}

impl Missing {
    fn of_a_component(import: String, has_stub: bool) -> Missing {
        Missing {
            module: import,
            name: None,
            kind: "",
            has_stub,
        }
    }

    /// How it is written.
    fn path(&self) -> String {
        match &self.name {
            Some(name) => format!("{}::{name}", self.module),
            None => self.module.clone(),
        }
    }

    fn looks_like(&self) -> &'static str {
        match self.module.as_str() {
            "env" if self.kind.is_empty() => "a C symbol that the linker left undefined",
            "env" => "part of what a host puts together by itself (emscripten, or a plugin's)",
            "wbg" => "a module for wasm-bindgen, which needs a JavaScript host",
            m if m.starts_with("__wbindgen") => {
                "a module for wasm-bindgen, which needs a JavaScript host"
            }
            m if m.starts_with("wasi:") => {
                "a part of WASI that is not offered: the command world of WASI 0.2 is"
            }
            _ if self.name.is_none() => {
                "an interface of some host's, or of a component that it is to be composed with"
            }
            m if m.starts_with("wasi") => "a WASI function that this version does not have",
            _ => "a host's own SDK",
        }
    }
}

/// Names what nobody provides, and what it looks like.
fn missing_imports(missing: &[Missing]) -> Cause {
    // the SDK's own interface in another version, or a function that it has only there
    let offered = super::sdk::MODULE;
    let ours = offered.split('@').next().unwrap_or(offered);
    if let Some(theirs) = missing
        .iter()
        .find(|m| m.module.split('@').next() == Some(ours))
    {
        return Cause::new(format!(
            "it was built with a wasmtest-sdk that asks for `{}`, and this wasmtest {} offers {offered}",
            theirs.path(),
            env!("CARGO_PKG_VERSION")
        ))
        .hint("use a wasmtest and a wasmtest-sdk of the same version");
    }
    const SHOWN: usize = 5;
    let mut looks: Vec<(&str, Vec<String>)> = Vec::new();
    for import in missing.iter().take(SHOWN) {
        let name = format!("{}`{}`", import.kind, import.path());
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
    match missing.iter().all(|m| m.has_stub) {
        true => cause.hint("--stub-imports lets it run: a test that calls such an import then fails, the others do not"),
        false => cause,
    }
}
