//! attack: the setup of a suite never ends
//! expect: attack not-run
//! expect: setup_spins suite-failed "limit of 1s"
//! exit: 1
//! flags: --process-timeout 2

#[wasmtest::setup]
fn up() {
    loop {
        std::hint::spin_loop();
    }
}

#[wasmtest::test(timeout = "1s")]
fn attack() {}
