#[wasmtest::test]
fn number() -> Result<u32, std::num::ParseIntError> {
    "7".parse()
}
