//! A guest's monotonic clock, which goes on where the state stood from which it began.
//!
//! Any other shows the time since the run began. So an instant that a setup has kept or sent is never
//! later than those of the tests after it, on whatever worker.

use std::time::{Duration, Instant};
use wasmtime_wasi::HostMonotonicClock;
use wasmtime_wasi::clocks::MonotonicClock;

/// What this machine's monotonic clock shows: the same in all processes.
pub fn of_the_machine() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes to that place alone, which is this function's.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    assert_eq!(result, 0, "every system has this clock");
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// A clock of one store's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    made: Instant,
    /// What it showed then.
    shown: Duration,
}

impl Clock {
    /// A clock that shows this now.
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
