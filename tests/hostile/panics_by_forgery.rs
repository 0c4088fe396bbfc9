//! attack: a test that should panic prints a panic's words, and returns
//! expect: failed "did not panic"
//! exit: 1

#[wasmtest::test]
#[should_panic(expected = "expected")]
fn attack() {
    eprintln!("thread 'main' panicked at src/lib.rs:1:1:\nexpected");
}
