//! What is random is not the same twice within a test.

use std::hash::{BuildHasher, RandomState};

#[wasmtest::fixture]
fn seed() -> RandomState {
    RandomState::new()
}

#[wasmtest::test(cases(a = (), b = ()))]
fn two_generators_differ(_again: (), seed: &RandomState) {
    assert_ne!(seed.hash_one(1), RandomState::new().hash_one(1));
}
