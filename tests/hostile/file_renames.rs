//! attack: a file and a folder change places again and again
//! expect: passed
//! exit: 0

use std::fs;

#[wasmtest::test]
fn attack() {
    fs::create_dir("/tmp/folder").expect("made");
    fs::write("/tmp/folder/x", "x").expect("written");
    for _ in 0..1000 {
        fs::rename("/tmp/folder", "/tmp/other").expect("moved");
        fs::rename("/tmp/other/x", "/tmp/x").expect("moved");
        fs::rename("/tmp/other", "/tmp/folder").expect("moved");
        fs::rename("/tmp/x", "/tmp/folder/x").expect("moved");
    }
    assert!(fs::rename("/tmp", "/tmp/folder/y").is_err());
    assert!(fs::rename("/tmp/folder", "/tmp/folder/z").is_err());
}
