#[wasmtest::test]
struct NoTest;

fn main() {}
