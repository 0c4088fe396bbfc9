#[wasmtest::test(timeout = "2 fortnights")]
fn late() {}

fn main() {}
