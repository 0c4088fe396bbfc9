//! A module as the search reads it.

use super::super::stack::{StackPointer, constant};
use super::super::{GlobalShape, MemoryShape, Number, survey};
use super::data::Image;
use super::{NotFound, OWN_NAMES};
use std::cell::Cell;
use std::collections::HashMap;
use wasmparser::{
    ElementItems, ElementKind, ExternalKind, FuncType, FunctionBody, Parser, Payload, TypeRef,
};

/// What has to be known of a module.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) types: Vec<Option<FuncType>>,
    /// By function, imported ones first: the index of its type.
    pub(super) functions: Vec<u32>,
    pub(super) imported: usize,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) image: Image<'a>,
    /// What the first table holds, by place.
    pub(super) table: HashMap<u32, u32>,
    memories: Vec<MemoryShape>,
    globals: Vec<GlobalShape>,
    stack: StackPointer,
    starts: bool,
    /// How many words were read.
    pub(super) work: Cell<u64>,
}

impl<'a> Module<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Module<'a>, NotFound> {
        if Parser::is_component(bytes) {
            return Err(NotFound::Component);
        }
        let mut module = Module::default();
        let mut globals = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(types) => {
                    module.types = survey::function_types(types)?;
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                                module.functions.push(ty);
                            }
                            TypeRef::Global(_) => globals += 1,
                            TypeRef::Memory(_) => {
                                return Err(NotFound::Unusual("it imports its memory"));
                            }
                            TypeRef::Table(_) => {
                                return Err(NotFound::Unusual("it imports its table"));
                            }
                            TypeRef::Tag(_) => {}
                        }
                    }
                    module.imported = module.functions.len();
                }
                Payload::FunctionSection(functions) => {
                    for ty in functions {
                        module.functions.push(ty?);
                    }
                }
                Payload::TagSection(_) => return Err(NotFound::Unwinds),
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        let memory = memory?;
                        if memory.memory64 || memory.shared {
                            return Err(NotFound::Unusual(
                                "its memory is shared or has 64-bit addresses",
                            ));
                        }
                        module.memories.push(MemoryShape {
                            minimum: memory.initial,
                            maximum: memory.maximum,
                        });
                    }
                }
                Payload::GlobalSection(list) => {
                    for global in list {
                        let global = global?;
                        if global.ty.mutable {
                            module.stack.begins(globals, &global);
                            module.globals.push(GlobalShape {
                                index: globals,
                                number: survey::number(global.ty.content_type)
                                    .unwrap_or(Number::V128),
                            });
                        }
                        globals += 1;
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        match export.kind {
                            ExternalKind::Func => module.starts |= export.name == "_start",
                            ExternalKind::Global => {
                                module.stack.is_named(export.index, export.name);
                            }
                            _ => {}
                        }
                        if OWN_NAMES.contains(&export.name) {
                            return Err(NotFound::OwnName(export.name.to_owned()));
                        }
                    }
                }
                Payload::ElementSection(elements) => {
                    for element in elements {
                        let element = element?;
                        let ElementKind::Active {
                            table_index: None | Some(0),
                            offset_expr,
                        } = &element.kind
                        else {
                            continue;
                        };
                        let at = constant(offset_expr);
                        let (Some(at), ElementItems::Functions(functions)) = (at, element.items)
                        else {
                            return Err(NotFound::Unusual(
                                "its table is made in another way than rustc's",
                            ));
                        };
                        for (place, function) in (u64::from(at)..).zip(functions) {
                            // what has no place there is no module either
                            let Ok(place) = u32::try_from(place) else {
                                return Err(NotFound::Unusual("its table is too long"));
                            };
                            module.table.insert(place, function?);
                        }
                    }
                }
                Payload::DataSection(data) => {
                    for data in data {
                        module.image.add(&data?);
                    }
                }
                Payload::CodeSectionEntry(body) => module.bodies.push(body),
                Payload::CustomSection(section) => module.stack.may_be_named_in(&section),
                _ => {}
            }
        }
        if !module.starts {
            return Err(NotFound::Unusual("it has no `_start`"));
        }
        match module.image.settle() {
            true => Ok(module),
            false => Err(NotFound::Unusual("its data lie over one another")),
        }
    }

    /// The global that points at the end of the stack in memory.
    pub(super) fn stack_pointer(&self) -> Result<u32, NotFound> {
        let [memory] = &self.memories[..] else {
            return Err(NotFound::Unusual("it has not one memory"));
        };
        let mut stack = self.stack.clone();
        for body in &self.bodies {
            stack.enters();
            let mut operators = body.get_operators_reader()?;
            while !operators.eof() {
                stack.sees(&operators.read()?);
            }
        }
        let found = stack.settled(&self.globals, *memory);
        found.ok_or(NotFound::NoStackPointer)
    }

    pub(super) fn type_of(&self, function: usize) -> Option<&FuncType> {
        let ty = *self.functions.get(function)?;
        self.types.get(ty as usize)?.as_ref()
    }
}
