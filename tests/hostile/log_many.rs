//! attack: log lines without end
//! expect: errored "more than 10000 times"
//! exit: 1

#[wasmtest::test(timeout = "1s")]
fn attack() {
    loop {
        wasmtest::log("a line of the log that says nothing\x1b[2J");
    }
}
