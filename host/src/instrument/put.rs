//! Puts code into a core module: new bodies in the place of old ones, and what is added to lists.
//!
//! Types, functions, globals, exports and code are added to the ends of their lists. No index
//! shifts, and within the code section no offset does, unless its number of functions takes
//! one byte more by then; the [`OffsetMap`] knows. What comes out has yet to be validated.

use super::OffsetMap;
use super::offsets::RunKind;
use std::collections::BTreeMap;
use std::ops::Range;
use wasm_encoder::{Encode, ExportKind, Instruction};
use wasmparser::{BinaryReader, FunctionBody, Parser, Payload, TypeRef};

const TYPE: u8 = 1;
const FUNCTION: u8 = 3;
const GLOBAL: u8 = 6;
const EXPORT: u8 = 7;
const CODE: u8 = 10;

/// What lies where, and how much of it there is.
#[derive(Default)]
pub(super) struct Layout<'a> {
    header: usize,
    /// Id, the whole of it, and what follows id and length.
    sections: Vec<(u8, Range<usize>, Range<usize>)>,
    types: u32,
    imported: u32,
    /// By defined function: the index of its type.
    functions: Vec<u32>,
    globals: u32,
    bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Layout<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Result<Layout<'a>, CannotPut> {
        let mut layout = Layout::default();
        let mut end = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let Some((id, body)) = payload.as_section() {
                layout.sections.push((id, end..body.end, body.clone()));
                end = body.end;
            }
            match payload {
                Payload::Version { range, .. } => {
                    layout.header = range.end;
                    end = range.end;
                }
                Payload::TypeSection(types) => {
                    for group in types {
                        layout.types += group?.types().len() as u32;
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(_) | TypeRef::FuncExact(_) => layout.imported += 1,
                            TypeRef::Global(_) => layout.globals += 1,
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(functions) => {
                    for ty in functions {
                        layout.functions.push(ty?);
                    }
                }
                Payload::GlobalSection(globals) => layout.globals += globals.count(),
                Payload::CodeSectionEntry(body) => layout.bodies.push(body),
                _ => {}
            }
        }
        Ok(layout)
    }
}

/// What is put in.
#[derive(Default)]
pub(super) struct Put {
    /// By the index of the old one among those defined: its new body.
    bodies: BTreeMap<usize, Vec<u8>>,
    functions: Vec<Added>,
    types: Entries,
    globals: Entries,
    exports: Entries,
}

/// What is added to a list.
#[derive(Default)]
struct Entries {
    count: u32,
    bytes: Vec<u8>,
}

struct Added {
    ty: u32,
    body: Vec<u8>,
    /// The index among those defined that it stands for, and whether this is a copy of it.
    of: Option<(usize, RunKind)>,
}

impl Put {
    /// Has a function call a new one, which is told the index of a copy of the old one.
    pub(super) fn replace(
        &mut self,
        layout: &Layout<'_>,
        function: u32,
        parameters: u32,
        body: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<(), CannotPut> {
        let at = function.checked_sub(layout.imported);
        let at = at.ok_or(CannotPut::OtherFunctions)? as usize;
        let (ty, old) = match (layout.functions.get(at), layout.bodies.get(at)) {
            (Some(ty), Some(old)) => (*ty, old.as_bytes()),
            _ => return Err(CannotPut::OtherFunctions),
        };
        let (new, copy) = (self.next(layout), self.next(layout) + 1);
        let call = call(parameters, new, old.len()).ok_or(CannotPut::TooShort)?;
        self.bodies.insert(at, call);
        for (body, kind) in [(body(copy), RunKind::New), (old.to_vec(), RunKind::Kept)] {
            self.functions.push(Added {
                ty,
                body,
                of: Some((at, kind)),
            });
        }
        Ok(())
    }

    /// The index of the function that is added next.
    fn next(&self, layout: &Layout<'_>) -> u32 {
        layout.imported + (layout.functions.len() + self.functions.len()) as u32
    }

    /// Adds a function that stands for none; gives its index.
    pub(super) fn function(&mut self, layout: &Layout<'_>, ty: u32, body: Vec<u8>) -> u32 {
        let index = self.next(layout);
        self.functions.push(Added { ty, body, of: None });
        index
    }

    /// Adds the type of a function that takes an i32 and gives nothing; gives its index.
    pub(super) fn taking_i32(&mut self, layout: &Layout<'_>) -> u32 {
        let index = layout.types + self.types.count;
        self.types.count += 1;
        self.types.bytes.extend([0x60, 1, 0x7f, 0]);
        index
    }

    /// Adds a mutable i32; gives its index.
    pub(super) fn global(&mut self, layout: &Layout<'_>, begins: i32) -> u32 {
        let index = layout.globals + self.globals.count;
        self.globals.count += 1;
        self.globals.bytes.extend([0x7f, 1]);
        Instruction::I32Const(begins).encode(&mut self.globals.bytes);
        Instruction::End.encode(&mut self.globals.bytes);
        index
    }

    /// Has something be known by this name.
    pub(super) fn export(&mut self, name: &str, kind: ExportKind, index: u32) {
        self.exports.count += 1;
        name.encode(&mut self.exports.bytes);
        kind.encode(&mut self.exports.bytes);
        index.encode(&mut self.exports.bytes);
    }
}

/// Why nothing can be put into a module: a sentence's end for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotPut {
    #[error("its code is too short for a call")]
    TooShort,
    #[error("what is compiled has other functions than it")]
    OtherFunctions,
    #[error("it lacks a section that programs have")]
    NoSection,
    #[error("the file cannot be read: {0}")]
    Invalid(String),
}

impl From<wasmparser::BinaryReaderError> for CannotPut {
    fn from(e: wasmparser::BinaryReaderError) -> Self {
        CannotPut::Invalid(e.message().to_owned())
    }
}

/// The module with it, and the way back.
pub(super) fn assemble(
    bytes: &[u8],
    layout: &Layout<'_>,
    put: &Put,
) -> Result<(Vec<u8>, OffsetMap), CannotPut> {
    let mut functions = Vec::new();
    for added in &put.functions {
        added.ty.encode(&mut functions);
    }
    let count = put.functions.len() as u32;
    let mut to_add: BTreeMap<u8, (u32, &[u8])> = [
        (TYPE, (put.types.count, &put.types.bytes[..])),
        (FUNCTION, (count, &functions)),
        (GLOBAL, (put.globals.count, &put.globals.bytes)),
        (EXPORT, (put.exports.count, &put.exports.bytes)),
        (CODE, (count, &[])),
    ]
    .into_iter()
    .filter(|(_, (count, _))| *count > 0)
    .collect();

    let mut out = bytes[..layout.header].to_vec();
    out.reserve(bytes.len() + 1024);
    let mut offsets = OffsetMap::default();
    for (id, whole, body) in &layout.sections {
        let Some((added, entries)) = to_add.remove(id) else {
            offsets.kept(out.len(), whole.start);
            out.extend_from_slice(&bytes[whole.clone()]);
            continue;
        };
        let mut reader = BinaryReader::new(&bytes[body.clone()], body.start);
        let count = reader.read_var_u32()?;
        let first = reader.original_position();
        let mut length = Vec::new();
        count.saturating_add(added).encode(&mut length);
        offsets.put_in(out.len(), whole.start);
        if *id != CODE {
            write(&mut out, *id, &[&length, &bytes[first..body.end], entries]);
            offsets.kept(out.len() - entries.len() - (body.end - first), first);
            offsets.put_in(out.len() - entries.len(), body.end);
            continue;
        }
        let old = code_with(bytes, layout, put, first..body.end);
        // the places in it, from its first body on
        let mut new = Vec::new();
        let mut places = Vec::new();
        for added in &put.functions {
            let length_at = new.len();
            added.body.len().encode(&mut new);
            places.push((length_at, new.len(), added.of));
            new.extend_from_slice(&added.body);
        }
        write(&mut out, *id, &[&length, &old, &new]);
        let added = out.len() - new.len();
        offsets.kept(added - old.len(), first);
        for (length_at, body_at, of) in places {
            offsets.put_in(added + length_at, body.end);
            if let Some((of, kind)) = of {
                let original = layout.bodies[of].range().start;
                let function = layout.imported + of as u32;
                offsets.added(added + body_at, original, kind, function);
            }
        }
    }
    match to_add.is_empty() {
        true => Ok((out, offsets)),
        false => Err(CannotPut::NoSection),
    }
}

/// The bodies that there were, some of them with another content of the same length.
fn code_with(bytes: &[u8], layout: &Layout<'_>, put: &Put, bodies: Range<usize>) -> Vec<u8> {
    let mut code = bytes[bodies.clone()].to_vec();
    for (at, body) in &put.bodies {
        let range = layout.bodies[*at].range();
        let range = range.start - bodies.start..range.end - bodies.start;
        code[range].copy_from_slice(body);
    }
    code
}

fn write(out: &mut Vec<u8>, id: u8, parts: &[&[u8]]) {
    out.push(id);
    parts
        .iter()
        .map(|part| part.len())
        .sum::<usize>()
        .encode(out);
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// A body of this length that calls a function with all of its parameters and returns what that
/// returns; `None` if that is too short.
fn call(parameters: u32, function: u32, length: usize) -> Option<Vec<u8>> {
    const NOP: u8 = 0x01;
    const END: u8 = 0x0b;
    // no locals
    let mut body = vec![0];
    for parameter in 0..parameters {
        Instruction::LocalGet(parameter).encode(&mut body);
    }
    Instruction::Call(function).encode(&mut body);
    let padding = length.checked_sub(body.len() + 1)?;
    body.extend(std::iter::repeat_n(NOP, padding));
    body.push(END);
    Some(body)
}
