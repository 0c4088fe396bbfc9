//! What a split setup leaves to the tests that begin from its state: instants, seeds, much memory.

#[cfg(test)]
mod chance;
#[cfg(test)]
mod large;
#[cfg(test)]
mod time;

/// WASI's functions, as they are.
#[cfg(test)]
mod wasi {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn clock_res_get(clock: i32, to: *mut u64) -> i32;
        fn clock_time_get(clock: i32, precision: u64, to: *mut u64) -> i32;
        fn poll_oneoff(from: *const u8, to: *mut u8, count: usize, told: *mut usize) -> i32;
        fn random_get(to: *mut u8, length: usize) -> i32;
    }

    /// The clock that `Instant` reads.
    const MONOTONIC: i32 = 1;

    /// What the monotonic clock shows, in nanoseconds.
    pub fn clock() -> u64 {
        let mut now = 0;
        // SAFETY: it writes eight bytes to the place that it is given.
        assert_eq!(unsafe { clock_time_get(MONOTONIC, 1, &mut now) }, 0);
        now
    }

    /// The monotonic clock's resolution, in nanoseconds.
    pub fn resolution() -> u64 {
        let mut resolution = 0;
        // SAFETY: it writes eight bytes to the place that it is given.
        assert_eq!(unsafe { clock_res_get(MONOTONIC, &mut resolution) }, 0);
        resolution
    }

    /// Sleeps until the monotonic clock shows this.
    pub fn sleep_until(deadline: u64) {
        let mut subscription = [0u64; 6];
        subscription[0] = 7;
        subscription[2] = MONOTONIC as u64;
        subscription[3] = deadline;
        // an absolute one
        subscription[5] = 1;
        let (mut event, mut told) = ([0u64; 4], 0);
        let (from, to) = (subscription.as_ptr().cast(), event.as_mut_ptr().cast());
        // SAFETY: one subscription is 48 bytes long, one event 32.
        assert_eq!(unsafe { poll_oneoff(from, to, 1, &mut told) }, 0);
        assert_eq!((told, event[0]), (1, 7));
    }

    /// A number that the host draws.
    pub fn random() -> u64 {
        let mut number = [0; 8];
        // SAFETY: it writes so many bytes to the place that it is given.
        assert_eq!(unsafe { random_get(number.as_mut_ptr(), 8) }, 0);
        u64::from_le_bytes(number)
    }
}
