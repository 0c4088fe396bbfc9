#[wasmtest::test(tags("slow"), tags("db"))]
fn slow() {}

fn main() {}
