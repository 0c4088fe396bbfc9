//! What workers tell without a message: read when one says that there is some, before anything else
//! that it says, at its end, and a while after there was some.

use super::Run;
use super::workers::{Job, Worker};
use crate::protocol::{Done, FromWorker, PassedTest};
use std::time::{Duration, Instant};

/// When to look once more, after there was something: a worker that has told of results less than
/// half of this ago may have more and say nothing, and later says so.
const READ_AGAIN: Duration = Duration::from_millis(4);

impl Worker {
    /// It may have more to tell soon, and say nothing of it.
    pub(super) fn look_again(&mut self) {
        self.read_at = Some(Instant::now() + READ_AGAIN);
    }

    /// Whether it has died, by nobody's word, before it began the test that is its first job.
    pub(super) fn died_between_tests(&self) -> bool {
        let runs = match self.jobs.front() {
            Some(Job::Test(task, None)) => *task,
            _ => return false,
        };
        let by_itself =
            self.killed.is_none() && self.lied.is_none() && self.peer.nonsense().is_none();
        let mut results = self.results.iter();
        by_itself && results.any(|results| !results.has_begun(runs))
    }
}

impl Run<'_> {
    /// Deals with what a worker has told without a message.
    pub(super) fn read_results(&mut self, number: usize) {
        let mut found = false;
        while let Some(worker) = &mut self.workers[number].worker
            && let Some(Job::Test(task, None)) = worker.jobs.front()
            && let (true, None) = (worker.ready, worker.lied)
            && let Some(results) = &mut worker.results
            && let Some(passed) = results.of(*task)
        {
            results.take();
            worker.read += 1;
            found = true;
            let PassedTest {
                task,
                start,
                duration,
            } = passed;
            let message = FromWorker::Passed(task, start, duration);
            if let Some(worker) = &self.workers[number].worker
                && let Err(lie) = self.admit(worker, &message)
            {
                return self.unexpected(number, lie);
            }
            self.on_test_end(number, Done::passed(task, start, duration));
        }
        if let (true, Some(worker)) = (found, &mut self.workers[number].worker) {
            worker.look_again();
        }
    }

    /// Looks for what workers have told without a message, where that is due.
    pub(super) fn look_for_results(&mut self) {
        let now = Instant::now();
        for number in 0..self.workers.len() {
            if let Some(worker) = &mut self.workers[number].worker
                && worker.read_at.is_some_and(|due| due <= now)
            {
                worker.read_at = None;
                self.read_results(number);
            }
        }
    }
}
