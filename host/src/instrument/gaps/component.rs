//! Fills in what std lacks in a component: in the one core module that has a memory of its own.
//!
//! That module is changed where it lies, and at the component's end one more function is
//! exported, by which the host sets what `std::process::id()` gives. Everything else is copied.

use super::super::rewrite::features;
use super::{
    Left, OffsetMap, Plan, SET_PROCESS_ID, SET_PROCESS_ID_IN_COMPONENT, fill as core, survey,
};
use std::ops::Range;
use wasm_encoder::Encode;
use wasmparser::{Instance, Parser, Payload, Validator, WasmFeatures};

/// A component's own part of its file.
#[derive(Default)]
struct Layout {
    header: usize,
    /// Id, the whole of it, and what follows id and length.
    sections: Vec<(u8, Range<usize>, Range<usize>)>,
    /// By core module that lies in it: its index.
    modules: Vec<u32>,
    /// By instance of a core module: which one.
    instances: Vec<(u32, u32)>,
    core_functions: u32,
    functions: u32,
    types: u32,
}

/// A core module that lies in a component.
const MODULE: u8 = 1;
/// A component that lies in a component.
const COMPONENT: u8 = 4;

impl Layout {
    fn of(bytes: &[u8]) -> Result<Layout, Left> {
        let mut layout = Layout::default();
        let mut validator =
            Validator::new_with_features(features() | WasmFeatures::COMPONENT_MODEL);
        let mut depth = 0;
        let mut end = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let Payload::End(_) = payload
                && depth == 1
                && let Some(types) = validator.types(0)
            {
                layout.core_functions = types.function_count();
                layout.functions = types.component_function_count();
                layout.types = types.component_type_count();
            }
            let outermost = depth == 1;
            match &payload {
                Payload::Version { range, .. } => {
                    depth += 1;
                    if depth == 1 {
                        layout.header = range.end;
                        end = range.end;
                    }
                }
                Payload::End(_) => depth -= 1,
                Payload::ModuleSection {
                    unchecked_range, ..
                } if outermost => {
                    let types = validator.types(0);
                    let index = types.map_or(0, |types| types.module_count());
                    layout.modules.push(index);
                    let body = unchecked_range.clone();
                    layout.sections.push((MODULE, end..body.end, body.clone()));
                    end = body.end;
                }
                Payload::ComponentSection {
                    unchecked_range, ..
                } if outermost => {
                    let body = unchecked_range.clone();
                    layout
                        .sections
                        .push((COMPONENT, end..body.end, body.clone()));
                    end = body.end;
                }
                Payload::InstanceSection(instances) if outermost => {
                    let types = validator.types(0);
                    let first = types.map_or(0, |types| types.core_instance_count());
                    for (at, instance) in instances.clone().into_iter().enumerate() {
                        if let Instance::Instantiate { module_index, .. } = instance? {
                            layout.instances.push((first + at as u32, module_index));
                        }
                    }
                }
                _ => {}
            }
            if outermost
                && !matches!(
                    payload,
                    Payload::ModuleSection { .. } | Payload::ComponentSection { .. }
                )
                && let Some((id, body)) = payload.as_section()
            {
                layout.sections.push((id, end..body.end, body.clone()));
                end = body.end;
            }
            validator.payload(&payload)?;
        }
        // where a part of it says that it ends is not looked at by the parser
        if end > bytes.len() {
            return Err(Left::Unusual("a part of it is longer than all of it"));
        }
        Ok(layout)
    }

    /// Where the core modules lie.
    fn nested(&self) -> impl Iterator<Item = &Range<usize>> {
        let modules = self.sections.iter().filter(|(id, ..)| *id == MODULE);
        modules.map(|(_, _, body)| body)
    }
}

/// What a module defines a memory for: code of its own. Those that only adapt others borrow theirs.
fn has_memory(module: &[u8]) -> bool {
    let mut payloads = Parser::new(0).parse_all(module);
    payloads.any(
        |payload| matches!(payload, Ok(Payload::MemorySection(memories)) if memories.count() > 0),
    )
}

/// A file in which something was put in, and where its parts have moved.
pub(super) type Filled = (Vec<u8>, OffsetMap);

/// Fills in what can be.
pub(super) fn fill(original: &[u8], stripped: &[u8]) -> Result<(Plan, Option<Filled>), Left> {
    let named = Layout::of(original)?;
    let modules = named.nested().map(|range| &original[range.clone()]);
    let mut own = modules.enumerate().filter(|(_, module)| has_memory(module));
    let (at, module) = match (own.next(), own.next()) {
        (Some(one), None) => one,
        (None, _) => return Err(Left::Absent),
        _ => return Err(Left::Unusual("several of its modules have memories")),
    };
    let mut plan = survey::survey(module);
    if plan.has_nothing() {
        return Ok((plan, None));
    }
    let layout = Layout::of(stripped)?;
    let nested = layout.nested().nth(at).cloned();
    let nested = nested.ok_or(Left::Unusual("what is compiled has other modules than it"))?;
    let instance = layout.modules.get(at).and_then(|index| {
        let mut of_it = layout.instances.iter().filter(|(_, of)| of == index);
        match (of_it.next(), of_it.next()) {
            (Some((instance, _)), None) => Some(*instance),
            _ => None,
        }
    });
    if instance.is_none() && plan.process_id.is_ok() {
        plan.process_id = Err(Left::Unusual("it is not instantiated once"));
        if plan.has_nothing() {
            return Ok((plan, None));
        }
    }
    let (inner, inside) = core::fill(&stripped[nested.clone()], &plan)?;

    let mut out = stripped[..layout.header].to_vec();
    out.reserve(stripped.len() + 2048);
    let mut offsets = OffsetMap::default();
    for (id, whole, body) in &layout.sections {
        if *body != nested {
            offsets.kept(out.len(), whole.start);
            out.extend_from_slice(&stripped[whole.clone()]);
            continue;
        }
        offsets.put_in(out.len(), whole.start);
        section(&mut out, *id, &inner);
        offsets.nest(&inside, out.len() - inner.len(), nested.start);
    }
    offsets.put_in(out.len(), stripped.len());
    if let (Some(instance), Ok(_)) = (instance, &plan.process_id) {
        export_setter(&mut out, &layout, instance);
    }
    Ok((plan, Some((out, offsets))))
}

/// Exports the function that sets the process's id: `(func (param "id" u32))`.
fn export_setter(out: &mut Vec<u8>, layout: &Layout, instance: u32) {
    // an alias of a core function that a core instance exports
    let mut alias = vec![1, 0, 0, 1];
    instance.encode(&mut alias);
    SET_PROCESS_ID.encode(&mut alias);
    section(out, 6, &alias);
    // a function type, one parameter of type u32, no result
    let mut ty = vec![1, 0x40, 1];
    "id".encode(&mut ty);
    ty.extend([0x79, 1, 0]);
    section(out, 7, &ty);
    // lifted without options
    let mut lift = vec![1, 0, 0];
    layout.core_functions.encode(&mut lift);
    lift.push(0);
    layout.types.encode(&mut lift);
    section(out, 8, &lift);
    // a function by this name, of the type that it has
    let mut export = vec![1, 0];
    SET_PROCESS_ID_IN_COMPONENT.encode(&mut export);
    export.push(1);
    layout.functions.encode(&mut export);
    export.push(0);
    section(out, 11, &export);
}

fn section(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.push(id);
    body.encode(out);
}
