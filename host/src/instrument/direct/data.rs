//! What a module's memory begins with, as far as its data segments say.

use super::super::stack;
use wasmparser::{Data, DataKind};

/// The data of a module's first memory, by address.
#[derive(Debug, Default)]
pub(super) struct Image<'a> {
    /// Where each begins, and what is there; in order once [`Image::settle`] has seen them.
    segments: Vec<(u32, &'a [u8])>,
}

impl<'a> Image<'a> {
    /// Takes note of a segment; what lies where only an instance knows cannot be read.
    pub(super) fn add(&mut self, data: &Data<'a>) {
        if let DataKind::Active {
            memory_index: 0,
            offset_expr,
        } = &data.kind
            && let Some(at) = stack::constant(offset_expr)
            && !data.data.is_empty()
        {
            self.segments.push((at, data.data));
        }
    }

    /// Puts them in order; whether none lies over another, so that each byte is what it begins as.
    pub(super) fn settle(&mut self) -> bool {
        self.segments.sort_unstable_by_key(|(at, _)| *at);
        let ends = |(at, data): &(u32, &[u8])| u64::from(*at) + data.len() as u64;
        let in_order = |two: &[(u32, &[u8])]| ends(&two[0]) <= u64::from(two[1].0);
        self.segments.windows(2).all(in_order)
            && self
                .segments
                .last()
                .is_none_or(|last| ends(last) <= 1 << 32)
    }

    /// So many bytes at this address, if all of them are of one segment.
    pub(super) fn read(&self, at: u32, length: u32) -> Option<&'a [u8]> {
        let after = self.segments.partition_point(|(begin, _)| *begin <= at);
        let (begin, data) = self.segments[..after].last()?;
        let from = (at - begin) as usize;
        data.get(from..from.checked_add(length as usize)?)
    }

    /// The word at this address.
    pub(super) fn word(&self, at: u32) -> Option<u32> {
        let bytes = self.read(at, 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}
