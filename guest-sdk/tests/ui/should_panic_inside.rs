#[wasmtest::test(should_panic)]
fn panics() {}

fn main() {}
