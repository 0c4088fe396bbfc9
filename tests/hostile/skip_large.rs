//! attack: a reason to skip that has 32 MiB, with escapes
//! expect: errored "at once"
//! exit: 1

#[wasmtest::test]
fn attack() {
    wasmtest::skip!("{}", "\x1b[2J".repeat(8 << 20));
}
