#[wasmtest::test(cases())]
fn none(_text: &str) {}

#[wasmtest::test(cases = "a")]
fn no_list(_text: &str) {}

#[wasmtest::test(cases("a"))]
fn without_name(_text: &str) {}

#[wasmtest::test(cases(a = "1", b = "2", a = "3"))]
fn twice(_text: &str) {}

#[wasmtest::test(cases(a = ("1", 1), b = "2"))]
fn fewer(_text: &str, _n: u32) {}

#[wasmtest::test(cases(a = ("1", 1)))]
fn more(_text: &str) {}

#[wasmtest::test(cases(a = 1))]
fn without_parameter() {}

fn main() {}
