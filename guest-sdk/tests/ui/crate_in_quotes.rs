#[wasmtest::test(crate = "sdk")]
fn renamed() {}

fn main() {}
