#[wasmtest::test]
#[wasmtest::test]
fn adds() {}

fn main() {}
