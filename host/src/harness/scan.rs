//! What a verdict needs from a guest's output, read while it streams by.
//!
//! Output is kept only up to a cap, and a guest may write more than any cap,
//! so nothing that decides a verdict is taken from what was kept. Memory here
//! is bounded whatever the guest writes.

use crate::event::BACKTRACE;
use memchr::memchr;

/// The longest piece of a line that is looked at; libtest's and std's lines are far shorter.
const MAX_LINE: usize = 4096;
/// How much of a panic's message is kept: what a test expects of it is looked for there.
pub const MAX_MESSAGE: usize = 64 << 10;

/// libtest's closing line, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Tests passed.
    pub passed: u64,
    /// Tests failed.
    pub failed: u64,
    /// Tests ignored.
    pub ignored: u64,
    /// Benchmarks measured.
    pub measured: u64,
}

/// A panic as std prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// `file:line:column`.
    pub location: String,
    pub message: String,
    /// Whether there is more of the message than was kept.
    pub is_cut: bool,
}

/// What was seen in one stream.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    line: Vec<u8>,
    /// Whether there is more of the line.
    is_cut: bool,
    collecting: Collecting,
    /// Whether libtest said that it runs tests.
    pub began: bool,
    /// libtest's last closing line.
    pub counts: Option<Counts>,
    /// The last panic.
    pub panic: Option<Panic>,
    /// What followed the last `Error: ` at the beginning of a line.
    pub error: Option<String>,
    /// What libtest-mimic tells of a failure, below the test's name.
    pub told: Option<String>,
    /// std's last word when an allocation fails.
    pub allocation: Option<String>,
    /// Why the SDK, running as libtest's, skipped a test.
    pub skipped: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Collecting {
    #[default]
    Nothing,
    Panic,
    Error,
    Told,
}

impl Scan {
    /// Takes the next bytes of the stream.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            self.append(&bytes[..end]);
            self.end_of_line();
            bytes = &bytes[end + 1..];
        }
        self.append(bytes);
    }

    /// The stream has ended: its last line may have no end.
    pub fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_of_line();
        }
    }

    /// What was said of a failure last: a panic's message, or an error's.
    pub fn message(&self) -> Option<&str> {
        let panic = self.panic.as_ref().map(|p| p.message.as_str());
        panic.or(self.error.as_deref())
    }

    fn append(&mut self, bytes: &[u8]) {
        let most = match self.collecting {
            Collecting::Panic => MAX_MESSAGE,
            _ => MAX_LINE,
        };
        let room = most.saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        self.is_cut |= room < bytes.len();
    }

    fn end_of_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let is_cut = std::mem::take(&mut self.is_cut);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        if let Some(counts) = closing_line(line) {
            self.counts = Some(counts);
        } else if line.starts_with("running ") && opening_line(line) {
            self.began = true;
        } else if let Some(panic) = panic_line(line, is_cut) {
            self.panic = Some(panic);
            self.allocation = None;
            self.collecting = Collecting::Panic;
        } else if let Some(reason) = line.strip_prefix("wasmtest: skipped: ") {
            self.skipped = Some(reason.to_owned());
        } else if line.starts_with("memory allocation of ") && line.ends_with(" failed") {
            self.allocation = Some(line.to_owned());
            self.collecting = Collecting::Nothing;
        } else if self.is_after_text(line) {
            self.collecting = Collecting::Nothing;
        } else if line.starts_with("---- ")
            && line.ends_with(" ----")
            && self.collecting == Collecting::Nothing
        {
            self.told = Some(String::new());
            self.collecting = Collecting::Told;
        } else {
            let text = match (self.collecting, line.strip_prefix("Error: ")) {
                (Collecting::Panic, _) => self.panic.as_mut().map(|p| &mut p.message),
                (Collecting::Told, _) => self.told.as_mut(),
                (_, Some(first)) => {
                    self.error = Some(first.to_owned());
                    self.collecting = Collecting::Error;
                    None
                }
                (Collecting::Error, None) => self.error.as_mut(),
                (Collecting::Nothing, None) => None,
            };
            let has_all = text.is_none_or(|text| add_line(text, line)) && !is_cut;
            if let (Collecting::Panic, Some(panic)) = (self.collecting, &mut self.panic) {
                panic.is_cut |= !has_all;
            }
        }
        // keep the buffer
        self.line = bytes;
        self.line.clear();
    }
}

impl Scan {
    /// Whether this line is no part of what is collected, and ends it.
    fn is_after_text(&self, line: &str) -> bool {
        match self.collecting {
            Collecting::Told => line == "failures:",
            _ => {
                let after =
                    line == BACKTRACE || line.starts_with("note: run with `RUST_BACKTRACE=");
                after && !self.awaits_message()
            }
        }
    }

    /// Whether a panic's message has not begun: whatever comes belongs to it.
    fn awaits_message(&self) -> bool {
        self.collecting == Collecting::Panic
            && self.panic.as_ref().is_some_and(|p| p.message.is_empty())
    }
}

/// Adds a line where there is room for it; whether there was.
fn add_line(text: &mut String, line: &str) -> bool {
    if text.len() + line.len() >= MAX_MESSAGE + MAX_LINE {
        return false;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
    true
}

/// `running 1 test`
fn opening_line(line: &str) -> bool {
    let count = line.strip_prefix("running ");
    let count = count.and_then(|l| l.strip_suffix(" tests").or_else(|| l.strip_suffix(" test")));
    count.is_some_and(|c| c.parse::<u64>().is_ok())
}

/// `test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s`
fn closing_line(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let rest = rest
        .strip_prefix("ok. ")
        .or_else(|| rest.strip_prefix("FAILED. "))?;
    let mut numbers = rest.split("; ");
    let mut next =
        |unit: &str| -> Option<u64> { numbers.next()?.strip_suffix(unit)?.trim_end().parse().ok() };
    Some(Counts {
        passed: next("passed")?,
        failed: next("failed")?,
        ignored: next("ignored")?,
        measured: next("measured")?,
    })
}

/// `thread 'main' (1) panicked at src/lib.rs:13:9:`, or as before Rust 1.73
/// `thread 'main' panicked at 'message', src/lib.rs:13:9`.
fn panic_line(line: &str, is_cut: bool) -> Option<Panic> {
    let (_, after) = line
        .starts_with("thread '")
        .then(|| line.split_once(" panicked at "))??;
    // a path may be longer than what is looked at of a line
    let cut = is_cut.then_some(after);
    if let Some(location) = after.strip_suffix(':').or(cut) {
        return Some(Panic {
            location: location.to_owned(),
            message: String::new(),
            is_cut: false,
        });
    }
    let (message, location) = after.strip_prefix('\'')?.rsplit_once("', ")?;
    Some(Panic {
        location: location.to_owned(),
        message: message.to_owned(),
        is_cut,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Scan {
        let mut scan = Scan::default();
        // in small pieces, as a guest may write it
        for piece in text.as_bytes().chunks(3) {
            scan.write(piece);
        }
        scan.finish();
        scan
    }

    #[test]
    fn the_last_closing_line_counts() {
        let s = scan(
            "running 1 test\ntest result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
             test a ... FAILED\n\ntest result: FAILED. 0 passed; 1 failed; 2 ignored; 0 measured; 9 filtered out; finished in 0.00s\n\n",
        );
        assert_eq!(
            s.counts,
            Some(Counts {
                passed: 0,
                failed: 1,
                ignored: 2,
                measured: 0
            })
        );
        assert_eq!(scan("test result: ok. many passed; 0 failed").counts, None);
    }

    #[test]
    fn a_panic_is_read_with_its_place_and_all_of_its_message() {
        let s = scan(
            "\nthread 'main' (1) panicked at src/lib.rs:13:9:\nassertion `left == right` failed\n  left: 1\n right: 2\n\
             note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\nmore",
        );
        let panic = s.panic.expect("there is one");
        assert_eq!(panic.location, "src/lib.rs:13:9");
        assert_eq!(
            panic.message,
            "assertion `left == right` failed\n  left: 1\n right: 2"
        );
        let traced = scan(
            "thread 'main' panicked at a:1:1:\ngone\nstack backtrace:\n\
             note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n",
        );
        assert_eq!(traced.panic.expect("there is one").message, "gone");
        let old = scan("thread 'main' panicked at 'it's gone', src/lib.rs:2:5").panic;
        assert_eq!(old.expect("there is one").message, "it's gone");
    }

    #[test]
    fn errors_and_failed_allocations_are_read() {
        assert_eq!(
            scan("Error: \"no\"\n  more").error.as_deref(),
            Some("\"no\"\n  more")
        );
        let mimic = "\nfailures:\n\n---- a b ----\nno `=`\n  at 1\n\n\nfailures:\n    a b\n\n";
        let told = scan(mimic).told.expect("there is one");
        assert_eq!(told.trim(), "no `=`\n  at 1");
        let s = scan("memory allocation of 8388608 bytes failed\n");
        assert_eq!(
            s.allocation.as_deref(),
            Some("memory allocation of 8388608 bytes failed")
        );
    }

    #[test]
    fn memory_is_bounded_whatever_a_guest_writes() {
        let mut s = Scan::default();
        s.write(b"thread 'main' panicked at a:1:1:\n");
        for _ in 0..1000 {
            s.write(&[b'x'; 5000]);
            s.write(b"\n");
        }
        s.write(&vec![b'y'; 1 << 20]);
        assert!(s.line.len() <= MAX_MESSAGE);
        let panic = s.panic.expect("there is one");
        assert!(panic.message.len() <= MAX_MESSAGE + MAX_LINE + 1 && panic.is_cut);
    }

    #[test]
    fn a_message_of_one_long_line_is_kept_and_one_that_is_too_long_is_cut() {
        let of = |length: usize| {
            let text = "x".repeat(length);
            scan(&format!("thread 'main' panicked at a:1:1:\n{text}end\n")).panic
        };
        let kept = of(50_000).expect("there is one");
        assert!(kept.message.ends_with("xend") && !kept.is_cut);
        let cut = of(100_000).expect("there is one");
        assert!(cut.message.starts_with("xx") && cut.is_cut);
    }
}
