#[wasmtest::test]
#[should_panic(expected = "a", expected = "b")]
fn panics() {}

fn main() {}
