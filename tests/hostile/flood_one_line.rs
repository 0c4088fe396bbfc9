//! attack: one line on stdout without end
//! expect: timed-out "limit of 1s"
//! exit: 1

use std::io::Write;

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let mut out = std::io::stdout().lock();
    loop {
        out.write_all(&[b'a'; 65536]).expect("written");
    }
}
