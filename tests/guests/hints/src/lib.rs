//! A failing test for each hint: `HINTS` of `xtask/src/compat/hints.rs` says which it is.

#![cfg(test)]
#![allow(unconditional_recursion)]

use std::hint::black_box;

#[test]
fn asks_for_a_temp_dir() {
    let _ = std::env::temp_dir();
}

#[test]
fn starts_a_thread() {
    std::thread::spawn(|| ());
}

#[test]
fn catches_a_panic() {
    assert!(std::panic::catch_unwind(|| panic!("caught?")).is_err());
}

#[test]
fn connects() {
    std::net::TcpStream::connect("127.0.0.1:1").unwrap();
}

#[test]
fn starts_a_program() {
    std::process::Command::new("true").status().unwrap();
}

#[test]
fn allocates_what_32_bits_cannot_count() {
    black_box(Vec::<u64>::with_capacity(black_box(usize::MAX)));
}

#[test]
fn calls_itself_for_ever() {
    fn deeper(n: u64) -> u64 {
        deeper(n) + 1
    }
    black_box(deeper(0));
}

#[test]
fn uses_its_stack_up() {
    fn deeper(n: u64) -> u64 {
        let large = black_box([n; 4096]);
        black_box(deeper(n + 1)) + large[7]
    }
    black_box(deeper(0));
}

#[test]
fn exits_with_0() {
    std::process::exit(0);
}

#[test]
fn closes_stdout() {
    use std::os::fd::{FromRawFd, OwnedFd};
    // SAFETY: it is open, and nothing of this test's uses it afterwards.
    drop(unsafe { OwnedFd::from_raw_fd(1) });
}
