#[wasmtest::test]
#[should_panic]
fn both() -> Result<(), String> {
    Ok(())
}

fn main() {}
