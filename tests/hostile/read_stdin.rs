//! attack: stdin is read for something that never comes
//! expect: passed
//! exit: 0

#[wasmtest::test]
fn attack() {
    let mut text = String::new();
    let read = std::io::stdin().read_line(&mut text);
    assert_eq!(read.expect("empty"), 0);
}
