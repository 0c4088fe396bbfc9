//! Makes modules without code: one memory, and what is in it.
//!
//! Engines map the data of such a module copy-on-write: data lies in the order
//! of its addresses, does not overlap, and is left out where there is none.

use super::survey::DATA;
use super::{MEMORY, MemoryShape, PAGE};
use std::ops::Range;
use wasm_encoder::{Encode, ExportKind, ExportSection, MemorySection, MemoryType, Module};

/// What is left out if it is all zero: the size of a page of the machine's.
const BLOCK: usize = 4 << 10;

/// WebAssembly's limit is 100,000; each costs a little at compilation.
const MAX_SEGMENTS: usize = 50_000;

/// What 32 bits can address.
const LARGEST: u64 = 1 << 32;

/// A memory that does not fit in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {data} bytes of its memory that are in use are more than a module can hold")]
pub struct StateTooLarge {
    /// Bytes in use.
    pub data: u64,
}

/// A module without code that exports a memory with this content.
///
/// `data` is the whole memory, a multiple of a page long; its length is what the
/// memory of the module begins with, while it may grow as the original's could.
///
/// # Errors
/// [`StateTooLarge`] if about 4 GiB or more of it are in use.
pub fn state_module(memory: &MemoryShape, data: &[u8]) -> Result<Vec<u8>, StateTooLarge> {
    let runs = fewer(used(data), MAX_SEGMENTS);
    let total: u64 = runs.iter().map(|run| run.len() as u64).sum();
    let too_large = StateTooLarge { data: total };
    let heads: Vec<Vec<u8>> = runs.iter().map(head).collect();
    let heads_total: usize = heads.iter().map(Vec::len).sum();
    let mut count = Vec::new();
    runs.len().encode(&mut count);
    let body = total + (heads_total + count.len()) as u64;
    let body = u32::try_from(body).map_err(|_| too_large)?;
    if data.len() as u64 > LARGEST {
        return Err(too_large);
    }

    let current = MemoryShape {
        minimum: (data.len() as u64).div_ceil(PAGE),
        maximum: memory.maximum,
    };
    let mut out = start(current);
    if !runs.is_empty() {
        out.reserve_exact(body as usize + 8);
        out.push(DATA);
        body.encode(&mut out);
        out.extend_from_slice(&count);
        for (run, head) in runs.into_iter().zip(heads) {
            out.extend_from_slice(&head);
            out.extend_from_slice(&data[run]);
        }
    }
    Ok(out)
}

/// A module without code that holds some of a module's data segments as they are.
pub(super) fn initial_memory(
    module: &[u8],
    memory: MemoryShape,
    segments: &[Range<usize>],
) -> Vec<u8> {
    let mut body = Vec::new();
    segments.len().encode(&mut body);
    for segment in segments {
        body.extend_from_slice(&module[segment.clone()]);
    }
    let mut out = start(memory);
    if !segments.is_empty() {
        out.push(DATA);
        body.as_slice().encode(&mut out);
    }
    out
}

/// A module up to its data.
fn start(memory: MemoryShape) -> Vec<u8> {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: memory.minimum,
        maximum: memory.maximum,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export(MEMORY, ExportKind::Memory, 0);
    let mut module = Module::new();
    module.section(&memories).section(&exports);
    module.finish()
}

/// A data segment up to its bytes.
fn head(run: &Range<usize>) -> Vec<u8> {
    let mut head = vec![0, 0x41];
    // addresses have 32 bits: whoever asks has looked at the memory's length
    (run.start as u32).cast_signed().encode(&mut head);
    head.push(0x0b);
    run.len().encode(&mut head);
    head
}

/// Where there is anything but zeros, in runs of blocks as long as a page of the machine's.
pub fn used(data: &[u8]) -> Vec<Range<usize>> {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (i, block) in data.chunks(BLOCK).enumerate() {
        if block == &ZEROS[..block.len()] {
            continue;
        }
        let block = i * BLOCK..i * BLOCK + block.len();
        match runs.last_mut() {
            Some(run) if run.end == block.start => run.end = block.end,
            _ => runs.push(block),
        }
    }
    runs
}

/// At most so many runs that hold these: the smallest gaps are closed first.
fn fewer(mut runs: Vec<Range<usize>>, most: usize) -> Vec<Range<usize>> {
    let mut gap = BLOCK;
    while runs.len() > most {
        gap *= 2;
        runs = runs.into_iter().fold(Vec::new(), |mut joined, run| {
            match joined.last_mut() {
                Some(last) if run.start - last.end < gap => last.end = run.end,
                _ => joined.push(run),
            }
            joined
        });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::rewrite::features;
    use wasmparser::{DataKind, Operator, Parser, Payload, Validator};

    /// The memory that a module's data makes, and of how many segments.
    fn content(module: &[u8], length: usize) -> (Vec<u8>, usize) {
        let mut memory = vec![0; length];
        let mut segments = 0;
        for payload in Parser::new(0).parse_all(module) {
            let Payload::DataSection(section) = payload.expect("it parses") else {
                continue;
            };
            for data in section {
                let data = data.expect("it parses");
                let DataKind::Active { offset_expr, .. } = data.kind else {
                    panic!("it is passive");
                };
                let offset = offset_expr.get_operators_reader().read();
                let Ok(Operator::I32Const { value }) = offset else {
                    panic!("{offset:?}");
                };
                let at = value.cast_unsigned() as usize;
                memory[at..at + data.data.len()].copy_from_slice(data.data);
                segments += 1;
            }
        }
        (memory, segments)
    }

    const SHAPE: MemoryShape = MemoryShape {
        minimum: 1,
        maximum: Some(100),
    };

    #[test]
    fn a_memory_is_written_without_its_zeros_and_read_back_the_same() {
        let mut data = vec![0; 20 * PAGE as usize];
        let at = [0, 1, BLOCK, 5 * BLOCK - 1, 300_000, data.len() - 1];
        for (at, byte) in at.into_iter().zip(1..) {
            data[at] = byte;
        }
        let module = state_module(&SHAPE, &data).expect("it fits");
        Validator::new_with_features(features())
            .validate_all(&module)
            .expect("it is valid");
        let (back, segments) = content(&module, data.len());
        assert!(back == data);
        assert_eq!(segments, 4);
        assert!(module.len() < 6 * BLOCK);
    }

    #[test]
    fn a_memory_of_zeros_or_of_nothing_has_no_data() {
        for pages in [0, 3] {
            let data = vec![0; pages * PAGE as usize];
            let module = state_module(&SHAPE, &data).expect("it fits");
            assert!(wasmparser::validate(&module).is_ok());
            assert_eq!(content(&module, data.len()).1, 0);
        }
    }

    #[test]
    fn there_are_never_more_segments_than_allowed() {
        let mut data = vec![0; 64 * BLOCK];
        for block in (0..64).step_by(2).filter(|b| b % 12 != 0) {
            data[block * BLOCK + 7] = 1;
        }
        let all = used(&data);
        assert_eq!(all.len(), 26);
        for most in [25, 7, 2, 1] {
            let fewer = fewer(used(&data), most);
            assert!(fewer.len() <= most, "{most}: {}", fewer.len());
            for run in &all {
                let inside = |r: &Range<usize>| r.start <= run.start && run.end <= r.end;
                assert!(fewer.iter().any(inside));
            }
            assert!(fewer.is_sorted_by(|a, b| a.end < b.start));
        }
    }
}
