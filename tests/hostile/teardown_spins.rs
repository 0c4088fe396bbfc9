//! attack: the teardown of a suite never ends
//! expect: attack passed
//! expect: suite-failed "limit"
//! exit: 1
//! flags: --process-timeout 2

#[wasmtest::teardown]
fn down() {
    loop {
        std::hint::spin_loop();
    }
}

#[wasmtest::test]
fn attack() {}
