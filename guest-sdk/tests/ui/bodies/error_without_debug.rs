struct Bad;

#[wasmtest::test]
fn fails() -> Result<(), Bad> {
    Err(Bad)
}
