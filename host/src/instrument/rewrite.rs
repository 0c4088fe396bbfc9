//! Makes a module that imports its memory of one that defines it.
//!
//! Works on whole sections: the memory's goes, imports and exports are added at
//! the end of their lists, data segments become empty passive ones so that no
//! index shifts, and every other byte is copied. What comes out is validated.

use super::survey::{CODE, DATA, EXPORT, IMPORT, MEMORIES, Section, Survey, rank, survey};
use super::{Facts, GlobalShape, MEMORY, NotUnderstood, Rewritten, STATE, global_export, state};
use wasm_encoder::Encode;
use wasmparser::{Validator, WasmFeatures};

/// Makes a module's memory come from outside.
///
/// # Errors
/// [`NotUnderstood`] if the module may have state beside its memory and its
/// mutable globals, or is not valid.
pub fn rewrite(module: &[u8]) -> Result<Rewritten, NotUnderstood> {
    let survey = survey(module)?;
    let memory = survey.memory.ok_or(NotUnderstood::NoMemory)?;
    let (rewritten, code_moved) = assemble(module, &survey);
    let pristine = state::pristine(module, memory, &survey.data);
    for made in [&rewritten, &pristine] {
        Validator::new_with_features(features()).validate_all(made)?;
    }
    Ok(Rewritten {
        module: rewritten,
        pristine,
        facts: Facts {
            memory,
            globals: survey.globals,
            stack_pointer: survey.stack_pointer,
            code_moved,
        },
    })
}

/// What the runner's engine allows.
pub(super) fn features() -> WasmFeatures {
    WasmFeatures::WASM3
        | WasmFeatures::THREADS
        | WasmFeatures::WIDE_ARITHMETIC
        | WasmFeatures::CUSTOM_PAGE_SIZES
}

/// The new module, and how far its code moved.
fn assemble(module: &[u8], survey: &Survey) -> (Vec<u8>, i64) {
    let header = survey
        .sections
        .first()
        .map_or(module.len(), |s| s.whole.start);
    let mut out = Vec::with_capacity(module.len() + 256);
    out.extend_from_slice(&module[..header]);
    let mut code_moved = 0;
    let mut to_add = vec![(IMPORT, 1, import(&module[survey.memory_type.clone()]))];
    if !survey.globals.is_empty() {
        to_add.push((
            EXPORT,
            survey.globals.len() as u32,
            exports(&survey.globals),
        ));
    }
    to_add.reverse();
    for section in &survey.sections {
        while let Some((id, count, entries)) = to_add.last() {
            match section.id {
                same if same == *id => extend(&mut out, module, section, *count, entries),
                other if rank(other) > rank(*id) => write(&mut out, *id, *count, entries),
                _ => break,
            }
            to_add.pop();
        }
        match section.id {
            // their entries were copied above
            IMPORT => {}
            EXPORT if !survey.globals.is_empty() => {}
            MEMORIES => {}
            DATA => {
                let count = survey.data.len();
                write(&mut out, DATA, count as u32, &EMPTY_PASSIVE.repeat(count));
            }
            _ => {
                if section.id == CODE {
                    code_moved = out.len() as i64 - section.whole.start as i64;
                }
                out.extend_from_slice(&module[section.whole.clone()]);
            }
        }
    }
    for (id, count, entries) in to_add.iter().rev() {
        write(&mut out, *id, *count, entries);
    }
    (out, code_moved)
}

const EMPTY_PASSIVE: [u8; 2] = [1, 0];

/// A section with entries added at its end.
fn extend(out: &mut Vec<u8>, module: &[u8], section: &Section, added: u32, entries: &[u8]) {
    let (count, first) = section.list.expect("only lists are added to");
    let all = [&module[first..section.body.end], entries].concat();
    write(out, section.id, count.saturating_add(added), &all);
}

fn write(out: &mut Vec<u8>, id: u8, count: u32, entries: &[u8]) {
    let mut length = Vec::new();
    count.encode(&mut length);
    out.push(id);
    (length.len() + entries.len()).encode(out);
    out.extend_from_slice(&length);
    out.extend_from_slice(entries);
}

fn import(memory_type: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    STATE.encode(&mut entry);
    MEMORY.encode(&mut entry);
    entry.push(2);
    entry.extend_from_slice(memory_type);
    entry
}

fn exports(globals: &[GlobalShape]) -> Vec<u8> {
    let mut entries = Vec::new();
    for global in globals {
        global_export(global.index).as_str().encode(&mut entries);
        entries.push(3);
        global.index.encode(&mut entries);
    }
    entries
}
