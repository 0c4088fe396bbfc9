//! Split suites whose setup is costly, so that it matters how it is replayed.

/// Half a second of work.
#[cfg(test)]
#[wasmtest::suite(split)]
mod burns {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    static SET_UP: AtomicU32 = AtomicU32::new(0);

    #[wasmtest::setup]
    fn burn() {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(500) {
            std::hint::black_box(());
        }
        SET_UP.fetch_add(1, Ordering::Relaxed);
    }

    fn test() {
        assert_eq!(SET_UP.load(Ordering::Relaxed), 1);
    }

    include!(concat!(env!("OUT_DIR"), "/burns.rs"));
}

/// A state of some MiB, of which each test touches 64 KiB.
#[cfg(test)]
macro_rules! touches {
    ($suite:ident, $mib:literal) => {
        #[wasmtest::suite(split)]
        mod $suite {
            use std::sync::Mutex;

            static STATE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

            #[wasmtest::setup]
            fn fill() {
                *STATE.lock().expect("one thread") = vec![7; $mib << 20];
            }

            fn test() {
                let mut state = STATE.lock().expect("one thread");
                // its pages, each once: what the test itself costs is of no interest
                for byte in state[..64 << 10].iter_mut().step_by(4 << 10) {
                    assert_eq!(std::mem::replace(byte, 8), 7);
                }
            }

            include!(concat!(env!("OUT_DIR"), "/touches.rs"));
        }
    };
}

#[cfg(test)]
touches!(touches_1, 1);
#[cfg(test)]
touches!(touches_16, 16);
#[cfg(test)]
touches!(touches_256, 256);

/// Every test changes all of the state, and finds it fresh.
#[cfg(test)]
#[wasmtest::suite(split)]
mod changes {
    use std::sync::Mutex;

    static STATE: Mutex<Vec<u64>> = Mutex::new(Vec::new());

    #[wasmtest::setup]
    fn fill() {
        *STATE.lock().expect("one thread") = (0..2 << 20).collect();
    }

    fn test() {
        let mut state = STATE.lock().expect("one thread");
        for (i, word) in state.iter_mut().enumerate() {
            assert_eq!(std::mem::replace(word, u64::MAX), i as u64);
        }
    }

    include!(concat!(env!("OUT_DIR"), "/changes.rs"));
}
