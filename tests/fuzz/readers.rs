//! What reads bytes that anybody may have written, as functions of bytes: fuzz targets call them,
//! and the end-to-end tests with the corpora that lie beside this file.
//!
//! Whatever the bytes, they come back. What is more has to hold is asserted: a message that was
//! read is written and read again as it was, and what passes make of a valid module is valid.

use wasmtest_host::inside::{gaps, identify, read_messages, rewrite, strip};

/// Every message of the protocol, from a first byte that says which and what follows as a stream.
pub fn protocol(bytes: &[u8]) {
    if let Some((kind, stream)) = bytes.split_first() {
        read_messages(*kind, stream);
    }
}

/// What a module is, and every pass over its bytes.
pub fn module(bytes: &[u8]) {
    let _ = identify(bytes);
    let valid = wasmparser::validate(bytes).is_ok();
    let still_valid = |made: &[u8], by: &str| {
        if valid && let Err(e) = wasmparser::validate(made) {
            panic!("{by} of a valid module made one that is not: {e}");
        }
    };
    let stripped = strip(bytes);
    still_valid(&stripped.bytes, "strip");
    for offset in [0, 1, bytes.len() / 2, bytes.len(), usize::MAX] {
        stripped.offsets.original(offset);
    }
    let filled = stripped.then(|module| gaps::fill(bytes, module));
    filled.offsets.original(bytes.len() / 2);
    let _ = filled.facts.told();
    if let Ok(rewritten) = rewrite(bytes) {
        still_valid(&rewritten.bytes, "rewrite");
        still_valid(&rewritten.facts.initial_memory, "rewrite's memory");
        still_valid(&rewritten.then(strip).bytes, "rewrite and strip");
    }
}
