//! attack: the clock is asked without end
//! expect: timed-out "limit of 1s"
//! exit: 1

#[wasmtest::test(timeout = "1s")]
fn attack() {
    loop {
        std::hint::black_box(std::time::SystemTime::now());
    }
}
