//! Makes a core module in which std's functions work of one in which they panic.
//!
//! Takes a plan, changes two bodies in place and adds to the ends of lists: types, functions,
//! globals, exports, code. No index shifts, and within the code section no offset does, unless
//! its number of functions takes one byte more by then; the [`OffsetMap`] knows.

use super::{Left, OffsetMap, Plan, RunKind, SET_PROCESS_ID, code};
use std::collections::BTreeMap;
use std::ops::Range;
use wasm_encoder::Encode;
use wasmparser::{BinaryReader, FunctionBody, Parser, Payload, TypeRef};

const TYPE: u8 = 1;
const FUNCTION: u8 = 3;
const GLOBAL: u8 = 6;
const EXPORT: u8 = 7;
const CODE: u8 = 10;

/// What lies where, and how much of it there is.
#[derive(Default)]
struct Layout<'a> {
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
    fn of(bytes: &'a [u8]) -> Result<Layout<'a>, Left> {
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
struct Put {
    /// By the index of the old one among those defined: its new body.
    bodies: BTreeMap<usize, Vec<u8>>,
    /// Functions to add: type, body, and the old body that it stands for.
    functions: Vec<Added>,
    process_id: bool,
}

struct Added {
    ty: u32,
    body: Vec<u8>,
    /// The index among those defined, and whether this is a copy of it.
    of: Option<(usize, RunKind)>,
}

/// Fills in what is planned.
pub(super) fn fill(bytes: &[u8], plan: &Plan) -> Result<(Vec<u8>, OffsetMap), Left> {
    let layout = Layout::of(bytes)?;
    let put = Put::of(&layout, plan)?;
    assemble(bytes, &layout, put)
}

impl Put {
    fn of(layout: &Layout<'_>, plan: &Plan) -> Result<Put, Left> {
        let mut put = Put::default();
        if let Ok(found) = &plan.temp_dir {
            put.replace(layout, found.function, 1, |old| {
                code::temp_dir(found.look_up, found.stack_pointer, old)
            })?;
        }
        if let Ok(found) = &plan.process_id {
            let global = layout.globals;
            put.replace(layout, found.function, 0, |old| {
                code::process_id(global, old)
            })?;
            put.process_id = true;
            put.functions.push(Added {
                ty: layout.types,
                body: code::set_process_id(global),
                of: None,
            });
        }
        Ok(put)
    }

    /// Has a function call a new one, which is told the index of a copy of the old one.
    fn replace(
        &mut self,
        layout: &Layout<'_>,
        function: u32,
        parameters: u32,
        body: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<(), Left> {
        const GONE: Left = Left::Unusual("what is compiled has other functions than it");
        let at = function.checked_sub(layout.imported).ok_or(GONE)? as usize;
        let (ty, old) = match (layout.functions.get(at), layout.bodies.get(at)) {
            (Some(ty), Some(old)) => (*ty, old.as_bytes()),
            _ => return Err(GONE),
        };
        let (new, copy) = (self.index(layout), self.index(layout) + 1);
        let call = code::call(parameters, new, old.len()).ok_or(Left::TooShort)?;
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
    fn index(&self, layout: &Layout<'_>) -> u32 {
        layout.imported + (layout.functions.len() + self.functions.len()) as u32
    }
}

fn assemble(bytes: &[u8], layout: &Layout<'_>, put: Put) -> Result<(Vec<u8>, OffsetMap), Left> {
    let mut types = Vec::new();
    let mut functions = Vec::new();
    for added in &put.functions {
        added.ty.encode(&mut functions);
    }
    let mut globals = Vec::new();
    let mut exports = Vec::new();
    if put.process_id {
        // a function of an i32 without a result
        types.extend([0x60, 1, 0x7f, 0]);
        // a mutable i32 that begins as 0
        globals.extend([0x7f, 1, 0x41, 0, 0x0b]);
        SET_PROCESS_ID.encode(&mut exports);
        exports.push(0);
        let setter = layout.imported + (layout.functions.len() + put.functions.len() - 1) as u32;
        setter.encode(&mut exports);
    }
    let of_process_id = u32::from(put.process_id);
    let mut to_add: BTreeMap<u8, (u32, Vec<u8>)> = [
        (TYPE, (of_process_id, types)),
        (FUNCTION, (put.functions.len() as u32, functions)),
        (GLOBAL, (of_process_id, globals)),
        (EXPORT, (of_process_id, exports)),
        (CODE, (put.functions.len() as u32, Vec::new())),
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
            write(&mut out, *id, &[&length, &bytes[first..body.end], &entries]);
            offsets.kept(out.len() - entries.len() - (body.end - first), first);
            offsets.put_in(out.len() - entries.len(), body.end);
            continue;
        }
        let old = code_with(bytes, layout, &put, first..body.end);
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
        false => Err(Left::Unusual("it lacks a section that programs have")),
    }
}

/// The bodies that there were, two of them with another content of the same length.
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
