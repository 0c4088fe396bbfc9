#[wasmtest::test]
#[tokio::test]
async fn answers() {}

fn main() {}
