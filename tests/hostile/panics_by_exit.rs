//! attack: a test that should panic leaves by exit(0)
//! expect: failed "exit(0)"
//! exit: 1

#[wasmtest::test]
#[should_panic]
fn attack() {
    std::process::exit(0);
}
