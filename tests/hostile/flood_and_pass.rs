//! attack: as much output as it can write, and then a pass
//! expect: passed
//! exit: 0

use std::io::Write;

#[wasmtest::test]
fn attack() {
    let mut out = std::io::stdout().lock();
    for _ in 0..100 {
        out.write_all(&[b'\n'; 65536]).expect("written");
    }
}
