//! attack: a read outside of memory
//! expect: errored "out of bounds"
//! exit: 1

#[wasmtest::test]
fn attack() {
    // SAFETY: none; that is the attack.
    let byte = unsafe { std::ptr::read_volatile(0x8000_0000 as *const u8) };
    std::hint::black_box(byte);
}
