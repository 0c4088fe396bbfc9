#[wasmtest::test]
#[ignore]
#[ignore = "why"]
fn ignored() {}

fn main() {}
