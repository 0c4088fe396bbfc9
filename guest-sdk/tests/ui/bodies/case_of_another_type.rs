#[wasmtest::test(cases(one = 1, two = "2"))]
fn counts(n: u32) {
    let _ = n;
}
