//! attack: a hundred hard links to each of a hundred files
//! expect: passed
//! exit: 0

use std::fs;

#[wasmtest::test]
fn attack() {
    for file in 0..100 {
        let name = format!("/tmp/f{file}");
        fs::write(&name, "x").expect("written");
        for link in 0..100 {
            fs::hard_link(&name, format!("/tmp/f{file}-{link}")).expect("linked");
        }
    }
}
