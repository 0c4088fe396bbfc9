//! What all passes give alike, and how one goes over what another gave.

use super::OffsetMap;
use std::borrow::Cow;

/// What a pass over a module's bytes gives.
#[derive(Clone, Debug)]
pub struct PassOutput<'a, F = ()> {
    /// The bytes: those that it was given, if it changed nothing.
    pub bytes: Cow<'a, [u8]>,
    /// The way back to the bytes that the first pass was given.
    pub offsets: OffsetMap,
    /// What else there is to know.
    pub facts: F,
}

impl<F> PassOutput<'_, F> {
    /// Has another pass go over what this one gave; its map leads back past both.
    pub fn then<'b, G>(
        &'b self,
        pass: impl FnOnce(&'b [u8]) -> PassOutput<'b, G>,
    ) -> PassOutput<'b, G> {
        let next = pass(&self.bytes);
        PassOutput {
            offsets: self.offsets.then(&next.offsets),
            ..next
        }
    }
}
