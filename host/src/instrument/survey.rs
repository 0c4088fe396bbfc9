//! Reads a core module and decides whether its whole state can be told.
//!
//! Takes the bytes, gives where its sections lie and what is to be known of
//! memory, globals and data. Denies by default: whatever could hold state apart
//! from the one memory and mutable numbers ends in [`NotUnderstood`]. Nothing is
//! changed here, and validity is left to whoever validates the result.

use super::stack::StackPointer;
use super::{GLOBAL, GlobalShape, MAX_GLOBALS, MemoryShape, NotUnderstood, Number, PAGE, STATE};
use std::ops::Range;
use wasmparser::{
    BinaryReaderError, CompositeInnerType, DataKind, Encoding, ExternalKind, FuncType,
    FunctionBody, MemoryType, Operator, Parser, Payload, TypeRef, TypeSectionReader, ValType,
};

/// A module's types by their indices, of those that are functions'.
///
/// # Errors
/// If the section does not parse.
pub fn function_types(
    types: TypeSectionReader<'_>,
) -> Result<Vec<Option<FuncType>>, BinaryReaderError> {
    let mut all = Vec::new();
    for group in types {
        let types = group?.into_types();
        all.extend(types.map(|ty| match ty.composite_type.inner {
            CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }));
    }
    Ok(all)
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// All sections in their order, without a gap.
    pub sections: Vec<Section>,
    /// The bytes of the memory's type.
    pub memory_type: Range<usize>,
    pub memory: Option<MemoryShape>,
    /// The mutable ones.
    pub globals: Vec<GlobalShape>,
    pub stack_pointer: Option<u32>,
    /// The bytes of each data segment.
    pub data: Vec<Range<usize>>,
}

/// Where a section lies.
#[derive(Debug)]
pub(super) struct Section {
    pub id: u8,
    /// With id and length.
    pub whole: Range<usize>,
    pub body: Range<usize>,
    /// If it is a list that may be added to: how many there are, and where they begin.
    pub list: Option<(u32, usize)>,
}

const CUSTOM: u8 = 0;
pub(super) const IMPORT: u8 = 2;
pub(super) const MEMORIES: u8 = 5;
pub(super) const EXPORT: u8 = 7;
pub(super) const CODE: u8 = 10;
pub(super) const DATA: u8 = 11;

/// Where a section has its place; customs may be anywhere.
pub(super) fn rank(id: u8) -> Option<usize> {
    const ORDER: [u8; 13] = [
        1, IMPORT, 3, 4, MEMORIES, 13, 6, EXPORT, 8, 9, 12, CODE, DATA,
    ];
    ORDER.iter().position(|o| *o == id)
}

impl From<BinaryReaderError> for NotUnderstood {
    fn from(e: BinaryReaderError) -> Self {
        NotUnderstood::Invalid(e.to_string())
    }
}

/// Reads a module.
pub(super) fn survey(bytes: &[u8]) -> Result<Survey, NotUnderstood> {
    let mut survey = Survey::default();
    let mut stack = StackPointer::default();
    let mut global_index = 0;
    let mut end = 0;
    let mut last = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::Version {
                encoding, range, ..
            } => {
                if *encoding == Encoding::Component {
                    return Err(NotUnderstood::Component);
                }
                end = range.end;
            }
            Payload::TypeSection(types) => {
                for group in types.clone() {
                    for ty in group?.into_types() {
                        if !matches!(ty.composite_type.inner, CompositeInnerType::Func(_)) {
                            return Err(NotUnderstood::Objects);
                        }
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import?;
                    if import.module == STATE {
                        return Err(NotUnderstood::OwnName(STATE.to_owned()));
                    }
                    global_index += u32::from(is_global(import.ty)?);
                }
            }
            Payload::MemorySection(memories) => {
                if memories.count() > 1 || survey.memory.is_some() {
                    return Err(NotUnderstood::SeveralMemories);
                }
                for memory in memories.clone() {
                    survey.memory = Some(shape(memory?)?);
                    survey.memory_type = memories.original_position()..memories.range().end;
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals.clone() {
                    let global = global?;
                    if global.ty.mutable {
                        let number = number(global.ty.content_type)
                            .ok_or(NotUnderstood::MutableReference)?;
                        if survey.globals.len() == MAX_GLOBALS {
                            return Err(NotUnderstood::ManyGlobals);
                        }
                        stack.begins(global_index, &global);
                        survey.globals.push(GlobalShape {
                            index: global_index,
                            number,
                        });
                    }
                    global_index += 1;
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    let index = export.name.strip_prefix(GLOBAL).map(str::parse::<u32>);
                    if let Some(Ok(_)) = index {
                        return Err(NotUnderstood::OwnName(export.name.to_owned()));
                    }
                    if export.kind == ExternalKind::Global {
                        stack.is_named(export.index, export.name);
                    }
                }
            }
            Payload::StartSection { .. } => return Err(NotUnderstood::StartFunction),
            Payload::DataSection(data) => {
                for data in data.clone() {
                    let data = data?;
                    let DataKind::Active {
                        memory_index,
                        offset_expr,
                    } = data.kind
                    else {
                        return Err(NotUnderstood::PassiveData);
                    };
                    if memory_index != 0 {
                        return Err(NotUnderstood::SeveralMemories);
                    }
                    for operator in offset_expr.get_operators_reader() {
                        if matches!(operator?, Operator::GlobalGet { .. }) {
                            return Err(NotUnderstood::DataAtGlobal);
                        }
                    }
                    survey.data.push(data.range);
                }
            }
            Payload::CodeSectionEntry(body) => look_at(body, &mut stack)?,
            Payload::CustomSection(section) => stack.may_be_named_in(section),
            _ => {}
        }
        if let Some((id, body)) = payload.as_section() {
            if id != CUSTOM {
                let place = rank(id).filter(|r| last.is_none_or(|last| *r > last));
                let misplaced = || NotUnderstood::Invalid(format!("section {id} is out of place"));
                last = Some(place.ok_or_else(misplaced)?);
            }
            let whole = end..body.end;
            end = body.end;
            let list = match &payload {
                Payload::ImportSection(list) => Some((list.count(), list.original_position())),
                Payload::ExportSection(list) => Some((list.count(), list.original_position())),
                _ => None,
            };
            survey.sections.push(Section {
                id,
                whole,
                body,
                list,
            });
        }
    }
    let memory = survey.memory.ok_or(NotUnderstood::NoMemory)?;
    survey.stack_pointer = stack.settled(&survey.globals, memory);
    Ok(survey)
}

/// Whether an import is a global; fails if it brings state along.
fn is_global(ty: TypeRef) -> Result<bool, NotUnderstood> {
    match ty {
        TypeRef::Memory(_) => Err(NotUnderstood::ImportedMemory),
        TypeRef::Table(_) => Err(NotUnderstood::ImportedTable),
        TypeRef::Global(global) if global.mutable => Err(NotUnderstood::ImportedMutableGlobal),
        TypeRef::Global(global) => match number(global.content_type) {
            Some(_) => Ok(true),
            None => Err(NotUnderstood::ImportedReference),
        },
        TypeRef::Func(_) | TypeRef::FuncExact(_) | TypeRef::Tag(_) => Ok(false),
    }
}

fn shape(memory: MemoryType) -> Result<MemoryShape, NotUnderstood> {
    if memory.shared {
        return Err(NotUnderstood::SharedMemory);
    }
    if memory.memory64 {
        return Err(NotUnderstood::Memory64);
    }
    if memory
        .page_size_log2
        .is_some_and(|log2| log2 != PAGE.ilog2())
    {
        return Err(NotUnderstood::CustomPageSize);
    }
    Ok(MemoryShape {
        minimum: memory.initial,
        maximum: memory.maximum,
    })
}

/// What a global of this type holds; `None` if that is a reference.
pub(super) fn number(ty: ValType) -> Option<Number> {
    match ty {
        ValType::I32 => Some(Number::I32),
        ValType::I64 => Some(Number::I64),
        ValType::F32 => Some(Number::F32),
        ValType::F64 => Some(Number::F64),
        ValType::V128 => Some(Number::V128),
        ValType::Ref(_) => None,
    }
}

/// Looks for what changes state that cannot be told.
fn look_at(body: &FunctionBody<'_>, stack: &mut StackPointer) -> Result<(), NotUnderstood> {
    use NotUnderstood::{DataInCode, Objects, TableChanged};
    let mut operators = body.get_operators_reader()?;
    stack.enters();
    while !operators.eof() {
        let operator = operators.read()?;
        stack.sees(&operator);
        match operator {
            Operator::MemoryInit { .. } => return Err(DataInCode("memory.init")),
            Operator::DataDrop { .. } => return Err(DataInCode("data.drop")),
            Operator::TableSet { .. } => return Err(TableChanged("table.set")),
            Operator::TableGrow { .. } => return Err(TableChanged("table.grow")),
            Operator::TableFill { .. } => return Err(TableChanged("table.fill")),
            Operator::TableCopy { .. } => return Err(TableChanged("table.copy")),
            Operator::TableInit { .. } => return Err(TableChanged("table.init")),
            Operator::ElemDrop { .. } => return Err(TableChanged("elem.drop")),
            // impossible without such types, which are refused already
            Operator::ArrayNewData { .. }
            | Operator::ArrayInitData { .. }
            | Operator::ArrayNewElem { .. }
            | Operator::ArrayInitElem { .. } => return Err(Objects),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::rewrite;

    fn refused(wat: &str) -> NotUnderstood {
        let module = wat::parse_str(wat).unwrap_or_else(|e| panic!("{wat}: {e}"));
        match rewrite(&module) {
            Ok(_) => panic!("it was understood: {wat}"),
            Err(why) => why,
        }
    }

    #[test]
    fn whatever_else_could_hold_state_is_refused() {
        use NotUnderstood as N;
        let cases = [
            ("(component)", N::Component),
            ("(module (memory 1) (func $f) (start $f))", N::StartFunction),
            ("(module)", N::NoMemory),
            ("(module (memory 1) (memory 1))", N::SeveralMemories),
            (
                "(module (import \"a\" \"b\" (memory 1)))",
                N::ImportedMemory,
            ),
            (
                "(module (import \"a\" \"b\" (memory 1)) (memory 1))",
                N::ImportedMemory,
            ),
            ("(module (memory 1 2 shared))", N::SharedMemory),
            ("(module (memory i64 1))", N::Memory64),
            ("(module (memory 1 (pagesize 1)))", N::CustomPageSize),
            (
                "(module (import \"a\" \"b\" (global (mut i32))) (memory 1))",
                N::ImportedMutableGlobal,
            ),
            (
                "(module (import \"a\" \"b\" (global externref)) (memory 1))",
                N::ImportedReference,
            ),
            (
                "(module (import \"a\" \"b\" (table 1 funcref)) (memory 1))",
                N::ImportedTable,
            ),
            (
                "(module (memory 1) (global (mut funcref) (ref.null func)))",
                N::MutableReference,
            ),
            (
                "(module (memory 1) (global (mut externref) (ref.null extern)))",
                N::MutableReference,
            ),
            ("(module (memory 1) (data \"passive\"))", N::PassiveData),
            (
                "(module (memory 1) (data (i32.const 0) \"\") (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))))",
                N::DataInCode("memory.init"),
            ),
            (
                "(module (memory 1) (data (i32.const 0) \"\") (func (data.drop 0)))",
                N::DataInCode("data.drop"),
            ),
            (
                "(module (import \"a\" \"b\" (global i32)) (memory 1) (data (global.get 0) \"x\"))",
                N::DataAtGlobal,
            ),
            (
                "(module (memory 1) (global i32 (i32.const 8)) (data (global.get 0) \"x\"))",
                N::DataAtGlobal,
            ),
            (
                "(module (memory 1) (table 1 funcref) (func (table.set (i32.const 0) (ref.null func))))",
                N::TableChanged("table.set"),
            ),
            (
                "(module (memory 1) (table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1)))))",
                N::TableChanged("table.grow"),
            ),
            (
                "(module (memory 1) (table 1 funcref) (func (table.fill (i32.const 0) (ref.null func) (i32.const 1))))",
                N::TableChanged("table.fill"),
            ),
            (
                "(module (memory 1) (table 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1))))",
                N::TableChanged("table.copy"),
            ),
            (
                "(module (memory 1) (table 1 funcref) (elem func) (func (table.init 0 (i32.const 0) (i32.const 0) (i32.const 0))))",
                N::TableChanged("table.init"),
            ),
            (
                "(module (memory 1) (elem func) (func (elem.drop 0)))",
                N::TableChanged("elem.drop"),
            ),
            (
                "(module (memory 1) (type (struct (field (mut i32)))))",
                N::Objects,
            ),
            ("(module (memory 1) (type (array i8)))", N::Objects),
            (
                "(module (import \"wasmtest:state\" \"other\" (func)) (memory 1))",
                N::OwnName("wasmtest:state".into()),
            ),
            (
                "(module (memory 1) (func (export \"wasmtest:global:0\")))",
                N::OwnName("wasmtest:global:0".into()),
            ),
        ];
        for (wat, why) in cases {
            assert_eq!(refused(wat), why, "{wat}");
        }
        let many = "(global (mut i32) (i32.const 0))".repeat(MAX_GLOBALS + 1);
        let many = format!("(module (memory 1) {many})");
        assert_eq!(refused(&many), N::ManyGlobals);
    }

    #[test]
    fn what_holds_no_state_is_understood() {
        for wat in [
            "(module (memory 0))",
            "(module (memory 1 1) (global funcref (ref.null func)))",
            "(module (import \"a\" \"b\" (global i32)) (memory 1))",
            "(module (memory 1) (table 2 funcref) (elem (i32.const 1) func 0) (func))",
            "(module (memory 1) (elem declare func 0) (func (drop (ref.func 0))))",
            "(module (memory 1) (tag) (func (try_table (throw 0))))",
            "(module (memory 1) (data (i32.add (i32.const 1) (i32.const 2)) \"x\"))",
            "(module (memory 1) (func (export \"wasmtest:global::tests::a\")))",
            "(module (memory 1) (func (param i32) (drop (memory.grow (local.get 0)))))",
            "(module (memory 1) (func (memory.copy (i32.const 0) (i32.const 9) (i32.const 1))))",
        ] {
            let module = wat::parse_str(wat).unwrap_or_else(|e| panic!("{wat}: {e}"));
            rewrite(&module).unwrap_or_else(|e| panic!("{wat}: {e}"));
        }
    }

    #[test]
    fn what_is_damaged_or_invalid_is_refused() {
        let good = wat::parse_str(
            "(module (import \"a\" \"b\" (func)) (memory 1) (global (mut i32) (i32.const 1)) (func (export \"f\") (global.set 0 (i32.const 1))) (data (i32.const 0) \"x\"))",
        )
        .expect("it assembles");
        assert!(rewrite(&good).is_ok());
        let harmless = |bytes: &[u8]| {
            if let Ok(made) = rewrite(bytes) {
                assert!(wasmparser::validate(&made.bytes).is_ok());
                assert!(wasmparser::validate(&made.facts.initial_memory).is_ok());
            }
        };
        for at in 0..good.len() {
            harmless(&good[..at]);
            let mut changed = good.clone();
            for byte in 0..=u8::MAX {
                changed[at] = byte;
                harmless(&changed);
            }
        }
        let invalid = |bytes: &[u8]| {
            let why = rewrite(bytes).expect_err("it is refused");
            assert!(matches!(why, NotUnderstood::Invalid(_)), "{why}");
        };
        invalid(b"");
        invalid(b"junk");
        let header = b"\0asm\x01\0\0\0";
        let memory = [5, 3, 1, 0, 1];
        let exports = [7, 1, 0];
        let imports = [2, 1, 0];
        invalid(&[&header[..], &memory, &imports].concat());
        invalid(&[&header[..], &imports, &imports, &memory].concat());
        invalid(&[&header[..], &memory, &exports, &exports].concat());
        invalid(&[&header[..], &memory, &[99, 0]].concat());
        // data at an address that is no i32
        invalid(&[&header[..], &memory, &[11, 7, 1, 0, 0x42, 0, 0x0b, 1, b'x']].concat());
        // a body that does not type-check
        invalid(
            &[
                &header[..],
                &[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0],
                &memory,
                &[10, 5, 1, 3, 0, 0x6a, 0x0b],
            ]
            .concat(),
        );
    }
}
