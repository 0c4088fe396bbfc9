//! Names and lines for a guest's stack, from the original file.
//!
//! Debug information is kept out of what is compiled, so the file that the user
//! gave is read once more, at a module's first trap, and only if it still holds
//! what was compiled. Offsets are mapped back, DWARF is preferred, the name
//! section serves where there is none. Whose each function is says [`owner`], what
//! is shown of them [`show()`].

mod budget;
mod code;
mod debug;
mod optimised;
mod owner;
mod show;

use crate::event::Library;
use crate::harness::termination::{Backtrace, Function, RuntimeCalls, StackFrame, path_in};
use crate::instrument::OffsetMap;
use crate::protocol::{ContentHash, ModuleSpec};
use code::Code;
use debug::Debug;
use owner::{Crates, Sources};
use show::{is_caller, show};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use wasmparser::{Encoding, KnownCustom, Name, Parser, Payload, TypeRef};

/// Names kept for a verdict: the innermost tell what happened.
const MAX_FUNCTIONS: usize = 512;
/// The longest cycle of recursion that is folded.
const MAX_CYCLE: usize = 4;
/// Names and paths are as long as a guest likes.
const MAX_NAME: usize = 300;
/// What is looked at of a mangled name: it is shown as it is where it is longer.
const MAX_MANGLED: usize = 16 << 10;
/// Of no more functions of the host's are the names kept.
const MAX_IMPORTS: usize = 10_000;
/// Functions of one stack, inlined ones included.
const MAX_ALL: usize = 1 << 18;
/// What is remembered of frames, in bytes of their names: then it is found again.
const MAX_REMEMBERED: usize = 64 << 20;

/// The symbols of one file.
pub struct Symbols {
    /// From what was compiled to the file.
    offsets: OffsetMap,
    modules: Vec<CoreModule>,
    resolved: HashMap<StackFrame, Rc<[Rc<Resolved>]>>,
    /// How many bytes that is, about.
    remembered: usize,
    /// What the developer's code calls of std, once that was asked for.
    called_anywhere: Option<Vec<String>>,
    sources: Sources,
    noted: bool,
}

#[derive(Default)]
struct CoreModule {
    range: Range<usize>,
    code: Code,
    debug: Debug,
    names: HashMap<u32, String>,
    /// Folders of packages that its data names.
    packages: HashSet<String>,
    crates: Option<Crates>,
}

/// A function that is active at some address, inlined ones included.
#[derive(Clone, Debug)]
struct Resolved {
    name: String,
    location: Option<String>,
    library: Option<Library>,
}

/// What a frame takes that is remembered, beside its names, in bytes.
const OF_FRAME: usize = 128;

impl Resolved {
    fn bytes(&self) -> usize {
        OF_FRAME + self.name.len() + self.location.as_ref().map_or(0, String::len)
    }
}

impl Symbols {
    /// Reads the symbols of a module's file; there are none if it was changed or has none. What
    /// lies in `current_dir` is taken for the developer's own.
    pub fn new(spec: &ModuleSpec, current_dir: Option<&Path>) -> Symbols {
        let mut symbols = Symbols {
            offsets: spec.offsets.clone(),
            modules: Vec::new(),
            resolved: HashMap::new(),
            remembered: 0,
            called_anywhere: None,
            sources: Sources::new(current_dir),
            noted: false,
        };
        if let Ok(bytes) = std::fs::read(&spec.file)
            && ContentHash::of(&bytes) == spec.content
        {
            symbols.modules = core_modules(&bytes);
        }
        symbols
    }

    /// The stack as the verdict and the reader want it.
    pub fn backtrace(&mut self, stack: &[StackFrame]) -> Backtrace {
        for module in &mut self.modules {
            module.debug.begin();
        }
        if self.remembered > MAX_REMEMBERED {
            self.resolved.clear();
            self.remembered = 0;
        }
        let mut functions = Vec::new();
        let mut outside = false;
        let mut all: Vec<Rc<Resolved>> = Vec::new();
        for frame in stack {
            let resolved = self.resolved(frame);
            for function in resolved.iter() {
                outside |= is_caller(function);
                if !outside && functions.len() < MAX_FUNCTIONS {
                    functions.push(Function {
                        name: function.name.clone(),
                        library: function.library.clone(),
                    });
                }
                if all.len() < MAX_ALL {
                    all.push(function.clone());
                }
            }
        }
        Backtrace {
            depth: stack.len(),
            functions,
            shown: show(&all),
            ..Backtrace::default()
        }
    }

    /// What is to be said of names that are not there since there was too much to read: once.
    pub fn take_note(&mut self) -> Option<String> {
        let gave_up = self.modules.iter().any(|m| m.debug.gave_up());
        (gave_up && !std::mem::replace(&mut self.noted, true)).then(|| {
            "its debug information takes too much to read: functions have the names that the file has besides, and no lines".to_owned()
        })
    }

    /// The core module of a frame, and the address in it.
    fn place(&self, frame: &StackFrame) -> Option<(usize, usize)> {
        let Some(offset) = frame.offset else {
            return self.beginning(frame);
        };
        let offset = self.offsets.original(offset);
        let module = self
            .modules
            .iter()
            .position(|m| m.range.contains(&offset))?;
        Some((module, offset - self.modules[module].range.start))
    }

    /// Where a function begins, for a frame that has no place in it: it was just being made.
    fn beginning(&self, frame: &StackFrame) -> Option<(usize, usize)> {
        let [module] = &self.modules[..] else {
            return None;
        };
        Some((0, module.code.beginning(self.function(frame))?))
    }

    /// The function of the host's that is called there, if one is.
    pub fn host_call(&self, frame: &StackFrame) -> Option<String> {
        frame.offset?;
        let (module, address) = self.place(frame)?;
        let name = self.modules[module].code.host_call(address)?;
        Some(name.to_owned())
    }

    /// Whether a guest was stopped in code that was compiled without optimisation.
    pub fn is_unoptimised(&mut self, stack: &[StackFrame]) -> bool {
        // what waits is not slow; where a function begins there may be no place in the file
        let innermost = stack.first().filter(|frame| frame.offset.is_some());
        if let Some((module, address)) = innermost.and_then(|f| self.place(f))
            && self.modules[module].code.calls_host(address)
        {
            return false;
        }
        // where a generic function of std's was compiled says little of the code around it
        let is_own = |frame: &&StackFrame| {
            let resolved = self.resolved(frame);
            resolved.iter().any(|f| f.library != Some(Library::Runtime))
        };
        let own = stack.iter().find(is_own);
        let Some((module, address)) = own.and_then(|f| self.place(f)) else {
            return false;
        };
        let debug = &mut self.modules[module].debug;
        let is_not = debug.ask(|context| {
            let unit = context.find_dwarf_and_unit(address as u64);
            unit.skip_all_loads()
                .is_some_and(|unit| optimised::is_not(&unit))
        });
        is_not == Some(true)
    }

    /// What the developer's code had called when it panicked, and what it calls at all.
    pub fn asked(&mut self, stack: &[StackFrame]) -> RuntimeCalls {
        let own = stack.iter().find(|frame| self.is_developers(frame));
        let before = own.and_then(|frame| self.place(frame));
        let before = before.map_or(Vec::new(), |(module, address)| {
            let module = &self.modules[module];
            let called = module.code.called_before(address).into_iter();
            called.filter_map(|f| module.name_in_std(f)).collect()
        });
        RuntimeCalls {
            before,
            anywhere: self.called_anywhere().to_vec(),
        }
    }

    /// What the developer's code calls of std: all code is read for it, once.
    fn called_anywhere(&mut self) -> &[String] {
        let (modules, sources) = (&mut self.modules, &mut self.sources);
        self.called_anywhere.get_or_insert_with(|| {
            let mut anywhere = HashSet::new();
            for module in modules {
                module.learn();
                let called = module.code.called_by(|f| module.is_developers(sources, f));
                anywhere.extend(called.into_iter().filter_map(|f| module.name_in_std(f)));
            }
            anywhere.into_iter().collect()
        })
    }

    /// Whether code of the developer's or of a dependency's is active in a frame.
    fn is_developers(&mut self, frame: &StackFrame) -> bool {
        let resolved = self.resolved(frame);
        let function = self.function(frame);
        let Some((module, _)) = self.place(frame) else {
            return false;
        };
        resolved.iter().any(|f| f.library != Some(Library::Runtime))
            || self.modules[module].is_developers(&mut self.sources, function)
    }

    /// Which function of its module's a frame's is, or stands for.
    fn function(&self, frame: &StackFrame) -> u32 {
        let function = frame.function;
        let offset = frame.offset;
        offset.map_or(function, |offset| self.offsets.function(offset, function))
    }

    fn resolved(&mut self, frame: &StackFrame) -> Rc<[Rc<Resolved>]> {
        if let Some(resolved) = self.resolved.get(frame) {
            return resolved.clone();
        }
        let resolved = self.resolve(frame).into_iter().map(Rc::new);
        let resolved: Rc<[Rc<Resolved>]> = resolved.collect();
        self.remembered += resolved.iter().map(|f| f.bytes()).sum::<usize>() + OF_FRAME;
        self.resolved.insert(*frame, resolved.clone());
        resolved
    }

    fn resolve(&mut self, frame: &StackFrame) -> Vec<Resolved> {
        let Some((module, address)) = self.place(frame) else {
            return Vec::new();
        };
        let function = self.function(frame);
        let (module, address) = (&mut self.modules[module], address as u64);
        module.learn();
        // debug information of lines alone has no name for what is not inlined
        let outermost = module.names.get(&function).cloned();
        let mut found = module.debug.at(address, outermost.as_deref());
        if found.is_empty() {
            found.extend(outermost.map(|name| (name, None)));
        }
        let crates = module.crates.get_or_insert_default();
        let resolved = found
            .into_iter()
            .map(|(name, location)| resolved(crates, &mut self.sources, &name, location));
        resolved.collect()
    }
}

/// A function for the reader: demangled, its file relative to the current folder.
fn resolved(
    crates: &Crates,
    sources: &mut Sources,
    mangled: &str,
    location: Option<(String, Option<u32>)>,
) -> Resolved {
    let source = location.as_ref().map(|(file, _)| file.as_str());
    let library = crates.library(sources, mangled, source);
    let location = location.map(|(file, line)| {
        let file = shortened(sources.relative(&file).to_owned());
        line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"))
    });
    Resolved {
        name: shortened(owner::demangled(mangled)),
        location,
        library,
    }
}

fn shortened(mut text: String) -> String {
    if let Some((cut, _)) = text.char_indices().nth(MAX_NAME) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

impl CoreModule {
    /// A function's name, if it is one of std's.
    fn name_in_std(&self, function: u32) -> Option<String> {
        let name = owner::demangled(self.names.get(&function)?);
        path_in(&name).starts_with("std::").then_some(name)
    }

    /// Whether a function is the developer's or a dependency's, by its name alone; also what
    /// was compiled with their code, where the mangling tells it from the toolchain's.
    fn is_developers(&self, sources: &mut Sources, function: u32) -> bool {
        let (Some(name), Some(crates)) = (self.names.get(&function), &self.crates) else {
            return false;
        };
        crates.library(sources, name, None) != Some(Library::Runtime)
            || crates.is_of_this_build(name)
    }

    /// Learns what its names tell of crates, before the first of them is looked up.
    fn learn(&mut self) {
        if self.crates.is_none() {
            let names = self.names.values().map(String::as_str);
            self.crates = Some(Crates::new(names, &self.packages));
        }
    }
}

/// Where each core module's code lies in the file, with its names and debug sections.
fn core_modules(bytes: &[u8]) -> Vec<CoreModule> {
    let mut done = Vec::new();
    let mut open: Vec<Option<CoreModule>> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { encoding, .. } => {
                open.push((encoding == Encoding::Module).then(CoreModule::default));
            }
            Payload::End(_) => done.extend(open.pop().flatten()),
            Payload::CodeSectionStart { range, .. } => {
                if let Some(Some(module)) = open.last_mut() {
                    module.code.bytes = bytes.get(range.clone()).unwrap_or_default().to_vec();
                    module.range = range;
                }
            }
            Payload::ImportSection(section) => {
                if let Some(Some(module)) = open.last_mut() {
                    let functions = |i: &wasmparser::Import<'_>| {
                        matches!(i.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))
                    };
                    let imports = section.into_imports().filter_map(Result::ok);
                    for import in imports.filter(functions) {
                        module.code.imported += 1;
                        if module.code.imports.len() < MAX_IMPORTS {
                            let name = format!("{}.{}", import.module, import.name);
                            module.code.imports.push(shortened(name));
                        }
                    }
                }
            }
            Payload::DataSection(section) => {
                if let Some(Some(module)) = open.last_mut() {
                    let data = bytes.get(section.range()).unwrap_or_default();
                    owner::packages_in(data, &mut module.packages);
                }
            }
            Payload::CustomSection(section) => {
                let Some(Some(module)) = open.last_mut() else {
                    continue;
                };
                if section.name().starts_with(".debug_") {
                    module.debug.add(section.name(), section.data());
                } else if let KnownCustom::Name(names) = section.as_known() {
                    for name in names {
                        if let Ok(Name::Function(map)) = name {
                            let names = map.into_iter().filter_map(Result::ok);
                            let short =
                                |n: &str| n[..n.floor_char_boundary(MAX_MANGLED)].to_owned();
                            module.names.extend(names.map(|n| (n.index, short(n.name))));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    done
}
