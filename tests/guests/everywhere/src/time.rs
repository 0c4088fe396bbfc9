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
