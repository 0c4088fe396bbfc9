//! Tests without a test harness: a library that a host would load. It knows the SDK
//! under another name.

/// What it offers.
#[unsafe(no_mangle)]
pub extern "C" fn add(a: i32, b: i32) -> i32 {
    a + b
}

#[sdk::fixture]
fn sum() -> i32 {
    add(1, 2)
}

#[sdk::test]
fn adds(sum: i32) {
    assert_eq!(sum, 3);
    println!("{:?}", std::collections::HashMap::from([(1, 2)]));
}

#[sdk::test(crate = sdk)]
fn fails() {
    assert_eq!(add(1, 2), 4);
}
