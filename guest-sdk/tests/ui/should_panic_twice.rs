#[wasmtest::test]
#[should_panic]
#[should_panic(expected = "b")]
fn panics() {}

fn main() {}
