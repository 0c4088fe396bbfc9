#[wasmtest::test(tokio)]
fn waits() {}

fn main() {}
