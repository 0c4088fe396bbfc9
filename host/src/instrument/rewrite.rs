//! Makes a module that imports its memory of one that defines it.
//!
//! Works on whole sections: the memory's goes, imports and exports are added at
//! the end of their lists, data segments become empty passive ones so that no
//! index shifts, and every other byte is copied. What comes out is validated.

use super::survey::{DATA, EXPORT, IMPORT, MEMORIES, Section, Survey, rank, survey};
use super::{
    GlobalShape, MEMORY, NotUnderstood, OffsetMap, PassOutput, RewriteFacts, Rewritten, STATE,
    global_export, state,
};
use wasm_encoder::Encode;
use wasmparser::{Validator, WasmFeatures};

/// The pass that has a module's memory come from outside.
///
/// # Errors
/// `NotUnderstood` if the module may have state beside its memory and its
/// mutable globals, or is not valid.
pub fn rewrite(module: &[u8]) -> Result<PassOutput<'static, Rewritten>, NotUnderstood> {
    let survey = survey(module)?;
    let memory = survey.memory.ok_or(NotUnderstood::NoMemory)?;
    let (rewritten, offsets) = assemble(module, &survey);
    let initial_memory = state::initial_memory(module, memory, &survey.data);
    for made in [&rewritten, &initial_memory] {
        Validator::new_with_features(features()).validate_all(made)?;
    }
    Ok(PassOutput {
        bytes: rewritten.into(),
        offsets,
        facts: Rewritten {
            initial_memory,
            facts: RewriteFacts {
                memory,
                globals: survey.globals,
                stack_pointer: survey.stack_pointer,
            },
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

/// The new module, and where its parts lay.
fn assemble(module: &[u8], survey: &Survey) -> (Vec<u8>, OffsetMap) {
    let header = survey
        .sections
        .first()
        .map_or(module.len(), |s| s.whole.start);
    let mut out = Vec::with_capacity(module.len() + 256);
    out.extend_from_slice(&module[..header]);
    let mut offsets = OffsetMap::default();
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
                same if same == *id => {
                    extend(&mut out, &mut offsets, module, section, *count, entries);
                }
                other if rank(other) > rank(*id) => {
                    offsets.put_in(out.len(), section.whole.start);
                    write(&mut out, *id, *count, entries);
                }
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
                offsets.put_in(out.len(), section.whole.start);
                write(&mut out, DATA, count as u32, &EMPTY_PASSIVE.repeat(count));
            }
            _ => {
                offsets.kept(out.len(), section.whole.start);
                out.extend_from_slice(&module[section.whole.clone()]);
            }
        }
    }
    for (id, count, entries) in to_add.iter().rev() {
        offsets.put_in(out.len(), module.len());
        write(&mut out, *id, *count, entries);
    }
    (out, offsets)
}

const EMPTY_PASSIVE: [u8; 2] = [1, 0];

/// A section with entries added at its end.
fn extend(
    out: &mut Vec<u8>,
    offsets: &mut OffsetMap,
    module: &[u8],
    section: &Section,
    added: u32,
    entries: &[u8],
) {
    let (count, first) = section.list.expect("only lists are added to");
    let all = [&module[first..section.body.end], entries].concat();
    offsets.put_in(out.len(), section.whole.start);
    write(out, section.id, count.saturating_add(added), &all);
    offsets.kept(out.len() - all.len(), first);
    offsets.put_in(out.len() - entries.len(), section.body.end);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::strip::strip;
    use std::ops::Range;
    use wasmparser::{DataKind, Parser, Payload, TypeRef};

    const GUEST: &str = r#"(module
        (@custom "early" (before import) "kept")
        (import "host" "a" (func (param i32)))
        (import "host" "g" (global i32))
        (table (export "table") 2 funcref)
        (memory (export "mem") (export "again") 2 9)
        (global $c (mut i32) (i32.const 5))
        (global i32 (i32.const 6))
        (global $d (export "d") (mut f64) (f64.const 1))
        (elem (i32.const 0) func $f $f)
        (func $f (export "f") (param i32) (result i32)
            (i32.store (i32.const 0) (local.get 0)) (i32.load (i32.const 16)))
        (data $one (i32.const 16) "one")
        (data $two (i32.const 100) "\00two")
        (@custom "late" (after data) "kept"))"#;

    fn guest(wat: &str) -> Vec<u8> {
        wat::parse_str(wat).expect("it assembles")
    }

    fn payloads(bytes: &[u8]) -> Vec<Payload<'_>> {
        Parser::new(0)
            .parse_all(bytes)
            .collect::<Result<_, _>>()
            .expect("it parses")
    }

    fn code(bytes: &[u8]) -> Range<usize> {
        let found = payloads(bytes).into_iter().find_map(|p| match p {
            Payload::CodeSectionStart { range, .. } => Some(range),
            _ => None,
        });
        found.expect("it has code")
    }

    /// Everything but what is to change.
    fn untouched(bytes: &[u8]) -> Vec<(u8, &[u8])> {
        payloads(bytes)
            .iter()
            .filter_map(Payload::as_section)
            .filter(|(id, _)| ![IMPORT, MEMORIES, EXPORT, DATA].contains(id))
            .map(|(id, range)| (id, &bytes[range]))
            .collect()
    }

    fn exports_of(bytes: &[u8]) -> Vec<(String, u32)> {
        let mut found = Vec::new();
        for payload in payloads(bytes) {
            if let Payload::ExportSection(exports) = payload {
                for export in exports {
                    let export = export.expect("it parses");
                    found.push((export.name.to_owned(), export.index));
                }
            }
        }
        found
    }

    #[test]
    fn the_memory_is_imported_and_all_else_stays_byte_by_byte() {
        let original = guest(GUEST);
        let made = rewrite(&original).expect("it is understood");
        assert_eq!(untouched(&made.bytes), untouched(&original));
        let mut imports = Vec::new();
        for payload in payloads(&made.bytes) {
            match payload {
                Payload::ImportSection(section) => imports.extend(section.into_imports()),
                Payload::MemorySection(_) => panic!("it still defines a memory"),
                _ => {}
            }
        }
        let imports: Vec<_> = imports
            .into_iter()
            .map(|i| i.expect("it parses"))
            .map(|i| (i.module, i.name, i.ty))
            .collect();
        assert_eq!(imports.len(), 3);
        let (STATE, MEMORY, TypeRef::Memory(memory)) = imports[2] else {
            panic!("{imports:?}");
        };
        assert_eq!((memory.initial, memory.maximum), (2, Some(9)));
        assert_eq!(
            exports_of(&made.bytes),
            [
                ("table", 0),
                ("mem", 0),
                ("again", 0),
                ("d", 3),
                ("f", 1),
                ("wasmtest:global:1", 1),
                ("wasmtest:global:3", 3),
            ]
            .map(|(name, index)| (name.to_owned(), index))
        );
        let indices: Vec<u32> = made.facts.facts.globals.iter().map(|g| g.index).collect();
        assert_eq!(indices, [1, 3]);
    }

    #[test]
    fn data_moves_to_a_module_without_code_and_leaves_its_indices() {
        let made = rewrite(&guest(GUEST)).expect("it is understood");
        let segments = |bytes: &[u8]| -> Vec<(bool, Vec<u8>)> {
            let mut found = Vec::new();
            for payload in payloads(bytes) {
                if let Payload::DataSection(section) = payload {
                    for data in section {
                        let data = data.expect("it parses");
                        let active = matches!(data.kind, DataKind::Active { .. });
                        found.push((active, data.data.to_vec()));
                    }
                }
            }
            found
        };
        assert_eq!(segments(&made.bytes), [(false, vec![]), (false, vec![])]);
        assert_eq!(
            segments(&made.facts.initial_memory),
            [(true, b"one".to_vec()), (true, b"\0two".to_vec())]
        );
        assert_eq!(
            exports_of(&made.facts.initial_memory),
            [(MEMORY.to_owned(), 0)]
        );
    }

    #[test]
    fn offsets_in_the_code_lead_back() {
        for wat in [
            GUEST,
            "(module (memory 1) (func))",
            "(module (func) (memory (export \"m\") 1) (global (mut i32) (i32.const 0)))",
        ] {
            let original = guest(wat);
            let made = rewrite(&original).expect("it is understood");
            let (old, new) = (code(&original), code(&made.bytes));
            assert_eq!(original[old.clone()], made.bytes[new.clone()]);
            for place in 0..=old.len() {
                assert_eq!(made.offsets.original(new.start + place), old.start + place);
            }
        }
    }

    #[test]
    fn it_makes_no_difference_whether_debug_information_goes_before_or_after() {
        let original = guest(GUEST);
        let made = rewrite(&original).expect("it is understood");
        let bare = strip(&original);
        let made_bare = rewrite(&bare.bytes).expect("it is understood");
        let stripped = made.then(strip);
        assert!(bare.bytes.len() < original.len());
        assert_eq!(*stripped.bytes, *made_bare.bytes);
        assert_eq!(made.facts.facts, made_bare.facts.facts);
        assert_eq!(made.facts.initial_memory, made_bare.facts.initial_memory);
        // and both ways lead back to the same code
        let also = bare.offsets.then(&made_bare.offsets);
        for offset in code(&stripped.bytes) {
            assert_eq!(stripped.offsets.original(offset), also.original(offset));
        }
    }

    #[test]
    fn a_rewritten_module_is_not_rewritten_again() {
        let made = rewrite(&guest(GUEST)).expect("it is understood");
        assert!(rewrite(&made.bytes).is_err());
    }
}
