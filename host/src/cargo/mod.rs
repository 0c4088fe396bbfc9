//! What cargo asks for: it hands us a file that it built, and arguments for the program in it.
//!
//! `runner` takes the call apart and decides by what the file is; `libtest` is the
//! face of a Rust test binary. What a file's program may reach is decided in
//! [`Grants::for_file`] and nowhere else. Nothing in here runs a guest: that
//! is for `primary`.

pub mod libtest;
pub mod runner;

use crate::cli::CargoRunnerArgs;
use std::path::Path;

/// What the program in a file may reach, in the words of `--dir` and `--env`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Folders: `HOST[::GUEST][:ro|:rw]`.
    pub dirs: Vec<String>,
    /// Variables: `NAME[=VALUE]`.
    pub env: Vec<String>,
}

impl Grants {
    /// What is granted to this file's program: what was asked for, and no more.
    pub fn for_file(_file: &Path, args: &CargoRunnerArgs) -> Grants {
        Grants {
            dirs: args.dirs.clone(),
            env: args.env.clone(),
        }
    }
}
