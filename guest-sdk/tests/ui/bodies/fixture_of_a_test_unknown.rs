#[wasmtest::test]
fn asks(server: &u32) {
    let _ = server;
}
