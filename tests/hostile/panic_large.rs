//! attack: a panic whose message has 32 MiB
//! expect: failed "long long"
//! exit: 1

#[wasmtest::test]
fn attack() {
    panic!(
        "{}",
        "long "
            .repeat(32 << 20 >> 2)
            .get(..32 << 20)
            .expect("so long")
    );
}
