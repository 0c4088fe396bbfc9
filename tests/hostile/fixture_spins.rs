//! attack: a fixture that two tests ask for never ends
//! expect: errored "limit of 1s"
//! exit: 1

#[wasmtest::fixture]
fn endless() -> u32 {
    loop {
        std::hint::spin_loop();
    }
}

#[wasmtest::test(timeout = "1s")]
fn attack(endless: u32) {
    assert_eq!(endless, 0);
}

#[wasmtest::test(timeout = "1s")]
fn another_attack(endless: u32) {
    assert_eq!(endless, 0);
}
