//! A guest's monotonic clock, which goes on where the state stood from which it began.
//!
//! An instant that a setup has kept is then never later than those of the tests that are
//! replayed from it, on whatever worker.

use std::time::{Duration, Instant};
use wasmtime_wasi::HostMonotonicClock;
use wasmtime_wasi::clocks::MonotonicClock;

/// A clock of one store's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    made: Instant,
    /// What it showed then.
    shown: Duration,
}

impl Clock {
    /// A clock that shows this now: zero, or what that of a state showed when it was taken.
    pub fn showing(shown: Duration) -> Clock {
        Clock {
            made: Instant::now(),
            shown,
        }
    }

    /// What it shows.
    pub fn read(&self) -> Duration {
        self.shown.saturating_add(self.made.elapsed())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        MonotonicClock::new().resolution()
    }

    fn now(&self) -> u64 {
        // 584 years
        u64::try_from(self.read().as_nanos()).unwrap_or(u64::MAX)
    }
}
