//! attack: empty files without end
//! expect: failed "1000"
//! exit: 1
//! flags: --max-scratch-entries 1000

#[wasmtest::test]
fn attack() {
    for n in 0.. {
        std::fs::File::create(format!("/tmp/{n}")).expect("there is room");
    }
}
