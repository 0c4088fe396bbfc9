#[wasmtest::test(crate = sdk)]
fn renamed() {}
