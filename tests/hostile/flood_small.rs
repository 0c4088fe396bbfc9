//! attack: single bytes on stderr without end, a host call each
//! expect: timed-out "limit of 1s"
//! exit: 1

use std::io::Write;

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let mut out = std::io::stderr().lock();
    loop {
        out.write_all(b"x").expect("written");
    }
}
