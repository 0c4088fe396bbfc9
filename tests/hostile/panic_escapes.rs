//! attack: a panic whose message moves the cursor and turns text around
//! expect: failed "panicked"
//! exit: 1

#[wasmtest::test]
fn attack() {
    panic!("\x1b[2J\x1b]0;title\x07\u{202e}\u{9b}31m\0\r");
}
