//! attack: symbolic links in a circle, and a folder that lists itself
//! expect: passed
//! exit: 0

use crate::symlink;
use std::fs;

#[wasmtest::test]
fn attack() {
    assert!(symlink("b", "/tmp/a"));
    assert!(symlink("a", "/tmp/b"));
    assert!(symlink(".", "/tmp/here"));
    assert!(fs::read("/tmp/a").is_err());
    assert!(fs::write("/tmp/b", "x").is_err());
}
