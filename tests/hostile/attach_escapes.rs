//! attack: an attachment whose name is a path, with escapes
//! expect: passed
//! exit: 0

#[wasmtest::test]
fn attack() {
    wasmtest::attach("../../../etc/\x1b[2J\n\u{202e}", "\0", "\x1b[2J");
}
