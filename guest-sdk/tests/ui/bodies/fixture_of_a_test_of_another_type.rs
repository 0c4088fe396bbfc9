#[wasmtest::fixture]
fn server() -> String {
    String::new()
}

#[wasmtest::test]
fn asks(server: &u32) {
    let _ = server;
}
