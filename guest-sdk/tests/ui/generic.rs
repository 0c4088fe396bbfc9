#[wasmtest::test]
fn generic<T>() {}

fn main() {}
