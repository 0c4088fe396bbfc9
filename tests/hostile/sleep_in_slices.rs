//! attack: a sleep of a microsecond, again and again
//! expect: timed-out "limit of 1s"
//! exit: 1

#[wasmtest::test(timeout = "1s")]
fn attack() {
    loop {
        std::thread::sleep(std::time::Duration::from_micros(1));
    }
}
