//! A setup that seeds a generator.

use crate::wasi;
use std::hash::{BuildHasher as _, RandomState};

/// What std makes of seeds that it draws once in a thread.
fn of_the_generator() -> u64 {
    RandomState::new().hash_one("a name")
}

#[wasmtest::suite(split)]
mod seeded {
    use super::*;

    #[wasmtest::setup]
    fn seed() -> u64 {
        of_the_generator()
    }

    fn draws(seed: u64) {
        wasmtest::log(format!("setup {seed}"));
        wasmtest::log(format!("generator {}", of_the_generator()));
        wasmtest::log(format!("host {}", wasi::random()));
    }

    #[wasmtest::test(cases(first = 1, second = 2, third = 3))]
    fn draws_numbers(_: u32, seed: &u64) {
        draws(*seed);
    }
}
