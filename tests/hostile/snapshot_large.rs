//! attack: a suite whose state to be replayed has 128 MiB
//! expect: passed
//! exit: 0
//! memory: 1024

#[wasmtest::setup(split)]
fn large() -> Vec<u8> {
    vec![7; 128 << 20]
}

#[wasmtest::test]
fn attack(large: &Vec<u8>) {
    assert_eq!(large[7], 7);
}

#[wasmtest::test]
fn another_attack(large: &Vec<u8>) {
    assert_eq!(large[255], 7);
}
