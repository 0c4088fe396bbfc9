//! attack: a shared fixture whose value has 64 MiB, for every test that asks
//! expect: large suite-failed "16 MiB"
//! expect: attack not-run "could not be set up"
//! exit: 1
//! memory: 1024

#[wasmtest::fixture(shared)]
fn large() -> String {
    "x".repeat(64 << 20)
}

#[wasmtest::test]
fn attack(large: &str) {
    assert_eq!(large.len(), 64 << 20);
}

#[wasmtest::test]
fn another_attack(large: &str) {
    assert_eq!(large.len(), 64 << 20);
}
