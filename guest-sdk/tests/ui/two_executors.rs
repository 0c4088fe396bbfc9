#[wasmtest::test(tokio, block_on = run)]
async fn answers() {}

fn main() {}
