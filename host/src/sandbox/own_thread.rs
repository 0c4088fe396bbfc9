//! A thread of this process, seen from another: does it run, or does it only wait for a processor?
//!
//! Tells a guest that is held up in the host from one on a busy machine, which would come back if
//! it were let. Where the system does not tell, a thread is taken to run.

use std::time::Duration;

/// So much of a processor is enough to come back from guest code.
const ENOUGH: Duration = Duration::from_millis(20);

/// A thread of this process.
pub(super) struct OwnThread {
    #[cfg(target_os = "linux")]
    number: libc::pid_t,
}

#[cfg(target_os = "linux")]
impl OwnThread {
    /// The one that calls this.
    pub(super) fn here() -> OwnThread {
        OwnThread {
            // SAFETY: it only asks.
            number: unsafe { libc::gettid() },
        }
    }

    /// How long it has had a processor so far, if that is known.
    pub(super) fn processor_time(&self) -> Option<Duration> {
        let path = format!("/proc/self/task/{}/schedstat", self.number);
        let text = std::fs::read_to_string(path).ok()?;
        let first = text.split(' ').next()?;
        first.parse().ok().map(Duration::from_nanos)
    }

    /// Whether it could run and was not let, since it had had a processor for so long.
    pub(super) fn waits_for_a_processor(&self, had: Option<Duration>) -> bool {
        let since = self.processor_time().zip(had);
        since.is_some_and(|(now, had)| now.saturating_sub(had) < ENOUGH) && self.is_runnable()
    }

    fn is_runnable(&self) -> bool {
        let path = format!("/proc/self/task/{}/stat", self.number);
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        // the name before it may hold anything
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('R'))
    }
}

#[cfg(not(target_os = "linux"))]
impl OwnThread {
    /// The one that calls this.
    pub(super) fn here() -> OwnThread {
        OwnThread {}
    }

    /// That is not known.
    pub(super) fn processor_time(&self) -> Option<Duration> {
        None
    }

    /// Nor is this.
    pub(super) fn waits_for_a_processor(&self, _: Option<Duration>) -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_thread_that_sleeps_or_has_run_does_not_wait_for_a_processor() {
        let (told, here) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let sleeper = thread::spawn(move || {
            told.send(OwnThread::here()).expect("somebody listens");
            let _ = wait.recv();
        });
        let asleep = here.recv().expect("it has started");
        while asleep.is_runnable() {
            thread::yield_now();
        }
        assert!(!asleep.waits_for_a_processor(asleep.processor_time()));
        drop(go_on);
        sleeper.join().expect("it ends");
        let own = OwnThread::here();
        let had = own.processor_time();
        assert!(own.waits_for_a_processor(had), "it has just begun to count");
        while own
            .processor_time()
            .zip(had)
            .is_some_and(|(now, had)| now - had < ENOUGH)
        {
            std::hint::black_box(0);
        }
        assert!(!own.waits_for_a_processor(had));
    }
}
