//! Tests without a test harness: a library that a host would load.

/// What it offers.
#[unsafe(no_mangle)]
pub extern "C" fn add(a: i32, b: i32) -> i32 {
    a + b
}

#[wasmtest::test]
fn adds() {
    assert_eq!(add(1, 2), 3);
    println!("{:?}", std::collections::HashMap::from([(1, 2)]));
}

#[wasmtest::test]
fn fails() {
    assert_eq!(add(1, 2), 4);
}
