//! A library whose tests are partly libtest's and partly the SDK's.
//!
//! - `cargo test` runs all of them natively.
//! - `cargo test --no-run --target wasm32-wasip1` and `wasmtest run FILE` run all of
//!   them on wasm, each in an instance of its own; `should_panic` really runs.
//! - A plain WASI runtime with the same file runs libtest's part.

/// The `n`th square number.
///
/// # Panics
/// If it does not fit.
pub fn square(n: u32) -> u32 {
    n.checked_mul(n).expect("it fits into 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_three() {
        assert_eq!(square(3), 9);
    }

    #[wasmtest::test]
    fn squares_four() {
        assert_eq!(square(4), 16);
    }

    /// On wasm libtest cannot run a test like this one.
    #[wasmtest::test(tags("limits"))]
    #[should_panic(expected = "fits into 32 bits")]
    fn refuses_what_does_not_fit() {
        square(1 << 16);
    }

    #[wasmtest::test(todo = "negative numbers")]
    fn squares_minus_one() {
        assert_eq!(square(u32::MAX), 1);
    }

    #[wasmtest::test(timeout = "5s", max_memory = "16MiB")]
    fn squares_many() -> Result<(), std::num::TryFromIntError> {
        let all: Vec<u64> = (0..10_000).map(|n| u64::from(square(n))).collect();
        assert_eq!(u32::try_from(all[9_999])?, 99_980_001);
        Ok(())
    }
}
