//! SDK tests in a file of their own, which use nothing of the host.

#[wasmtest::test]
fn passes_here_too() {}

#[wasmtest::test]
#[should_panic]
fn panics_here_too() {
    panic!("as it should");
}
