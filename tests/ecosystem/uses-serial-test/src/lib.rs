//! Tests that must not run at the same time.

#[cfg(test)]
mod tests {
    use serial_test::{parallel, serial};
    use std::sync::atomic::{AtomicU32, Ordering};

    static RUNNING: AtomicU32 = AtomicU32::new(0);

    fn alone() {
        assert_eq!(RUNNING.fetch_add(1, Ordering::SeqCst), 0);
        std::thread::yield_now();
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }

    #[test]
    #[serial]
    fn one() {
        alone();
    }

    #[test]
    #[serial]
    fn another() {
        alone();
    }

    #[test]
    #[serial(database)]
    fn one_with_a_key() {
        alone();
    }

    #[test]
    #[parallel]
    fn beside_others() {
        alone();
    }
}
