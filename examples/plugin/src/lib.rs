//! A plugin that some host loads: it has no `main` and no test harness, and tests all the same.
//!
//! `cargo build --target wasm32-wasip1 --features tests`, then `wasmtest run FILE`.

/// What the host calls.
#[unsafe(no_mangle)]
pub extern "C" fn add(a: i32, b: i32) -> i32 {
    a.wrapping_add(b)
}

#[cfg(feature = "tests")]
mod tests {
    #[wasmtest::test]
    fn adds() {
        assert_eq!(super::add(1, 2), 3);
    }

    #[wasmtest::test]
    fn wraps() {
        assert_eq!(super::add(i32::MAX, 1), i32::MIN);
    }
}
