#[wasmtest::test(todo, todo = "why")]
fn later() {}

fn main() {}
