//! A setup that keeps what the monotonic clock showed.

use crate::wasi;
use std::time::{Duration, Instant};

/// Longer than a fresh instance takes to begin its test.
const SETUP: Duration = Duration::from_millis(300);

pub struct Then {
    instant: Instant,
    /// The same as WASI has it, in nanoseconds.
    clock: u64,
    resolution: u64,
}

impl Then {
    fn after_a_while() -> Then {
        std::thread::sleep(SETUP);
        Then {
            instant: Instant::now(),
            clock: wasi::clock(),
            resolution: wasi::resolution(),
        }
    }
}

macro_rules! tests {
    ($first:ident $second:ident) => {
        #[wasmtest::test(cases($first = 0, $second = 1))]
        fn an_instant_of_the_setup_is_past(_: u32, then: &Then) {
            let elapsed = Instant::now().checked_duration_since(then.instant);
            assert!(elapsed.is_some(), "{:?}", then.instant.elapsed());
            assert!(wasi::clock() >= then.clock);
        }

        #[wasmtest::test(cases($first = 10, $second = 20))]
        fn what_was_waited_has_elapsed(milliseconds: u64, then: &Then) {
            let wait = Duration::from_millis(milliseconds);
            std::thread::sleep(wait);
            assert!(then.instant.elapsed() >= wait);
        }

        #[wasmtest::test(cases($first = 0, $second = 40_000_000))]
        fn a_deadline_of_the_setup_comes(later: u64, then: &Then) {
            let deadline = then.clock + later;
            wasi::sleep_until(deadline);
            assert!(wasi::clock() >= deadline);
            assert_eq!(wasi::resolution(), then.resolution);
        }
    };
}

#[wasmtest::suite(split)]
mod small {
    use super::*;

    #[wasmtest::setup]
    fn then() -> Then {
        Then::after_a_while()
    }

    tests!(first second);
}

/// So much that its state is kept in another way.
#[wasmtest::suite(split)]
mod large {
    use super::*;

    #[wasmtest::setup]
    fn then() -> Then {
        std::hint::black_box(vec![7u8; 16 << 20].leak());
        Then::after_a_while()
    }

    tests!(first second);
}
