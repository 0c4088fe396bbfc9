#[wasmtest::test(timeout = "1s", timeout = "2s")]
fn slow() {}

fn main() {}
