#[wasmtest::test(todo)]
#[should_panic]
fn both() {}

fn main() {}
