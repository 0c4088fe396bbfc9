//! attack: NULs on stdout without end: each is six bytes of JSON
//! expect: timed-out "limit of 1s"
//! exit: 1

use std::io::Write;

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let mut out = std::io::stdout().lock();
    loop {
        out.write_all(&[0; 65536]).expect("written");
    }
}
