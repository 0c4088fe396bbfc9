//! attack: 50,000 empty files
//! expect: passed
//! exit: 0

#[wasmtest::test]
fn attack() {
    for n in 0..50_000 {
        std::fs::File::create(format!("/tmp/{n}")).expect("made");
    }
}
