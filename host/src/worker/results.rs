//! What is told of tests that have ended: by messages, or in the file that needs none.

use crate::protocol::{Done, FromWorker, PassedTest, ResultWriter, TaskNumber};
use std::time::{Duration, Instant};

/// The primary is told that there are results once so much time has gone since it was last told
/// of any: half of what a worker is given ahead.
const UNTOLD: Duration = Duration::from_millis(2);

/// The results of one worker.
pub(super) struct Results {
    file: Option<ResultWriter>,
    /// When the primary was told last.
    told: Instant,
    /// How much waited then, or later if that is more.
    most_waiting: usize,
    /// How many messages had gone when the test that runs began. Of one that sent any before its
    /// end, that goes by a message too: the message would be read after a result behind it.
    sent: u64,
}

impl Results {
    /// Results that go into that file, where there is one, if they need no message.
    pub(super) fn new(file: Option<ResultWriter>) -> Results {
        Results {
            file,
            told: Instant::now(),
            most_waiting: 0,
            sent: 0,
        }
    }

    /// This test begins, by itself, after so many messages: whoever dies from now on dies of it.
    pub(super) fn begins(&mut self, task: TaskNumber, sent: u64) {
        self.sent = sent;
        if let Some(file) = &mut self.file {
            file.begins(task);
        }
    }

    /// A test has ended, so much waits, and so many messages went by now: what is to be sent of
    /// it, if anything is.
    ///
    /// The primary looks by itself some time after it was told, so nothing is late that is not
    /// told at once.
    pub(super) fn tell(&mut self, done: Done, waiting: usize, sent: u64) -> Option<FromWorker> {
        let message = done.into_message();
        if let (Some(file), true, FromWorker::Passed(task, start, duration)) =
            (&mut self.file, sent == self.sent, &message)
        {
            file.passed(PassedTest {
                task: *task,
                start: *start,
                duration: *duration,
            });
            self.most_waiting = self.most_waiting.max(waiting);
            // what waits is to last until there is more
            if waiting > self.most_waiting / 2 && self.told.elapsed() < UNTOLD {
                return None;
            }
            self.told = Instant::now();
            self.most_waiting = waiting;
            return Some(FromWorker::Results);
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Cause, Outcome};
    use crate::protocol::ResultReader;

    /// What is sent of these tests, by how much waits at the end of each.
    fn sent(waiting: &[usize], outcome: Outcome) -> Vec<Option<FromWorker>> {
        let folder = tempfile::tempdir().expect("a folder");
        let reader = ResultReader::new(folder.path()).expect("a file");
        let file = reader.file().expect("a descriptor is left");
        let mut results = Results::new(ResultWriter::open(&file));
        let mut tell = |(number, waiting): (usize, &usize)| {
            // so that the time plays no part
            results.told = Instant::now() + Duration::from_secs(3600);
            let done = Done::new(TaskNumber(number as u64), Ok(outcome.clone()));
            results.tell(done, *waiting, 0)
        };
        waiting.iter().enumerate().map(&mut tell).collect()
    }

    #[test]
    fn the_primary_is_told_while_half_of_what_a_worker_was_given_waits() {
        let told = sent(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], Outcome::Passed);
        let told: Vec<bool> = told.iter().map(Option::is_some).collect();
        let at = |waiting: usize| told[9 - waiting];
        // more comes each time before the worker has nothing to do
        assert!(!at(9) && !at(5) && at(4) && !at(3) && at(2) && at(1) && at(0));
    }

    #[test]
    fn what_is_more_than_a_pass_is_told_at_once() {
        let failed = Outcome::Failed(Cause::new("it panicked"));
        for message in sent(&[9, 8, 7], failed) {
            assert!(matches!(message, Some(FromWorker::Done(_))), "{message:?}");
        }
    }

    #[test]
    fn what_is_told_of_a_test_before_its_end_stays_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let reader = ResultReader::new(folder.path()).expect("a file");
        let file = reader.file().expect("a descriptor is left");
        let mut results = Results::new(ResultWriter::open(&file));
        let mut tell = |number, before, after| {
            results.begins(TaskNumber(number), before);
            let done = Done::new(TaskNumber(number), Ok(Outcome::Passed));
            results.tell(done, 9, after)
        };
        let told = tell(7, 1, 2);
        assert!(matches!(told, Some(FromWorker::Passed(..))), "{told:?}");
        let told = tell(8, 2, 2);
        assert!(matches!(told, None | Some(FromWorker::Results)), "{told:?}");
    }

    #[test]
    fn without_a_file_each_result_is_a_message() {
        let mut results = Results::new(None);
        let done = Done::new(TaskNumber(7), Ok(Outcome::Passed));
        let message = results.tell(done, 9, 0);
        assert!(matches!(
            message,
            Some(FromWorker::Passed(TaskNumber(7), 0, 0))
        ));
    }
}
