//! attack: more output than is allowed
//! expect: errored "8 MiB"
//! exit: 1
//! flags: --max-output 8MiB

#[wasmtest::test]
fn attack() {
    loop {
        println!("a line of some length, and one more after it, and so on");
    }
}
