//! What a guest may reach, as data: folders and variables, and what may never be granted.
//!
//! [`folders`] reads `--dir`, [`package`] says what the tests of cargo's packages are granted and
//! [`variables`] which variables, [`protected`] what nobody is, [`preopens`] which folders a guest
//! then finds and which of two of one name, [`advice`] what is said of an attempt at another,
//! [`libc`] how guests see names.
//! Here it is decided and named, and nothing is opened; `sandbox` opens, and enforces.

pub mod advice;
pub mod folders;
pub mod libc;
pub mod package;
pub mod preopens;
pub mod protected;
pub mod variables;

use crate::cli::UsageError;
use crate::config::ConfigError;
use crate::paths::path_bytes;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a user has asked for makes no sense, wherever it was asked.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// By a flag, or by the variable in its place.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// In a file.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Where a test finds its scratch folder.
pub const SCRATCH: &str = "/tmp";

/// Whether a program has an empty folder of its own at `/tmp`, which goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tmp {
    /// It has none.
    Absent,
    /// It has one, and `TMPDIR` names it unless that is there already.
    Own,
}

/// A folder of the host that guests may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirGrant {
    /// The folder, canonical.
    #[serde(with = "path_bytes")]
    pub host: PathBuf,
    /// Its names in the guest.
    pub guest: Vec<String>,
    /// What may be done in it.
    pub access: Access,
}

/// A folder of which a test gets a copy of its own, to read and to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyGrant {
    /// The folder, from the one that its module's file lies in; it cannot lead out of that.
    pub path: String,
    /// Its name in the guest.
    pub guest: String,
}

/// What the tests of one module may reach beside what the run grants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleGrants {
    /// Folders; one of the run's wins where both have a name.
    pub dirs: Vec<DirGrant>,
    /// Variables; one of the run's wins where both have a name.
    pub env: Vec<(String, String)>,
}

/// What a grant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
    /// None but for lookups of sources: the one name is how `file!()` begins in them.
    Sources,
}

/// By which flag the person who runs the tests can grant more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HowToGrant {
    /// `--dir FOLDER`, or `--dir FOLDER:rw`.
    #[default]
    Dir,
    /// `--rw FOLDER`, for what may be read already.
    Rw,
}
