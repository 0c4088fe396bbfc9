//! What one call into a guest is given.

use super::capture::Stream;
use super::told::Tells;
use crate::grant::{CopyGrant, DirGrant};
use crate::harness::TmpVariable;
use crate::protocol::{FixtureNumber, GuestLimits, ModuleNumber};
use std::path::Path;
use std::time::Duration;

/// What a call into a guest is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestAccess {
    /// What the run grants, what this module is granted beside it, and a scratch folder.
    Granted(ModuleNumber),
    /// The same to read, and nothing to write to: for a list that is made of files.
    Readable(ModuleNumber),
    /// Nothing: for listing.
    Closed,
}

/// What is called in a program.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// Its start: `_start`, or a component's `wasi:cli/run`.
    Start,
    /// One of the SDK's tests.
    Export {
        /// The export's name.
        name: &'a str,
    },
    /// Its start, in which one of libtest's tests is called.
    Direct {
        /// The function's place in the table.
        place: u32,
    },
}

/// How a call is to be made.
pub struct Call<'a> {
    /// The test's id, which it may ask for.
    pub test_id: &'a str,
    /// How much memory it may use, in bytes.
    pub max_memory: Option<u64>,
    /// What it may reach.
    pub reach: GuestAccess,
    /// The host fixtures that it is bound to, for what it may reach beside that.
    pub fixtures: &'a [FixtureNumber],
    /// All arguments, `argv[0]` included.
    pub args: &'a [&'a str],
    /// Environment beside what is granted.
    pub env: &'a [(&'a str, &'a str)],
    /// When it is stopped.
    pub timeout: Duration,
    /// Its stdout and stderr.
    pub streams: (Stream, Stream),
    /// What its test brings along.
    pub own: Own<'a>,
    /// By what it is known that std tells of a panic, where the message has to be known.
    pub tells: Option<Tells>,
}

impl Call<'_> {
    /// Whether it brings this variable along.
    pub(super) fn brings(&self, variable: &str) -> bool {
        self.env.iter().any(|(name, _)| *name == variable)
    }
}

/// What a test brings along beside what is granted; by default, nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own<'a> {
    /// What it reads from stdin.
    pub stdin: &'a [u8],
    /// Whether it is told of its own folder by a variable.
    pub tmp_variable: TmpVariable,
    /// Folders of which it gets copies.
    pub copies: &'a [CopyGrant],
    /// The folder that those lie below.
    pub copies_from: Option<&'a Path>,
}

/// What a program is given.
pub struct SingleRun<'a> {
    /// All arguments, `argv[0]` included.
    pub args: &'a [String],
    /// The whole environment.
    pub env: &'a [(String, String)],
    pub dirs: &'a [DirGrant],
    /// The folder that is its `/tmp`.
    pub scratch: Option<&'a Path>,
    /// When it is stopped.
    pub limit: Option<Duration>,
    /// Where its stdout and stderr are kept, if they are not this process's. Then what is
    /// refused to it is noted, too, as for a test of cargo's.
    pub kept: Option<&'a (Stream, Stream)>,
    /// How much it may take.
    pub limits: GuestLimits,
    /// Where all that the user has lies, as it is set.
    pub home_dir: Option<&'a Path>,
}
