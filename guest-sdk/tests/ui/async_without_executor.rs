#[wasmtest::test]
async fn waits() {}

fn main() {}
