#[wasmtest::test(tags())]
fn without() {}

#[wasmtest::test(tags("a", ""))]
fn empty() {}

#[wasmtest::test(tags("a", "a"))]
fn same() {}

#[wasmtest::test(tags = "slow")]
fn as_value() {}

fn main() {}
