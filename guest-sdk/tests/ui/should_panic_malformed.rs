#[wasmtest::test]
#[should_panic(x)]
fn panics() {}

fn main() {}
