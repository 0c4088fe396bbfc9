#[wasmtest::test]
fn number() -> u32 {
    7
}
