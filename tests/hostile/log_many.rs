//! attack: log lines without end
//! expect: errored "16 MiB"
//! exit: 1

#[wasmtest::test(timeout = "1s")]
fn attack() {
    loop {
        wasmtest::log("a line of the log that says nothing\x1b[2J");
    }
}
