#[wasmtest::test(tag("slow"))]
fn tagged() {}

fn main() {}
