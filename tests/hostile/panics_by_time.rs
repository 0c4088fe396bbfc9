//! attack: a test that should panic spins
//! expect: timed-out "limit of 1s"
//! exit: 1

#[wasmtest::test(timeout = "1s")]
#[should_panic]
fn attack() {
    loop {
        std::hint::spin_loop();
    }
}
