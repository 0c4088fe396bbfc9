//! What a test leaves beside its outcome: from the sandbox to the reporters one value.
//!
//! What a test can leave more is one field here; nobody in between names them.

use super::denials::Denials;
use super::written::written;
use super::{Captured, SetupOutput};
use serde::{Deserialize, Serialize};

/// What a test left beside its outcome, or whatever else ran in an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TestOutput {
    /// What it wrote to stdout; kept only of tests that did not pass, unless all is asked for.
    #[serde(skip_serializing_if = "Captured::is_empty")]
    pub stdout: Captured,
    /// The same of stderr.
    #[serde(skip_serializing_if = "Captured::is_empty")]
    pub stderr: Captured,
    /// What was written before it by what was set up for it, in order; kept only of tests
    /// that did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setups: Vec<SetupOutput>,
    /// Where its scratch folder was kept, if it was: as text, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scratch: Option<String>,
    /// What it logged for the report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// What it attached to the report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What it tried to reach of files and could not; kept only of tests that did not pass.
    #[serde(skip_serializing_if = "Denials::is_empty")]
    pub denied: Denials,
}

impl TestOutput {
    /// One that has written this to stderr, and left nothing else.
    pub fn of_stderr(stderr: Captured) -> Self {
        TestOutput {
            stderr,
            ..TestOutput::default()
        }
    }

    /// Whether nothing was left.
    pub fn is_empty(&self) -> bool {
        *self == TestOutput::default()
    }

    /// Takes over what a later call handed over for the report and was refused; what it wrote
    /// is another's.
    pub fn take_report(&mut self, later: &mut TestOutput) {
        self.logs.append(&mut later.logs);
        self.attachments.append(&mut later.attachments);
        self.notes.append(&mut later.notes);
        self.denied.append(std::mem::take(&mut later.denied));
        if later.scratch.is_some() {
            self.scratch = later.scratch.take();
        }
    }

    /// Has what was written in another call in place of what is here.
    pub fn set_streams(&mut self, of: TestOutput) {
        (self.stdout, self.stderr) = (of.stdout, of.stderr);
    }
}

/// Something that a test attached to its report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name, which need not be unique.
    pub name: String,
    /// Its media type, as the test gave it.
    pub media_type: String,
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

impl Attachment {
    /// Texts that are no longer are always written as texts, in bytes.
    const SHORT: usize = 256;
    /// What an attachment is written with beside what is in it, in bytes.
    const AROUND: usize = 64;

    /// Its content as text, where it is written so: as it is, and not in base 64. What would
    /// be more escapes than text is not.
    pub fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.content).ok()?;
        let is_short = text.len() <= Self::SHORT;
        (is_short || written(text) <= 2 * text.len()).then_some(text)
    }

    /// How many bytes it becomes in a report.
    pub fn written(&self) -> usize {
        let content = match self.text() {
            Some(text) => written(text),
            None => self.content.len().div_ceil(3) * 4,
        };
        Self::AROUND + written(&self.name) + written(&self.media_type) + content
    }
}
