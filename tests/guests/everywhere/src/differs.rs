//! What cannot be the same everywhere: each test stands in a table of the documentation.

/// Natively nothing is skipped by a test itself.
#[wasmtest::test]
fn skips() {
    wasmtest::skip!("it would not pass");
}

#[wasmtest::test(todo = "another day")]
fn fails_as_expected() {
    panic!("not yet");
}

#[wasmtest::test]
#[should_panic(expected = "on purpose")]
fn panics_as_it_should() {
    panic!("on purpose");
}

#[wasmtest::test(max_memory = "4MiB")]
fn takes_more_memory_than_it_may() {
    assert_eq!(std::hint::black_box(vec![1u8; 32 << 20]).len(), 32 << 20);
}

mod setup_fails {
    #[wasmtest::setup]
    fn begin() -> Result<(), String> {
        Err("no".to_owned())
    }

    #[wasmtest::test]
    fn is_not_run() {}
}

mod teardown_fails {
    #[wasmtest::setup]
    fn begin() {}

    #[wasmtest::teardown]
    fn end() -> Result<(), String> {
        Err("no".to_owned())
    }

    #[wasmtest::test]
    fn passes_itself() {}
}
