//! attack: names of 255 bytes and more, with line ends and escapes
//! expect: passed
//! exit: 0

use std::fs;

#[wasmtest::test]
fn attack() {
    fs::write(format!("/tmp/{}", "n".repeat(255)), "x").expect("written");
    assert!(fs::write(format!("/tmp/{}", "n".repeat(256)), "x").is_err());
    assert!(fs::write(format!("/tmp/{}", "n".repeat(1 << 20)), "x").is_err());
    fs::write("/tmp/\x1b[2J\n\u{202e}", "x").expect("written");
    assert!(fs::write("/tmp/\0", "x").is_err());
    assert!(fs::write("/tmp/a/", "x").is_err());
}
