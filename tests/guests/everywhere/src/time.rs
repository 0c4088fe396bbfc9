//! Time goes on from a setup to its tests.

use std::time::{Duration, Instant, SystemTime};

#[wasmtest::suite(split)]
mod after_a_split_setup {
    use super::*;

    pub struct Times {
        began: Instant,
        clock: SystemTime,
    }

    #[wasmtest::setup]
    fn times() -> Times {
        Times {
            began: Instant::now(),
            clock: SystemTime::now(),
        }
    }

    #[wasmtest::test(cases(a = (), b = (), c = ()))]
    fn it_is_later(_again: (), times: &Times) {
        let now = Instant::now();
        assert!(now.checked_duration_since(times.began).is_some());
        assert!(SystemTime::now().duration_since(times.clock).is_ok());
        std::thread::sleep(Duration::from_millis(2));
        assert!(now.elapsed() >= Duration::from_millis(2));
        // natively the machine's clock has run for longer than that
        assert!(times.began.elapsed() < Duration::from_secs(3600));
    }
}

/// What a shared setup has seen of time has passed for its tests.
#[wasmtest::suite(shared)]
mod after_a_shared_setup {
    use super::*;

    /// What the clock shows: an `Instant` cannot travel, what is printed of it can.
    fn shown() -> Duration {
        let text = format!("{:?}", Instant::now());
        let numbers: Vec<u64> = text
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let [seconds, nanoseconds] = numbers[..] else {
            panic!("{text}");
        };
        Duration::new(
            seconds,
            u32::try_from(nanoseconds).expect("less than a second"),
        )
    }

    #[wasmtest::setup]
    fn at() -> Duration {
        std::thread::sleep(Duration::from_millis(20));
        shown()
    }

    #[wasmtest::test(cases(a = (), b = ()))]
    fn it_is_later(_again: (), at: &Duration) {
        assert!(shown() >= *at);
    }
}
