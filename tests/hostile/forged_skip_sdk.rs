//! attack: the SDK's words for a skip in a test of the SDK's, and exit(0)
//! expect: failed "exit"
//! exit: 1

#[wasmtest::test]
fn attack() {
    eprintln!("wasmtest: skipped: not here");
    std::process::exit(0);
}
