//! attack: files of a kilobyte without end
//! expect: failed "8 MiB"
//! exit: 1
//! flags: --max-scratch 8MiB

#[wasmtest::test]
fn attack() {
    for n in 0.. {
        std::fs::write(format!("/tmp/{n}"), [1; 1024]).expect("there is room");
    }
}
