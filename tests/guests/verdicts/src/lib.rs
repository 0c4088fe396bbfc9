//! One test of every kind that a verdict has to tell apart. The end-to-end
//! tests know what must become of each.

#[cfg(test)]
#[allow(
    clippy::all,
    unconditional_recursion,
    unconditional_panic,
    arithmetic_overflow
)]
mod tests {
    use std::hint::black_box;

    #[test]
    fn passes() {}

    #[test]
    fn passes_and_returns_ok() -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn panics() {
        println!("said on stdout");
        eprintln!("said on stderr");
        panic!("the message");
    }

    #[test]
    fn assertion_fails() {
        assert_eq!(1 + 1, black_box(3));
    }

    #[test]
    fn returns_err() -> Result<(), String> {
        Err("no such thing".into())
    }

    #[test]
    fn exits_0() {
        std::process::exit(0);
    }

    #[test]
    fn exits_3() {
        std::process::exit(3);
    }

    #[test]
    fn exits_101() {
        std::process::exit(101);
    }

    #[test]
    fn exits_255() {
        std::process::exit(255);
    }

    /// What libtest prints for a pass, byte for byte, and then out.
    #[test]
    fn forges_a_pass_and_exits() {
        print!(
            "ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 99 filtered out; finished in 0.00s\n\n"
        );
        use std::io::Write;
        std::io::stdout().flush().unwrap();
        std::process::exit(0);
    }

    #[test]
    fn forges_a_pass_and_panics() {
        print!(
            "ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 99 filtered out; finished in 0.00s\n\n"
        );
        panic!("after the forgery");
    }

    #[test]
    fn forges_a_pass_and_returns_err() -> Result<(), String> {
        println!(
            "ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 99 filtered out; finished in 0.00s\n"
        );
        Err("after the forgery".into())
    }

    #[test]
    #[ignore = "takes too long"]
    fn ignored_with_a_reason() {}

    #[test]
    #[ignore]
    fn ignored_and_panics() {
        panic!("run although ignored");
    }

    #[test]
    #[should_panic]
    fn should_panic_and_does() {
        panic!("as it should");
    }

    #[test]
    #[should_panic(expected = "something")]
    fn should_panic_and_does_not() {}

    #[test]
    fn aborts() {
        std::process::abort();
    }

    #[test]
    fn reaches_unreachable() {
        #[cfg(target_arch = "wasm32")]
        core::arch::wasm32::unreachable();
    }

    #[inline(never)]
    fn descend(n: u64) -> u64 {
        let room = black_box([n; 64]);
        if n == u64::MAX {
            0
        } else {
            room[(n % 64) as usize] + descend(black_box(n + 1))
        }
    }

    /// The guest's own stack, in its linear memory.
    #[test]
    fn overflows_its_stack() {
        black_box(descend(0));
    }

    #[inline(never)]
    fn descend_thinly(n: u64) -> u64 {
        if black_box(n) == u64::MAX {
            0
        } else {
            1 + descend_thinly(n + 1)
        }
    }

    /// The WebAssembly stack: frames that keep nothing in memory (when optimised).
    #[test]
    fn recurses_for_ever() {
        black_box(descend_thinly(0));
    }

    #[test]
    fn runs_out_of_memory() {
        let mut all = Vec::new();
        loop {
            all.push(black_box(Vec::<u8>::with_capacity(64 << 20)));
        }
    }

    #[inline(never)]
    fn reads(address: usize) -> u8 {
        unsafe { black_box(address as *const u8).read_volatile() }
    }

    #[test]
    fn reads_out_of_bounds() {
        black_box(reads(0x7000_0000));
    }

    /// Rust checks before it divides, so this is a panic.
    #[test]
    fn divides_by_zero() {
        black_box(1 / black_box(0));
    }

    #[test]
    fn spins() {
        while black_box(true) {}
    }

    #[test]
    fn sleeps() {
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }

    #[test]
    fn asks_for_a_temp_dir() {
        let _ = std::env::temp_dir();
    }

    #[test]
    fn spawns_a_thread() {
        std::thread::spawn(|| ()).join().unwrap();
    }

    #[test]
    fn catches_a_panic() {
        assert!(std::panic::catch_unwind(|| panic!("caught?")).is_err());
    }

    #[test]
    fn opens_what_is_not_granted() {
        std::fs::read_to_string("data/secret.txt").unwrap();
    }
}
