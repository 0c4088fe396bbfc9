//! How a test ended, and why.

use super::Frame;
use serde::{Deserialize, Serialize};

/// How one test ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// The test ran and came back.
    Passed,
    /// An assertion failed: a panic, an `Err`, a status other than 0, an exit in the middle.
    Failed(Cause),
    /// A trap outside an assertion, or a test that could not be run.
    Errored(Cause),
    /// The guest ran out of memory.
    OutOfMemory(Cause),
    /// Stopped at its time limit.
    TimedOut(Cause),
    /// The worker process died while it ran the test.
    Crashed(Cause),
    /// It failed, as it was expected to.
    ExpectedFailure {
        /// Why that is expected, in the words of whoever wrote the test; may be empty.
        reason: String,
        /// How it failed.
        cause: Cause,
    },
    /// Not run, on purpose, for the reason given.
    Skipped {
        /// Why, in the words of whoever wrote the test or of the harness.
        reason: String,
    },
    /// Selected but never started, for the reason given.
    NotRun {
        /// Why it was not started.
        reason: String,
    },
    /// In flight when the run was interrupted.
    Interrupted,
}

impl Outcome {
    /// The outcome's name, as it stands in the event stream.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Errored(_) => "errored",
            Outcome::OutOfMemory(_) => "out-of-memory",
            Outcome::TimedOut(_) => "timed-out",
            Outcome::Crashed(_) => "crashed",
            Outcome::ExpectedFailure { .. } => "expected-failure",
            Outcome::Skipped { .. } => "skipped",
            Outcome::NotRun { .. } => "not-run",
            Outcome::Interrupted => "interrupted",
        }
    }

    /// Whether the run can still be green with this outcome in it.
    pub fn is_good(&self) -> bool {
        matches!(
            self,
            Outcome::Passed | Outcome::Skipped { .. } | Outcome::ExpectedFailure { .. }
        )
    }

    /// What went wrong, where something did.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Outcome::Failed(c)
            | Outcome::Errored(c)
            | Outcome::OutOfMemory(c)
            | Outcome::TimedOut(c)
            | Outcome::Crashed(c) => Some(c),
            _ => None,
        }
    }
}

/// Why a test did not pass, in words a developer uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// What happened; the first line stands alone, more may follow.
    pub message: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
    /// Where the guest was, innermost first: the developer's frames, with those of libraries between them.
    pub frames: Vec<Frame>,
}

impl From<String> for Cause {
    fn from(message: String) -> Cause {
        Cause::new(message)
    }
}

impl Cause {
    /// A cause that is a sentence and no more.
    pub fn new(message: impl Into<String>) -> Self {
        Cause {
            message: message.into(),
            ..Cause::default()
        }
    }

    /// How long a message may be that is told, in bytes.
    const LONGEST: usize = 64 << 10;

    /// Cuts what is longer than anybody reads: a guest's panic may be of any length.
    pub fn bound(&mut self) {
        if self.message.len() > Self::LONGEST {
            let left_out = self.message.len() - Self::LONGEST;
            let end = self.message.floor_char_boundary(Self::LONGEST);
            self.message.truncate(end);
            self.message
                .push_str(&format!("\n[{left_out} bytes left out]"));
        }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
