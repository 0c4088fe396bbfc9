//! attack: a file of a tebibyte that has no content
//! expect: passed
//! exit: 0

#[wasmtest::test]
fn attack() {
    let file = std::fs::File::create("/tmp/sparse").expect("made");
    let _ = file.set_len(1 << 40);
}
