//! attack: sleep for longer than anybody waits
//! expect: timed-out "limit of 1s"
//! exit: 1

#[wasmtest::test(timeout = "1s")]
fn attack() {
    std::thread::sleep(std::time::Duration::MAX);
}
