#[wasmtest::test(max_memory = "64")]
fn large() {}

fn main() {}
