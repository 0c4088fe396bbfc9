//! attack: links without end to one file
//! expect: failed "1000"
//! exit: 1
//! flags: --max-scratch-entries 1000

#[wasmtest::test]
fn attack() {
    std::fs::write("/tmp/one", "x").expect("written");
    for n in 0.. {
        std::fs::hard_link("/tmp/one", format!("/tmp/{n}")).expect("there is room");
    }
}
