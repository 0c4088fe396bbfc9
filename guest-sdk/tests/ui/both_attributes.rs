#[wasmtest::test]
#[test]
fn both() {}

fn main() {}
