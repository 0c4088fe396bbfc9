//! Tests that take long: because each makes the same static, and because each works.

#[cfg(test)]
use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

#[cfg(test)]
fn work() -> u64 {
    let end = Instant::now() + Duration::from_secs(2);
    let mut rounds = 0;
    while Instant::now() < end {
        rounds += 1;
    }
    rounds
}

#[cfg(test)]
mod made {
    static TABLE: super::LazyLock<u64> = super::LazyLock::new(|| super::work());

    #[test]
    fn a() {
        assert!(*TABLE > 0);
    }

    #[test]
    fn b() {
        assert!(*TABLE > 0);
    }

    #[test]
    fn c() {
        assert!(*TABLE > 0);
    }

    #[test]
    fn d() {
        assert!(*TABLE > 0);
    }

    #[test]
    fn e() {
        assert!(*TABLE > 0);
    }
}

#[cfg(test)]
mod worked {
    #[test]
    fn a() {
        assert!(super::work() > 0);
    }

    #[test]
    fn b() {
        assert!(super::work() > 0);
    }

    #[test]
    fn c() {
        assert!(super::work() > 0);
    }

    #[test]
    fn d() {
        assert!(super::work() > 0);
    }

    /// Natively too this is made for the test alone.
    #[test]
    fn e() {
        let own = super::LazyLock::new(|| super::work());
        assert!(*own > 0);
    }
}
