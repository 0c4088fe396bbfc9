//! A package, a module and a class, the package with a fixture and no mark: one unit.
#![forbid(unsafe_code)]

use acceptance::note;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// The tests that this memory has seen.
static TESTS: AtomicU32 = AtomicU32::new(0);

/// Notes a test and the place that it had.
fn is_test(name: &str) {
    note(&format!("{name} {}", TESTS.fetch_add(1, SeqCst) + 1));
}

#[wasmtest::setup]
fn begin() {
    note("package setup");
}

#[wasmtest::teardown]
fn end() {
    note("package teardown");
}

#[wasmtest::suite(shared)]
mod module {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("module setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note("module teardown");
    }

    #[wasmtest::suite(split)]
    mod class {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            note("class setup");
        }

        #[wasmtest::teardown]
        fn end() {
            note("class teardown");
        }

        #[wasmtest::test]
        fn first() {
            is_test("first");
        }

        #[wasmtest::test]
        fn second() {
            is_test("second");
        }
    }
}

mod another {
    #[wasmtest::test]
    fn third() {
        super::is_test("third");
    }
}
