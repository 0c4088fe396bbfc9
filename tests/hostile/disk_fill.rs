//! attack: a file that grows without end: the disk is shared by all
//! expect: failed "8 MiB"
//! exit: 1
//! flags: --max-scratch 8MiB

use std::io::Write;

#[wasmtest::test]
fn attack() {
    let mut file = std::fs::File::create("/tmp/large").expect("made");
    loop {
        file.write_all(&[1; 65536]).expect("there is room");
    }
}
