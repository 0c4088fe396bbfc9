//! attack: terminal escapes on stderr without end
//! expect: timed-out "limit of 1s"
//! exit: 1

use std::io::Write;

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let mut out = std::io::stderr().lock();
    loop {
        out.write_all(&b"\x1b[2J\x07\x9b".repeat(10_000))
            .expect("written");
    }
}
