//! attack: a status that shells take for something else
//! expect: failed "77"
//! exit: 1

#[wasmtest::test]
fn attack() {
    std::process::exit(77);
}
