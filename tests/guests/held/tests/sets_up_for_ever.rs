//! A shared fixture whose setup does not come back, and one test that needs it.

#[wasmtest::fixture(shared)]
fn never() -> u32 {
    std::thread::sleep(std::time::Duration::from_secs(3600));
    0
}

#[wasmtest::test]
fn needs_it(never: u32) {
    let _ = never;
}
