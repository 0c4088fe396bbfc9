//! attack: lines on stdout without end
//! expect: timed-out "limit of 1s"
//! exit: 1

use std::io::Write;

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let mut out = std::io::stdout().lock();
    loop {
        out.write_all(&b"a line of some length\n".repeat(1000))
            .expect("written");
    }
}
