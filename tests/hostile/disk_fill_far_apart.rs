//! attack: single bytes a mebibyte apart: each takes a block of the disk
//! expect: failed "8 MiB"
//! exit: 1
//! flags: --max-scratch 8MiB

use std::io::{Seek, SeekFrom, Write};

#[wasmtest::test]
fn attack() {
    let mut file = std::fs::File::create("/tmp/far").expect("made");
    for n in 0u64.. {
        file.seek(SeekFrom::Start(n << 20)).expect("sought");
        file.write_all(&[1]).expect("there is room");
    }
}
