//! The test that runs just now, as the thread that listens to the primary sees it.
//!
//! A guest that is blocked in the host cannot be stopped, but what it has
//! written can be told, and somebody has to answer for its test: exactly one of
//! the two threads does, whoever takes it from here first.

use crate::event::Harness;
use crate::module::libtest;
use crate::protocol::{Stop, Stopped, Task, TaskNumber};
use crate::sandbox::capture::Stream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time since the Unix epoch.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The test that runs, if one does.
#[derive(Default)]
pub struct Current(Mutex<Option<Running>>);

struct Running {
    task: Arc<Task>,
    start: Duration,
    began: Instant,
    streams: (Stream, Stream),
}

impl Current {
    /// A test begins; gives the time, since the Unix epoch.
    pub fn begin(&self, task: &Arc<Task>, streams: &(Stream, Stream)) -> Duration {
        let start = now();
        *self.lock() = Some(Running {
            task: task.clone(),
            start,
            began: Instant::now(),
            streams: streams.clone(),
        });
        start
    }

    /// The test has come back; `None` if it was given up meanwhile.
    pub fn end(&self) -> Option<()> {
        self.lock().take().map(|_| ())
    }

    /// Gives the test up, if it is this one and the reason holds.
    pub fn stop(&self, task: TaskNumber, why: Stop) -> Option<Stopped> {
        let mut current = self.lock();
        let running = current.as_ref().filter(|r| r.task.number == task)?;
        if why == Stop::Limit && running.began.elapsed() < running.task.timeout {
            return None;
        }
        let running = current.take()?;
        let (mut stdout, stderr) = (running.streams.0.finish().0, running.streams.1.finish().0);
        if running.task.harness == Harness::Libtest {
            libtest::without_frame(&mut stdout, &running.task.path);
        }
        Some(Stopped {
            task,
            start: running.start,
            duration: running.began.elapsed(),
            stdout,
            stderr,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
