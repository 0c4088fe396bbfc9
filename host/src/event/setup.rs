//! What was written before a test by what was set up for it.

use super::Captured;
use serde::{Deserialize, Serialize};

/// What a setup, a fixture or a `before` wrote that a test began after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupOutput {
    /// The path of the function, by which two are told apart.
    pub path: String,
    /// Its name for people: the suite's or the fixture's; of a `before`, the function's.
    pub of: String,
    pub kind: SetupKind,
    /// Where it was run.
    pub run: SetupRun,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
}

/// What is run before a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetupKind {
    /// The setup of a suite.
    Setup,
    Fixture,
    /// A hook before each test.
    Before,
}

/// Where that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetupRun {
    /// In the test's own instance.
    Here,
    /// In another instance, whose state the test began from.
    Replayed,
    /// In the process in which shared fixtures stand, once for all tests.
    Shared,
}

impl SetupOutput {
    /// How much is kept of all that was written before one test, in bytes: of what comes
    /// after that it is only counted.
    const MOST: usize = 4 << 20;

    /// Adds it to those that are kept for a test, in place of what the same function wrote
    /// before; leaves it out if it wrote nothing.
    pub fn keep(self, kept: &mut Vec<SetupOutput>) {
        kept.retain(|other| other.path != self.path);
        let size = |s: &SetupOutput| s.stdout.size() + s.stderr.size();
        let all: usize = kept.iter().map(size).sum();
        let fits = all + size(&self) <= SetupOutput::MOST;
        let SetupOutput { stdout, stderr, .. } = &self;
        if stdout.is_empty() && stderr.is_empty() {
            return;
        }
        kept.push(match fits {
            true => self,
            false => SetupOutput {
                stdout: stdout.counted(),
                stderr: stderr.counted(),
                ..self
            },
        });
    }

    /// A line that says whose output follows.
    pub fn heading(&self) -> String {
        let of = &self.of;
        let who = match self.kind {
            SetupKind::Setup => format!("the setup of `{of}`"),
            SetupKind::Fixture => format!("the fixture `{of}`"),
            SetupKind::Before => format!("`{of}`, before the test,"),
        };
        let when = match self.run {
            SetupRun::Here => "",
            SetupRun::Replayed => " when it ran (here it was replayed)",
            SetupRun::Shared => " when it was set up for all tests",
        };
        format!("{who} wrote{when}:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote(path: &str, bytes: usize) -> SetupOutput {
        SetupOutput {
            path: path.to_owned(),
            of: path.to_owned(),
            kind: SetupKind::Fixture,
            run: SetupRun::Here,
            stdout: Captured {
                head: vec![b'x'; bytes],
                ..Captured::default()
            },
            stderr: Captured::default(),
        }
    }

    #[test]
    fn what_a_function_wrote_last_is_kept_and_nothing_of_who_wrote_nothing() {
        let mut kept = Vec::new();
        for (path, bytes) in [("a", 1), ("b", 2), ("a", 3), ("c", 0), ("b", 0)] {
            wrote(path, bytes).keep(&mut kept);
        }
        assert_eq!(kept, [wrote("a", 3)]);
    }

    #[test]
    fn of_too_much_the_rest_is_counted() {
        let mut kept = Vec::new();
        wrote("a", SetupOutput::MOST - 1).keep(&mut kept);
        wrote("b", 2).keep(&mut kept);
        wrote("c", 1).keep(&mut kept);
        assert_eq!(kept[0].stdout.dropped, 0);
        assert_eq!(kept[1].stdout.text().trim(), "[2 bytes left out]");
        assert_eq!(kept[2], wrote("c", 1));
    }
}
