//! What each of the test targets holds.

use std::hint::black_box;

#[inline(never)]
fn reads(address: usize) -> u8 {
    unsafe { black_box(address as *const u8).read_volatile() }
}

#[test]
fn reads_out_of_bounds() {
    black_box(reads(0x7000_0000));
}

#[test]
fn catches_a_panic() {
    assert!(std::panic::catch_unwind(|| panic!("caught?")).is_err());
}
