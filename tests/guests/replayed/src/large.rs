//! States that are kept as they are, since they are large.

use crate::wasi;

/// A page of WebAssembly's.
const PAGE: usize = 64 << 10;

/// So much that it is kept in a file, with holes: every other page of it is zero.
fn large() -> Vec<u8> {
    let mut bytes = vec![0; 256 * PAGE];
    for (i, page) in bytes.chunks_mut(2 * PAGE).enumerate() {
        page[..PAGE].fill(i as u8 | 1);
    }
    bytes
}

/// Whether it is as `large` made it.
fn is_large(bytes: &[u8]) -> bool {
    let mut chunks = bytes.chunks(2 * PAGE).enumerate();
    chunks.all(|(i, chunk)| {
        let (filled, rest) = chunk.split_at(PAGE);
        filled.iter().all(|byte| *byte == i as u8 | 1) && rest.iter().all(|byte| *byte == 0)
    })
}

/// Each test spoils all of it.
#[wasmtest::suite(split)]
mod spoilt {
    use super::*;
    use std::sync::Mutex;

    static STATE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    #[wasmtest::setup]
    fn then() -> u64 {
        *STATE.lock().expect("one thread") = large();
        wasi::clock()
    }

    #[wasmtest::test(cases(a = 1, b = 2, c = 3, d = 4, e = 5, f = 6))]
    fn finds_it_fresh(byte: u8, then: &u64) {
        assert!(wasi::clock() >= *then);
        let mut state = STATE.lock().expect("one thread");
        assert!(is_large(&state));
        state.fill(byte);
        // it grows beyond what was kept, and shrinks again with the instance
        let more = vec![byte; 64 * PAGE];
        assert!(more.iter().chain(state.iter()).all(|b| *b == byte));
        wasmtest::log(format!("memory {}", core::arch::wasm32::memory_size(0)));
    }

    #[wasmtest::test]
    fn traps() {
        STATE.lock().expect("one thread").fill(0);
        panic!("on purpose");
    }

    #[wasmtest::test(max_memory = "8MiB")]
    fn has_less_than_it_needs() {}
}
