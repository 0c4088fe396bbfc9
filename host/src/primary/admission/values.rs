//! How much of each value of a message's an honest peer can send: what a message says of a test,
//! of a failure, of a state, with nothing of the run in it.
//!
//! All these bounds lie above what a guest may make a worker say, which the sandbox sees to; they
//! are for workers that do not keep to it.

use crate::event::denials::Denials;
use crate::event::{Captured, Cause, Frame, Library, Outcome, SetupOutput, TestOutput};
use crate::protocol::{Beside, LoadError};
use std::path::Path;
use std::time::Duration;

/// What is wrong with a message, as it follows `worker 1 sent `.
pub(in crate::primary) type Lie = &'static str;

/// The longest name of anything, in bytes.
pub(super) const LONGEST_NAME: usize = 64 << 10;
/// The longest text is this, in bytes, and a stream's that it repeats.
const LONGEST_TEXT: usize = 1 << 20;
/// Of a backtrace, and again of what libraries' functions are folded into one of its lines.
const MOST_FRAMES: usize = 4096;
/// Notes to one test.
const MOST_NOTES: usize = 1000;
/// The latest start: what fits into a message of a test that has passed.
const LATEST: Duration = Duration::from_nanos(u64::MAX);

/// What is known of a run by which its values are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<'a> {
    /// How many bytes of a stream are kept at its head, and again at its tail.
    pub capture: usize,
    /// The run's own folder, if scratch folders may be kept there.
    pub scratch: Option<&'a Path>,
}

fn holds(is: bool, lie: Lie) -> Result<(), Lie> {
    match is {
        true => Ok(()),
        false => Err(lie),
    }
}

/// When something began, and how long it took, of a worker that has lived for so long.
pub(super) fn times(start: Duration, took: Duration, lived: Duration) -> Result<(), Lie> {
    holds(start <= LATEST, "a time that no clock shows")?;
    holds(took <= lived, "a duration longer than its life")
}

pub(super) fn name(text: &str) -> Result<(), Lie> {
    holds(text.len() <= LONGEST_NAME, "a name that is too long")
}

impl Bounds<'_> {
    pub(super) fn text(self, text: &str) -> Result<(), Lie> {
        // what is no text in a stream takes three times as much as text
        let longest = LONGEST_TEXT.saturating_add(self.capture.saturating_mul(6));
        holds(text.len() <= longest, "a text that is too long")
    }

    fn captured(self, captured: &Captured) -> Result<(), Lie> {
        let fits = captured.head.len() <= self.capture && captured.tail.len() <= self.capture;
        holds(fits, "more output than is kept")
    }

    pub(super) fn cause(self, cause: &Cause) -> Result<(), Lie> {
        let Cause {
            message,
            hint,
            frames,
        } = cause;
        self.text(message)?;
        hint.as_deref().map_or(Ok(()), |hint| self.text(hint))?;
        holds(frames.len() <= MOST_FRAMES, "a backtrace that is too long")?;
        frames.iter().try_for_each(frame)
    }

    /// Where a test was when it was given up.
    pub(super) fn place(self, frames: &[Frame], in_host: Option<&str>) -> Result<(), Lie> {
        in_host.map_or(Ok(()), |name| self.text(name))?;
        holds(frames.len() <= MOST_FRAMES, "a backtrace that is too long")?;
        frames.iter().try_for_each(frame)
    }

    pub(super) fn outcome(self, outcome: &Outcome) -> Result<(), Lie> {
        match outcome {
            Outcome::Passed | Outcome::Interrupted => Ok(()),
            Outcome::Failed(cause)
            | Outcome::Errored(cause)
            | Outcome::OutOfMemory(cause)
            | Outcome::TimedOut(cause)
            | Outcome::Crashed(cause) => self.cause(cause),
            Outcome::ExpectedFailure { reason, cause } => {
                self.text(reason)?;
                self.cause(cause)
            }
            Outcome::Skipped { reason } | Outcome::NotRun { reason } => self.text(reason),
        }
    }

    pub(super) fn load_error(self, error: &LoadError) -> Result<(), Lie> {
        match error {
            LoadError::Artefact(why) => self.text(why),
            LoadError::Module(cause) => self.cause(cause),
            LoadError::List(cause, stderr) => {
                self.cause(cause)?;
                self.captured(stderr)
            }
        }
    }

    /// What was written before a test by what is set up for it, of which there is so much.
    pub(super) fn setups(self, wrote: &[SetupOutput], most: usize) -> Result<(), Lie> {
        holds(wrote.len() <= most, "the output of more than was set up")?;
        wrote.iter().try_for_each(|setup| {
            let SetupOutput {
                path,
                of,
                kind: _,
                run: _,
                stdout,
                stderr,
            } = setup;
            name(path)?;
            name(of)?;
            self.captured(stdout)?;
            self.captured(stderr)
        })
    }

    /// What a test left before which so much was set up. What it logged and attached is
    /// bounded by the message.
    pub(super) fn output(self, output: &TestOutput, most_setups: usize) -> Result<(), Lie> {
        let TestOutput {
            stdout,
            stderr,
            setups,
            scratch,
            logs: _,
            attachments: _,
            notes,
            denied,
        } = output;
        self.captured(stdout)?;
        self.captured(stderr)?;
        self.setups(setups, most_setups)?;
        if let Some(scratch) = scratch {
            self.kept(scratch)?;
        }
        holds(notes.len() <= MOST_NOTES, "too many notes")?;
        notes.iter().try_for_each(|note| self.text(note))?;
        self.denied(denied)
    }

    fn denied(self, denied: &Denials) -> Result<(), Lie> {
        holds(denied.is_bounded(LONGEST_NAME), "too many refusals")
    }

    /// A scratch folder that was kept lies in the run's own folder, and is called as a worker
    /// calls it.
    fn kept(self, scratch: &str) -> Result<(), Lie> {
        let folder = self.scratch.map(|folder| folder.display().to_string());
        let below = folder.and_then(|folder| scratch.strip_prefix(folder.as_str()));
        let name = below.and_then(|below| below.strip_prefix('/'));
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let numbers = name.and_then(|name| name.split_once('-'));
        let is_ours = numbers.is_some_and(|(a, b)| number(a) && number(b));
        holds(is_ours, "a folder that is not one of its own")
    }
}

fn frame(frame: &Frame) -> Result<(), Lie> {
    match frame {
        Frame::Function {
            name: of,
            location: at,
        } => {
            name(of)?;
            at.as_deref().map_or(Ok(()), name)
        }
        Frame::Others(others) => {
            let all = others.first.iter().chain(&others.last);
            let few = all.clone().count() <= MOST_FRAMES;
            holds(few, "a backtrace that is too long")?;
            all.into_iter().try_for_each(|other| {
                name(&other.name)?;
                other.location.as_deref().map_or(Ok(()), name)?;
                match &other.library {
                    Library::Runtime => Ok(()),
                    Library::Dependency(of) => name(of),
                }
            })
        }
        // numbers, whatever they are
        Frame::Repeated { .. } | Frame::Folded { .. } => Ok(()),
    }
}

/// What belongs to a state beside its memory, in a run that has lasted for so long.
pub(super) fn beside(beside: &Beside, lasted: Duration) -> Result<(), Lie> {
    /// Of a module; wasmtime takes no more.
    const MOST_GLOBALS: usize = 1_000_000;
    let Beside { globals, clock } = beside;
    holds(globals.0.len() <= MOST_GLOBALS, "too many globals")?;
    holds(*clock <= lasted, "a clock that is ahead of the run's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_scratch_is_a_folder_of_the_runs_own_by_a_workers_name() {
        let bounds = |scratch| Bounds {
            capture: 10,
            scratch,
        };
        let own = bounds(Some(Path::new("/tmp/wasmtest-x")));
        assert!(own.kept("/tmp/wasmtest-x/17-3").is_ok());
        for lie in [
            "",
            "/tmp/wasmtest-x",
            "/tmp/wasmtest-x/",
            "/tmp/wasmtest-x/17",
            "/tmp/wasmtest-x/17-",
            "/tmp/wasmtest-x/17-3/..",
            "/tmp/wasmtest-x/../17-3",
            "/tmp/wasmtest-x17-3",
            "/tmp/wasmtest-x/17-3\u{1b}[2J",
            "17-3",
        ] {
            assert!(own.kept(lie).is_err(), "{lie:?}");
        }
        assert!(bounds(None).kept("/tmp/wasmtest-x/17-3").is_err());
    }

    #[test]
    fn times_are_those_that_a_worker_can_have_measured() {
        let second = Duration::from_secs(1);
        assert!(times(Duration::from_secs(1 << 31), second, second).is_ok());
        assert!(times(Duration::MAX, second, second).is_err());
        assert!(times(second, Duration::MAX, second).is_err());
    }
}
