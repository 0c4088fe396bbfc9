//! attack: folders within folders, 3,000 deep
//! expect: passed
//! exit: 0

use std::fs;

#[wasmtest::test]
fn attack() {
    let mut path = String::from("/tmp");
    for _ in 0..1500 {
        path.push_str("/d");
        if fs::create_dir(&path).is_err() {
            break;
        }
    }
}
