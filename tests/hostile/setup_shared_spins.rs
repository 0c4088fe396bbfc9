//! attack: the setup of a shared suite never ends, in the process that all share
//! expect: attack not-run
//! expect: setup_shared_spins suite-failed "limit"
//! exit: 1
//! flags: --process-timeout 2

#[wasmtest::setup(shared)]
fn up() {
    loop {
        std::hint::spin_loop();
    }
}

#[wasmtest::test]
fn attack() {}
