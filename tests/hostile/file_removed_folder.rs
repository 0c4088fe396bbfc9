//! attack: the folder that it has for /tmp is removed by itself
//! expect: passed
//! exit: 0

use std::fs;

#[wasmtest::test]
fn attack() {
    let _ = fs::remove_dir("/tmp");
    let _ = fs::remove_dir_all("/tmp");
    let _ = fs::remove_dir("/tmp/.");
}
