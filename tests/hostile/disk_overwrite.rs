//! attack: one mebibyte is written over and over: that takes no room, and passes
//! expect: passed
//! exit: 0
//! flags: --max-scratch 8MiB

use std::io::{Seek, SeekFrom, Write};

#[wasmtest::test]
fn attack() {
    let mut file = std::fs::File::create("/tmp/same").expect("made");
    for _ in 0..100 {
        file.seek(SeekFrom::Start(0)).expect("sought");
        file.write_all(&vec![1; 1 << 20]).expect("there is room");
    }
}
