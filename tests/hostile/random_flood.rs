//! attack: random numbers without end: host calls that fill much memory each
//! expect: timed-out "limit of 1s"
//! exit: 1

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(at: *mut u8, length: usize) -> u16;
}

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let mut bytes = vec![0; 64 << 20];
    loop {
        // SAFETY: the vector has so many bytes.
        unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
    }
}
