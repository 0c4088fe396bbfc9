#[wasmtest::test(block_on = pollster::block_on)]
async fn answers() {}
