//! Names and lines for a guest's stack, from the original file.
//!
//! Debug information is kept out of what is compiled, so the file that the user
//! gave is read once more, at a module's first trap, and only if it still holds
//! what was compiled. Offsets are mapped back, DWARF is preferred, the name
//! section serves where there is none. Then the developer's frames are kept and
//! the runtime's folded away.

use crate::ending::Backtrace;
use crate::event::Frame;
use crate::instrument::Facts;
use crate::instrument::gaps::Moved;
use crate::module::{ContentHash, strip};
use crate::protocol::ModuleSpec;
use crate::sandbox::called::StackFrame;
use addr2line::Context;
use gimli::{EndianRcSlice, LittleEndian};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use wasmparser::{Encoding, KnownCustom, Name, Parser, Payload};

type Slice = EndianRcSlice<LittleEndian>;

/// Names kept for a verdict: the innermost tell what happened.
const MAX_FUNCTIONS: usize = 512;
/// Lines shown of a backtrace: its first and its last.
const SHOWN: (usize, usize) = (16, 4);
/// Lines kept while repetitions are folded.
const MAX_LINES: usize = 4096;
/// The longest cycle of recursion that is folded.
const MAX_CYCLE: usize = 4;
/// Names and paths are as long as a guest likes.
const MAX_NAME: usize = 300;
/// Functions inlined at one address, as many as a guest likes.
const MAX_INLINED: usize = 64;
/// Functions of one stack, inlined ones included.
const MAX_ALL: usize = 1 << 18;

/// The symbols of one file.
pub struct Symbols {
    offsets: strip::OffsetMap,
    /// Where the code lay before what std lacks was filled in.
    moved: Moved,
    /// By how much the code was moved, if it was rewritten.
    rewritten: Option<Facts>,
    modules: Vec<CoreModule>,
    resolved: HashMap<StackFrame, Rc<[Rc<Resolved>]>>,
    here: Option<String>,
}

#[derive(Default)]
struct CoreModule {
    code: Range<usize>,
    debug: HashMap<String, Rc<[u8]>>,
    context: Option<Context<Slice>>,
    names: HashMap<u32, String>,
}

/// A function that is active at some address, inlined ones included.
#[derive(Clone, Debug)]
struct Resolved {
    name: String,
    location: Option<String>,
    runtime: bool,
}

impl Symbols {
    /// Reads the symbols of a module's file; there are none if it was changed or has none.
    pub fn new(spec: &ModuleSpec) -> Symbols {
        let mut symbols = Symbols {
            offsets: strip::OffsetMap::default(),
            moved: spec.gaps.moved.clone(),
            rewritten: spec.replay.as_ref().map(|r| r.facts.clone()),
            modules: Vec::new(),
            resolved: HashMap::new(),
            here: std::env::current_dir()
                .ok()
                .map(|d| format!("{}/", d.display())),
        };
        if let Ok(bytes) = std::fs::read(&spec.file)
            && ContentHash::of(&bytes) == spec.content
        {
            symbols.offsets = strip::strip(&bytes).1;
            symbols.modules = core_modules(&bytes);
        }
        symbols
    }

    /// The stack as the verdict and the reader want it.
    pub fn backtrace(&mut self, stack: &[StackFrame]) -> Backtrace {
        let mut functions = Vec::new();
        let mut outside = false;
        let mut all: Vec<Rc<Resolved>> = Vec::new();
        for frame in stack {
            let resolved = match self.resolved.get(frame) {
                Some(resolved) => resolved.clone(),
                None => {
                    let resolved = self.resolve(frame).into_iter().map(Rc::new);
                    let resolved: Rc<[Rc<Resolved>]> = resolved.collect();
                    self.resolved.insert(*frame, resolved.clone());
                    resolved
                }
            };
            for function in resolved.iter() {
                outside |= is_caller(&function.name);
                if !outside && functions.len() < MAX_FUNCTIONS {
                    functions.push(function.name.clone());
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
        }
    }

    fn resolve(&mut self, frame: &StackFrame) -> Vec<Resolved> {
        let Some(offset) = frame.offset else {
            return Vec::new();
        };
        // stripping leaves out what lies before the code, rewriting and filling in add to it
        let offset = self.moved.offset(offset);
        let offset = match &self.rewritten {
            Some(facts) => self.offsets.original(facts.original(offset)),
            None => self.offsets.original(offset),
        };
        let Some(module) = self.modules.iter_mut().find(|m| m.code.contains(&offset)) else {
            return Vec::new();
        };
        let address = (offset - module.code.start) as u64;
        let mut found = Vec::new();
        if let Some(context) = module.context()
            && let Ok(mut frames) = context.find_frames(address).skip_all_loads()
        {
            while let (true, Ok(Some(frame))) = (found.len() < MAX_INLINED, frames.next()) {
                let Some(name) = frame
                    .function
                    .and_then(|f| f.demangle().map(std::borrow::Cow::into_owned).ok())
                else {
                    continue;
                };
                let location = frame
                    .location
                    .and_then(|l| Some((l.file?.to_owned(), l.line)));
                found.push(resolved(self.here.as_deref(), &name, location));
            }
        }
        if found.is_empty()
            && let Some(name) = module.names.get(&self.moved.function(frame.function))
        {
            found.push(resolved(self.here.as_deref(), name, None));
        }
        found
    }
}

/// A function for the reader: demangled, its file relative to `here`.
fn resolved(here: Option<&str>, name: &str, location: Option<(String, Option<u32>)>) -> Resolved {
    let name = shortened(format!("{:#}", rustc_demangle::demangle(name)));
    let from_std = location
        .as_ref()
        .is_some_and(|(file, _)| is_std_source(file));
    let location = location.map(|(file, line)| {
        let file = here
            .and_then(|here| file.strip_prefix(here))
            .unwrap_or(&file);
        let file = shortened(file.to_owned());
        line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"))
    });
    Resolved {
        runtime: from_std || is_runtime(&name),
        name,
        location,
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
    /// The DWARF context, made at its first use.
    fn context(&mut self) -> Option<&Context<Slice>> {
        if self.context.is_none() && self.debug.contains_key(".debug_info") {
            let debug = std::mem::take(&mut self.debug);
            let load = |id: gimli::SectionId| -> Result<Slice, gimli::Error> {
                let bytes = debug.get(id.name()).cloned().unwrap_or_default();
                Ok(Slice::new(bytes, LittleEndian))
            };
            let dwarf = gimli::Dwarf::load(load).ok()?;
            self.context = Context::from_dwarf(dwarf).ok();
        }
        self.context.as_ref()
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
                    module.code = range;
                }
            }
            Payload::CustomSection(section) => {
                let Some(Some(module)) = open.last_mut() else {
                    continue;
                };
                if section.name().starts_with(".debug_") {
                    module
                        .debug
                        .insert(section.name().to_owned(), section.data().into());
                } else if let KnownCustom::Name(names) = section.as_known() {
                    for name in names {
                        if let Ok(Name::Function(map)) = name {
                            let names = map.into_iter().filter_map(Result::ok);
                            module
                                .names
                                .extend(names.map(|n| (n.index, n.name.to_owned())));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    done
}

fn is_std_source(file: &str) -> bool {
    file.starts_with("/rustc/")
        || file.contains("/lib/rustlib/src/rust/library/")
        // the C library that Rust's targets are built with
        || file.starts_with("wasisdk://")
}

/// Whether a function belongs to Rust's runtime or the C library.
fn is_runtime(name: &str) -> bool {
    const CRATES: [&str; 13] = [
        // the SDK's library
        "wasmtest",
        "std",
        "core",
        "alloc",
        "test",
        "compiler_builtins",
        "panic_abort",
        "panic_unwind",
        "dlmalloc",
        "__rustc",
        "hashbrown",
        "wasi",
        "wasip2",
    ];
    const SYMBOLS: [&str; 13] = [
        "_start",
        "main",
        "__main_void",
        "__original_main",
        "__main_argc_argv",
        "abort",
        "exit",
        "_Exit",
        "__wasm_call_ctors",
        "rust_begin_unwind",
        "rust_panic",
        "__rust_start_panic",
        "undefined_weak",
    ];
    if name.contains("::__wasmtest_") {
        return true;
    }
    match first_segment(name) {
        Some(krate) => CRATES.contains(&krate),
        None => {
            SYMBOLS.contains(&name)
                || name.starts_with("__rust")
                || name.starts_with("wasi:cli/run")
                // what the SDK's macros export
                || name.starts_with("wasmtest:")
                || name.ends_with(".command_export")
        }
    }
}

/// Whether a function calls tests or programs: what called it is none of their business.
fn is_caller(name: &str) -> bool {
    match first_segment(name) {
        Some("test" | "doctest_runner_2024") => true,
        Some("doctest_bundle_2024") => name.ends_with("::__main_fn"),
        _ => [
            "wasmtest::__private",
            "wasmtest::host::",
            "std::rt::lang_start",
        ]
        .iter()
        .any(|caller| name.starts_with(caller)),
    }
}

/// The crate of a path: `std` of `<&mut std::io::Stdin as ...>::read`.
fn first_segment(name: &str) -> Option<&str> {
    let mut rest = name;
    while let Some(shorter) = ["<", "&", "*", "(", "[", "mut ", "const ", "dyn "]
        .iter()
        .find_map(|p| rest.strip_prefix(p))
    {
        rest = shorter;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    rest[end..].starts_with("::").then(|| &rest[..end])
}

/// The lines to show: the developer's frames inside the harness, repetitions and runtime folded.
fn show(all: &[Rc<Resolved>]) -> Vec<Frame> {
    let inside = all
        .iter()
        .position(|f| is_caller(&f.name))
        .map_or(all, |end| &all[..end]);
    let Some(first) = inside.iter().position(|f| !f.runtime) else {
        return Vec::new();
    };
    let last = inside.iter().rposition(|f| !f.runtime).unwrap_or(first);
    let mut lines = Vec::new();
    let mut folded = 0;
    for frame in &inside[first..=last] {
        if frame.runtime {
            folded += 1;
            continue;
        }
        if folded > 0 {
            lines.push(Line::Folded(folded));
            folded = 0;
        }
        lines.push(Line::Function(frame));
    }
    // libtest wraps `fn test` in `fn test::{{closure}}`
    if let [.., Line::Function(test), Line::Function(wrapper)] = lines.as_slice()
        && wrapper.name.strip_suffix("::{{closure}}") == Some(&test.name)
    {
        lines.pop();
    }
    let mut frames = fold_repetitions(&lines);
    if frames.len() > SHOWN.0 + SHOWN.1 + 1 {
        let left_out = SHOWN.0..frames.len() - SHOWN.1;
        let count = left_out.len();
        frames.splice(left_out, [Frame::Folded { count }]);
    }
    frames
}

/// A line before repetitions are folded: cheap to compare and to copy.
#[derive(Clone, Copy)]
enum Line<'a> {
    Function(&'a Rc<Resolved>),
    Folded(usize),
}

impl PartialEq for Line<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // the same address was resolved once
            (Line::Function(a), Line::Function(b)) => Rc::ptr_eq(a, b),
            (Line::Folded(a), Line::Folded(b)) => a == b,
            _ => false,
        }
    }
}

impl Line<'_> {
    fn frame(self) -> Frame {
        match self {
            Line::Function(f) => Frame::Function {
                name: f.name.clone(),
                location: f.location.clone(),
            },
            Line::Folded(count) => Frame::Folded { count },
        }
    }
}

/// Folds `a b a b a b` to `a b … 2 times`.
fn fold_repetitions(lines: &[Line<'_>]) -> Vec<Frame> {
    let mut out: Vec<Frame> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let rest = &lines[at..];
        let repeated = (1..=MAX_CYCLE.min(rest.len() / 2)).find_map(|length| {
            let again = rest.chunks_exact(length).skip(1);
            let times = again.take_while(|c| *c == &rest[..length]).count();
            (times > 1).then_some((length, times))
        });
        let length = repeated.map_or(1, |(length, _)| length);
        // lines that never recur in one cycle are folded by their number instead
        if out.len() < MAX_LINES {
            out.extend(rest[..length].iter().map(|l| l.frame()));
            if let Some((length, times)) = repeated {
                out.push(Frame::Repeated { length, times });
            }
        }
        at += length * repeated.map_or(1, |(_, times)| times + 1);
    }
    if out.len() >= MAX_LINES {
        let last = lines.len().saturating_sub(SHOWN.1);
        out.extend(lines[last..].iter().map(|l| l.frame()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str) -> Rc<Resolved> {
        Rc::new(Resolved {
            name: name.to_owned(),
            location: None,
            runtime: is_runtime(name),
        })
    }

    fn names(frames: &[Frame]) -> Vec<String> {
        frames
            .iter()
            .map(|f| match f {
                Frame::Function { name, .. } => name.clone(),
                Frame::Repeated { length, times } => format!("{length}x{times}"),
                Frame::Folded { count } => format!("folded {count}"),
            })
            .collect()
    }

    #[test]
    fn the_runtime_is_told_from_the_developers_code() {
        for name in [
            "std::process::abort",
            "core::panicking::panic_fmt",
            "abort",
            "_start",
            "__rust_start_panic",
            "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
            "<&mut std::io::X as a::B>::c",
        ] {
            assert!(is_runtime(name), "{name}");
        }
        for name in [
            "parser::descend",
            "<parser::A as core::fmt::Display>::fmt",
            "crash",
            "standard::x",
        ] {
            assert!(!is_runtime(name), "{name}");
        }
    }

    #[test]
    fn the_tests_own_frame_comes_first_and_the_harness_is_left_out() {
        let all: Vec<Rc<Resolved>> = [
            "__rust_start_panic",
            "std::panicking::begin_panic",
            "a::tests::t",
            "a::tests::t::{{closure}}",
            "core::ops::function::FnOnce::call_once",
            "test::__rust_begin_short_backtrace",
            "a::main",
            "_start",
        ]
        .map(frame)
        .into();
        assert_eq!(names(&show(&all)), ["a::tests::t"]);
    }

    #[test]
    fn recursion_is_folded() {
        let mut all = vec![frame("a::leaf")];
        let (odd, even) = (frame("a::odd"), frame("a::even"));
        for _ in 0..100 {
            all.extend([odd.clone(), even.clone()]);
        }
        all.push(frame("a::tests::t"));
        assert_eq!(
            names(&show(&all)),
            ["a::leaf", "a::odd", "a::even", "2x99", "a::tests::t"]
        );
    }
}
