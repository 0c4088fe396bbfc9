//! attack: files that are removed and still open grow without end
//! expect: failed "8 MiB"
//! exit: 1
//! flags: --max-scratch 8MiB

use std::io::Write;

#[wasmtest::test]
fn attack() {
    let mut open = Vec::new();
    loop {
        let mut file = std::fs::File::create("/tmp/gone").expect("made");
        std::fs::remove_file("/tmp/gone").expect("removed");
        file.write_all(&vec![1; 1 << 20]).expect("there is room");
        open.push(file);
    }
}
