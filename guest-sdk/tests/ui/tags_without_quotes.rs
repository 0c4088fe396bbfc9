#[wasmtest::test(tags(slow))]
fn slow() {}

fn main() {}
