//! The modules that a worker was told of: loaded once, their names found when they are needed.

use super::judge::{self, JudgedAs, JudgedModule};
use crate::event::{Cause, Outcome};
use crate::module::cache::Cache;
use crate::protocol::{ContentHash, LimitOf, LoadError, ModuleNumber, ModuleSpec};
use crate::sandbox::call_result::CallResult;
use crate::sandbox::guest::{OpenForm, Sandbox};
use crate::sandbox::program::{LoadProblem, Program};
use crate::sandbox::symbols::Symbols;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The modules that a worker was told of.
pub struct Modules {
    cache: Cache,
    /// The folder that the run was started in.
    current_dir: Option<PathBuf>,
    loaded: HashMap<ModuleNumber, Loaded>,
    /// What is to be said of modules, with the next test that is told of.
    notes: Vec<String>,
}

struct Loaded {
    spec: Arc<ModuleSpec>,
    program: Option<Result<Rc<Program>, LoadError>>,
    symbols: Option<Symbols>,
}

impl Modules {
    /// None yet; their compiled forms are in this cache, and the run was started in this folder.
    pub(super) fn new(cache: Cache, current_dir: Option<PathBuf>) -> Self {
        Modules {
            cache,
            current_dir,
            loaded: HashMap::new(),
            notes: Vec::new(),
        }
    }

    /// Makes a module known; a second time, forgets what was loaded of it.
    pub(super) fn add(&mut self, spec: Arc<ModuleSpec>) {
        let loaded = Loaded {
            program: None,
            symbols: None,
            spec,
        };
        self.loaded.insert(loaded.spec.number, loaded);
    }

    /// The names in a module.
    pub(super) fn symbols(&mut self, module: ModuleNumber) -> Option<&mut Symbols> {
        let Loaded { spec, symbols, .. } = self.loaded.get_mut(&module)?;
        let here = self.current_dir.as_deref();
        Some(symbols.get_or_insert_with(|| Symbols::new(spec, here)))
    }

    /// How a call in a module ended.
    pub(super) fn judge(
        &mut self,
        module: ModuleNumber,
        called: &CallResult,
        limit: (Duration, Option<LimitOf>),
        by: JudgedAs<'_>,
        sandbox: &Sandbox,
    ) -> Outcome {
        let Some(loaded) = self.loaded.get_mut(&module) else {
            return judge::unknown_module();
        };
        let judged = JudgedModule {
            spec: &loaded.spec,
            symbols: &mut loaded.symbols,
            current_dir: self.current_dir.as_deref(),
            wasm_stack: sandbox.wasm_stack(),
        };
        let outcome = judged.judge(called, limit, by);
        let symbols = loaded.symbols.as_mut();
        self.notes.extend(symbols.and_then(Symbols::take_note));
        outcome
    }

    /// What is to be said of modules since this was asked for last.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// A module as a program, loaded if it is not yet.
    ///
    /// # Errors
    /// If it cannot be loaded: the same each time that it is asked for.
    pub(super) fn program(
        &mut self,
        module: ModuleNumber,
        sandbox: &Sandbox,
    ) -> Result<(Arc<ModuleSpec>, Rc<Program>), LoadError> {
        let unknown = || LoadError::Module(Cause::new("the worker was never told of this module"));
        let loaded = self.loaded.get_mut(&module).ok_or_else(unknown)?;
        let program = match &loaded.program {
            Some(program) => program,
            None => {
                let spec = &loaded.spec;
                let open = |name: &str| {
                    let file = self.cache.open_artefact(name);
                    file.map_err(|e| LoadProblem::Artefact(e.to_string()))
                };
                let load = || {
                    let file = open(&spec.artefact)?;
                    let replay = spec.replay.as_ref();
                    let replay = replay.map(|r| Ok((open(&r.initial_memory)?, &r.facts)));
                    let replay = replay.transpose()?;
                    let replay = replay.as_ref().map(|(file, facts)| (file, *facts));
                    let form = OpenForm {
                        compiler: spec.compiler,
                        artefact: &file,
                        replay,
                    };
                    let (format, unknown) = (spec.format, spec.unknown_imports);
                    let program = sandbox.load(form, format, unknown, || original(spec))?;
                    Ok(program.filled_in(&spec.gaps))
                };
                let program = load().map(Rc::new).map_err(|e| match e {
                    LoadProblem::Artefact(why) => LoadError::Artefact(why),
                    LoadProblem::Module(cause) => LoadError::Module(cause),
                });
                loaded.program.insert(program)
            }
        };
        match program {
            Ok(program) => Ok((loaded.spec.clone(), program.clone())),
            Err(e) => Err(e.clone()),
        }
    }
}

/// The file that a module was compiled from.
pub(super) fn original(spec: &ModuleSpec) -> Result<Vec<u8>, LoadProblem> {
    let refused = |why: String| LoadProblem::Module(Cause::new(why));
    let bytes = std::fs::read(&spec.file)
        .map_err(|e| refused(format!("its file cannot be read any more: {e}")))?;
    match ContentHash::of(&bytes) == spec.content {
        true => Ok(bytes),
        false => Err(refused("its file was changed while it ran".to_owned())),
    }
}
