//! Results that need no message: a file that a worker maps and its primary reads.
//!
//! Most tests pass and leave nothing to tell. Such a result is a record of four words in a ring,
//! written before the next test begins: it is there for the primary whatever becomes of the
//! worker, and costs no call of the system. So is the number of the test that runs. The primary
//! reads and never maps: a worker that was taken over can change the file's length.
//!
//! Records and messages have no common order. So a test of which anything is told before its end
//! is told of by messages alone; of all others the order is that in which they were given.
//!
//! A record says by its last word that it is whole, and which of all records it is, so nothing
//! else is agreed upon. The ring is longer than what a worker is given, so that no record is
//! overwritten that was not read yet.

use super::setup::TaskNumber;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many results may be there that were not read yet: no worker is given more tests.
pub const MOST_UNREAD: usize = 1023;

const WORD: usize = size_of::<u64>();
/// Task, start and duration in nanoseconds, check.
const WORDS: usize = 4;
const RECORD: usize = WORDS * WORD;
/// One is the head, whose first word says which test runs: its number plus two; one if none has
/// begun yet, and zero where no worker writes.
const RECORDS: usize = MOST_UNREAD + 1;
const SIZE: usize = RECORD * (RECORDS + 1);
/// How many are read at once.
const AT_ONCE: usize = 64;

/// A test that has passed and left nothing to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedTest {
    pub task: TaskNumber,
    /// When it began, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// How long it took, in nanoseconds.
    pub duration: u64,
}

/// Where a record lies, which is the so-many-th.
fn place(number: u64) -> usize {
    RECORD * (1 + (number % RECORDS as u64) as usize)
}

/// What a record's last word is: never zero, and another for each record, so that neither one that
/// is half written nor one of an earlier round is taken for it. No protection from who wants to
/// write a wrong one: what it says is held against what its worker was given.
fn check(number: u64, words: [u64; 3]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(FACTOR).rotate_left(29);
    words.into_iter().fold(mix(FACTOR, number), mix) | 1
}

/// The primary's side.
#[derive(Debug)]
pub struct ResultReader {
    file: File,
    /// Of the next record.
    number: u64,
    read: Box<[u8]>,
    /// What is left of what was read.
    left: std::ops::Range<usize>,
}

impl ResultReader {
    /// A new file, in memory where the system has such files, and in this folder otherwise.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(folder: &Path) -> io::Result<ResultReader> {
        let file = match in_memory() {
            Ok(file) => file,
            Err(_) => tempfile::tempfile_in(folder)?,
        };
        // all of it: a file that lies on a disk must not run out of room while it is mapped
        file.write_all_at(&[0; SIZE], 0)?;
        Ok(ResultReader {
            file,
            number: 0,
            read: vec![0; AT_ONCE * RECORD].into(),
            left: 0..0,
        })
    }

    /// The file, for the worker.
    ///
    /// # Errors
    /// Those of the system.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// The next result if it is there and of this test; it stays until it is taken.
    pub fn of(&mut self, task: TaskNumber) -> Option<PassedTest> {
        let next = self.parse().or_else(|| {
            self.fill();
            self.parse()
        });
        next.filter(|passed| passed.task == task)
    }

    /// The next result was dealt with.
    pub fn take(&mut self) {
        self.number += 1;
        self.left.start += RECORD;
    }

    /// Whether this test is the last that began, as far as is known.
    pub fn has_begun(&self, task: TaskNumber) -> bool {
        let mut word = [0; WORD];
        let read = self.file.read_exact_at(&mut word, 0);
        let told = read.map_or(0, |()| u64::from_le_bytes(word));
        told == 0 || told.checked_sub(2) == Some(task.0)
    }

    fn parse(&self) -> Option<PassedTest> {
        let record = self.read[self.left.clone()].get(..RECORD)?;
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(record.chunks_exact(WORD)) {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        let [task, start, duration, its_check] = words;
        let is_whole = its_check == check(self.number, [task, start, duration]);
        is_whole.then_some(PassedTest {
            task: TaskNumber(task),
            start,
            duration,
        })
    }

    /// Reads what is there from the next record on, up to the end of the ring.
    fn fill(&mut self) {
        let place = place(self.number);
        let length = self.read.len().min(SIZE - place);
        // one that is shorter by now has nothing more to tell
        let read = self
            .file
            .read_at(&mut self.read[..length], place as u64)
            .unwrap_or(0);
        self.left = 0..read;
    }
}

#[cfg(target_os = "linux")]
fn in_memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("wasmtest-results", MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The worker's side.
#[derive(Debug)]
pub struct ResultWriter {
    map: MmapRaw,
    /// Of the next record.
    number: u64,
}

impl ResultWriter {
    /// Maps what the primary has made; `None` if this is no such file.
    pub fn open(file: &File) -> Option<ResultWriter> {
        let is_one = file.metadata().is_ok_and(|m| m.len() == SIZE as u64);
        let map = is_one.then(|| MmapOptions::new().len(SIZE).map_raw(file));
        let writer = ResultWriter {
            map: map?.ok()?,
            number: 0,
        };
        writer.word(0).store(1_u64.to_le(), Ordering::Relaxed);
        Some(writer)
    }

    /// This test runs from now on.
    pub fn begins(&mut self, task: TaskNumber) {
        self.word(0).store((task.0 + 2).to_le(), Ordering::Relaxed);
    }

    /// A test has passed.
    pub fn passed(&mut self, passed: PassedTest) {
        let words = [passed.task.0, passed.start, passed.duration];
        let place = place(self.number);
        for (i, word) in words.into_iter().enumerate() {
            self.word(place + i * WORD)
                .store(word.to_le(), Ordering::Relaxed);
        }
        let check = check(self.number, words);
        self.word(place + words.len() * WORD)
            .store(check.to_le(), Ordering::Release);
        self.number += 1;
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(WORD) && at + WORD <= self.map.len());
        // SAFETY: the word is within the mapping, which is page-aligned and lives as long as this;
        // this process reaches it by atomic accesses alone. The primary makes the file no shorter.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(at).cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> (ResultReader, ResultWriter, File) {
        let folder = tempfile::tempdir().expect("a folder");
        let reader = ResultReader::new(folder.path()).expect("a file");
        let file = reader.file().expect("a descriptor is left");
        let writer = ResultWriter::open(&file).expect("it is one");
        (reader, writer, file)
    }

    fn passed(task: u64) -> PassedTest {
        PassedTest {
            task: TaskNumber(task),
            start: task * 3,
            duration: u64::MAX - task,
        }
    }

    #[test]
    fn results_are_read_in_order_round_after_round() {
        let (mut reader, mut writer, _) = both();
        let (mut wrote, mut read) = (0, 0);
        for unread in (0..200).map(|i| i * 37 % MOST_UNREAD) {
            while wrote - read < unread as u64 {
                writer.begins(TaskNumber(wrote));
                assert!(reader.has_begun(TaskNumber(wrote)));
                assert!(!reader.has_begun(TaskNumber(wrote + 1)));
                writer.passed(passed(wrote));
                wrote += 1;
            }
            while read < wrote {
                assert_eq!(reader.of(TaskNumber(read + 1)), None);
                assert_eq!(reader.of(TaskNumber(read)), Some(passed(read)));
                reader.take();
                read += 1;
            }
            assert_eq!(reader.of(TaskNumber(read)), None);
        }
        assert!(read > 3 * RECORDS as u64);
    }

    #[test]
    fn what_is_not_whole_is_not_there() {
        let (mut reader, mut writer, file) = both();
        assert!(!reader.has_begun(TaskNumber(0)) && reader.of(TaskNumber(0)).is_none());
        writer.passed(passed(0));
        let mut whole = [0; RECORD];
        file.read_exact_at(&mut whole, RECORD as u64).expect("read");
        for byte in 0..RECORD {
            let mut half = whole;
            half[byte] ^= 1;
            file.write_all_at(&half, RECORD as u64).expect("written");
            assert_eq!(reader.of(TaskNumber(0)), None, "{byte}");
        }
        file.write_all_at(&whole, RECORD as u64).expect("written");
        assert_eq!(reader.of(TaskNumber(0)), Some(passed(0)));
        // one of an earlier round is not the next
        file.write_all_at(&whole, 2 * RECORD as u64)
            .expect("written");
        reader.take();
        assert_eq!(reader.of(TaskNumber(0)), None);
    }

    #[test]
    fn a_file_that_is_cut_off_has_nothing_more_to_tell() {
        let (mut reader, mut writer, file) = both();
        writer.begins(TaskNumber(0));
        writer.passed(passed(0));
        for length in [RECORD + 7, RECORD, 3, 0] {
            file.set_len(length as u64).expect("it is shortened");
            assert_eq!(reader.of(TaskNumber(0)), None);
        }
        // nor is anything known of what runs
        assert!(reader.has_begun(TaskNumber(0)) && reader.has_begun(TaskNumber(7)));
        assert!(ResultWriter::open(&file).is_none());
    }
}
