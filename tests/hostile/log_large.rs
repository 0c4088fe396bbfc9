//! attack: a log line of 64 MiB
//! expect: errored "16 MiB"
//! exit: 1

#[wasmtest::test]
fn attack() {
    wasmtest::log("x".repeat(64 << 20));
}
