//! attack: a million empty files, with the limits that a run has
//! expect: failed "100000"
//! exit: 1
//! slow: 100,000 files are made and removed

#[wasmtest::test]
fn attack() {
    for n in 0..1_000_000 {
        std::fs::File::create(format!("/tmp/{n}")).expect("there is room");
    }
}
