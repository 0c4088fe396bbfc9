//! Finds std's functions in a core module, and makes sure that they are what they seem.
//!
//! Takes the module with its names, gives their indices or why they are not touched. Names are
//! believed only where types, bodies and the data that they refer to agree: a user's crate may
//! be called `std` as well.

use super::super::stack::{self, StackPointer};
use super::super::{GlobalShape, MemoryShape, Number, survey as state};
use super::calls::Calls;
use super::panics::Constants;
use super::{Left, Plan, ProcessId, TempDir};
use std::collections::BTreeSet;
use wasmparser::{
    ConstExpr, DataKind, ElementItems, ExternalKind, FuncType, FunctionBody, KnownCustom, Name,
    Operator, Parser, Payload, TableInit, TypeRef, ValType,
};

/// Hints for compilers, by function and offset: a new body has no such places.
const HINTS: &str = "metadata.code.";

/// Finds what can be filled in.
pub(super) fn survey(bytes: &[u8]) -> Plan {
    match Module::read(bytes) {
        Ok(module) => module.plan(),
        Err(why) => Plan::left(why),
    }
}

/// What has to be known of a module.
#[derive(Default)]
struct Module<'a> {
    types: Vec<Option<FuncType>>,
    /// By function, imported ones first: the index of its type.
    functions: Vec<u32>,
    imported: usize,
    bodies: Vec<FunctionBody<'a>>,
    constants: Constants<'a>,
    names: Option<Names<'a>>,
    /// Functions that can be called by other ways than a `call`.
    referred: BTreeSet<u32>,
    globals: Vec<GlobalShape>,
    memories: Vec<(MemoryShape, bool)>,
    stack: StackPointer,
    unusual: Option<&'static str>,
}

/// Functions that may be the ones that are looked for.
#[derive(Default)]
struct Names<'a> {
    temp_dir: Vec<(u32, &'a str)>,
    process_id: Vec<(u32, &'a str)>,
    /// `std::env::_var_os`, which every libtest binary has where it has it at all.
    var_os: Vec<(u32, &'a str)>,
    /// What std has for each system, which does the same.
    getenv: Vec<(u32, &'a str)>,
}

impl<'a> Names<'a> {
    fn add(&mut self, index: u32, name: &'a str) {
        const PARTS: [&str; 4] = ["temp_dir", "process", "_var_os", "getenv"];
        if !PARTS.iter().any(|part| name.contains(part)) {
            return;
        }
        let path = format!("{:#}", rustc_demangle::demangle(name));
        let list = match path.as_str() {
            "std::env::temp_dir" => &mut self.temp_dir,
            "std::process::id" => &mut self.process_id,
            "std::env::_var_os" => &mut self.var_os,
            path if is_look_up(path) => &mut self.getenv,
            _ => return,
        };
        list.push((index, name));
    }
}

/// `std::sys::env::wasi::getenv`, wherever std has it.
fn is_look_up(path: &str) -> bool {
    path.starts_with("std::sys::")
        && path.ends_with("::getenv")
        && path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
}

/// The path of a function in modules, as it is mangled, with its crate:
/// `Cs1234_3std3env8temp_dir` of `_RNvNtCs1234_3std3env8temp_dir`.
fn mangled_path(name: &str) -> Option<&str> {
    let mut rest = name.strip_prefix("_RNv")?;
    while let Some(inner) = rest.strip_prefix("Nt") {
        rest = inner;
    }
    Some(rest)
}

/// The crate in such a name, with the hash that tells it from others of its name: `Cs1234_3std`.
fn crate_of<'n>(name: &'n str, path: &str) -> Option<&'n str> {
    let of = mangled_path(name)?.strip_suffix(path)?;
    (of.starts_with("Cs") && of.ends_with("_3std")).then_some(of)
}

/// The path in such a name, inside of this crate.
fn within<'n>(name: &'n str, of: &str) -> Option<&'n str> {
    mangled_path(name)?.strip_prefix(of)
}

impl<'a> Module<'a> {
    fn read(bytes: &'a [u8]) -> Result<Module<'a>, Left> {
        let mut module = Module::default();
        let mut globals = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(types) => {
                    module.types = state::function_types(types)?;
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                                module.functions.push(ty);
                            }
                            TypeRef::Global(_) => globals += 1,
                            TypeRef::Memory(_) => {
                                module.unusual = Some("it imports its memory");
                            }
                            TypeRef::Table(_) | TypeRef::Tag(_) => {}
                        }
                    }
                    module.imported = module.functions.len();
                }
                Payload::FunctionSection(functions) => {
                    for ty in functions {
                        module.functions.push(ty?);
                    }
                }
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        let memory = memory?;
                        let shape = MemoryShape {
                            minimum: memory.initial,
                            maximum: memory.maximum,
                        };
                        module.memories.push((shape, memory.memory64));
                    }
                }
                Payload::TableSection(tables) => {
                    for table in tables {
                        if let TableInit::Expr(expression) = table?.init {
                            module.refers(&expression)?;
                        }
                    }
                }
                Payload::GlobalSection(list) => {
                    for global in list {
                        let global = global?;
                        module.refers(&global.init_expr)?;
                        if global.ty.mutable {
                            module.stack.begins(globals, &global);
                            module.globals.push(GlobalShape {
                                index: globals,
                                // a reference is no address either
                                number: state::number(global.ty.content_type)
                                    .unwrap_or(Number::V128),
                            });
                        } else if let Some(value) = stack::constant(&global.init_expr) {
                            module.constants.globals.insert(globals, value);
                        }
                        globals += 1;
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        match export.kind {
                            ExternalKind::Func => {
                                module.referred.insert(export.index);
                            }
                            ExternalKind::Global => {
                                module.stack.is_named(export.index, export.name);
                            }
                            _ => {}
                        }
                        if export.name == super::SET_PROCESS_ID {
                            module.unusual = Some("it exports a name of wasmtest's own");
                        }
                    }
                }
                Payload::ElementSection(elements) => {
                    for element in elements {
                        match element?.items {
                            ElementItems::Functions(functions) => {
                                for function in functions {
                                    module.referred.insert(function?);
                                }
                            }
                            ElementItems::Expressions(_, expressions) => {
                                for expression in expressions {
                                    module.refers(&expression?)?;
                                }
                            }
                        }
                    }
                }
                Payload::DataSection(data) => {
                    for data in data {
                        let data = data?;
                        if let DataKind::Active {
                            memory_index: 0,
                            offset_expr,
                        } = data.kind
                            && let Some(at) = stack::constant(&offset_expr)
                        {
                            module.constants.data.push((at, data.data));
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => module.bodies.push(body),
                Payload::CustomSection(section) => {
                    if section.name().starts_with(HINTS) {
                        module.unusual = Some("it has hints for the compiler");
                    }
                    if let KnownCustom::Name(names) = section.as_known() {
                        module.take_names(names);
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }

    /// Nobody vouches for what names say: a bad one is no name.
    fn take_names(&mut self, names: wasmparser::NameSectionReader<'a>) {
        for name in names {
            match name {
                Ok(Name::Function(list)) => {
                    let names = self.names.get_or_insert_default();
                    for name in list.into_iter().flatten() {
                        names.add(name.index, name.name);
                    }
                }
                Ok(Name::Global(list)) => {
                    for name in list.into_iter().flatten() {
                        self.stack.is_named(name.index, name.name);
                    }
                }
                _ => {}
            }
        }
    }

    fn refers(&mut self, expression: &ConstExpr<'_>) -> Result<(), Left> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator? {
                self.referred.insert(function_index);
            }
        }
        Ok(())
    }

    fn plan(mut self) -> Plan {
        let Some(names) = self.names.take() else {
            return Plan::left(Left::NoNames);
        };
        if let Some(why) = self.unusual {
            return Plan::left(Left::Unusual(why));
        }
        let temp_dir = self.found(&names.temp_dir, "3env8temp_dir", &[ValType::I32], &[]);
        let process_id = self.found(&names.process_id, "7process2id", &[], &[ValType::I32]);
        if temp_dir.is_err() && process_id.is_err() {
            return Plan {
                temp_dir: Err(temp_dir.err().unwrap_or(Left::Absent)),
                process_id: Err(process_id.err().unwrap_or(Left::Absent)),
            };
        }
        let calls = match self.calls() {
            Ok(calls) => calls,
            Err(why) => return Plan::left(why),
        };
        Plan {
            temp_dir: temp_dir.and_then(|(function, of)| {
                self.can_return(function, &calls)?;
                Ok(TempDir {
                    function,
                    look_up: self.look_up(&names, of)?,
                    stack_pointer: self.stack_pointer()?,
                })
            }),
            process_id: process_id.and_then(|(function, _)| {
                self.can_return(function, &calls)?;
                Ok(ProcessId { function })
            }),
        }
    }

    /// The one function of this path in std that has this type and only panics; with its crate.
    fn found<'n>(
        &self,
        named: &[(u32, &'n str)],
        path: &str,
        parameters: &[ValType],
        results: &[ValType],
    ) -> Result<(u32, &'n str), Left> {
        let (function, name) = match named {
            [] => return Err(Left::Absent),
            [one] => *one,
            _ => return Err(Left::SeveralOfItsName),
        };
        let of = crate_of(name, path).ok_or(Left::Mangling)?;
        let ty = self.type_of(function).ok_or(Left::OtherType)?;
        if ty.params() != parameters || ty.results() != results {
            return Err(Left::OtherType);
        }
        let body = self.body(function).ok_or(Left::OtherBody)?;
        match self.constants.panics_in_std(body, parameters.len())? {
            true => Ok((function, of)),
            false => Err(Left::OtherBody),
        }
    }

    fn type_of(&self, function: u32) -> Option<&FuncType> {
        let ty = *self.functions.get(function as usize)?;
        self.types.get(ty as usize)?.as_ref()
    }

    fn body(&self, function: u32) -> Option<&FunctionBody<'a>> {
        self.bodies
            .get((function as usize).checked_sub(self.imported)?)
    }

    /// Looks through all code.
    fn calls(&mut self) -> Result<Calls, Left> {
        let mut calls = Calls::default();
        for (at, body) in self.bodies.iter().enumerate() {
            let function = u32::try_from(self.imported + at).unwrap_or(u32::MAX);
            self.stack.enters();
            for operator in body.get_operators_reader()? {
                let operator = operator?;
                calls.sees(function, &operator);
                self.stack.sees(&operator);
            }
        }
        Ok(calls)
    }

    fn can_return(&self, function: u32, calls: &Calls) -> Result<(), Left> {
        if self.referred.contains(&function) || calls.referred.contains(&function) {
            return Err(Left::Referred);
        }
        calls.go_on_after(function, |caller| self.body(caller).cloned())
    }

    /// std's own look-up of a variable: of the same crate, and of the type that it has.
    fn look_up(&self, names: &Names<'_>, of: &str) -> Result<u32, Left> {
        let (function, name) = match (names.var_os.as_slice(), names.getenv.as_slice()) {
            ([one], _) | ([], [one]) => *one,
            _ => return Err(Left::NoLookUp),
        };
        let same_crate = within(name, of)
            .is_some_and(|path| path == "3env7__var_os" || path.starts_with("3sys"));
        let ty = self.type_of(function).ok_or(Left::NoLookUp)?;
        let fits = ty.params() == [ValType::I32; 3] && ty.results().is_empty();
        match same_crate && fits && self.body(function).is_some() {
            true => Ok(function),
            false => Err(Left::NoLookUp),
        }
    }

    fn stack_pointer(&self) -> Result<u32, Left> {
        let [(memory, false)] = self.memories.as_slice() else {
            return Err(Left::Unusual(
                "it does not have one memory with 32-bit addresses",
            ));
        };
        self.stack
            .settled(&self.globals, *memory)
            .ok_or(Left::NoStackPointer)
    }
}
