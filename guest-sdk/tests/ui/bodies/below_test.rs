#[test]
// whatever stands between
#[ignore = "[1]"]
#[wasmtest::test]
fn twice() {}
