//! attack: an abort in the middle of a line
//! expect: errored "aborted"
//! exit: 1

#[wasmtest::test]
fn attack() {
    print!("half a li");
    std::process::abort();
}
