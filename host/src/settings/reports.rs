//! `--report KIND=FILE`, and all that a run's reporters are told of its settings.
//!
//! Opens nothing: which kinds there are, and what can be opened, `report` knows.

use super::{Settings, Verbosity};
use crate::cli::{MessageFormat, UsageError, usage};
use crate::grant::{Access, DirGrant};
use crate::harness;
use crate::protocol::Outputs;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A report that is written to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFile {
    /// Its kind's name.
    pub kind: String,
    pub file: PathBuf,
}

impl fmt::Display for ReportFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.file.display())
    }
}

/// What a run's reporters are told of its settings.
#[derive(Clone, Copy, Debug)]
pub struct Reporting<'a> {
    /// What is printed on stdout.
    pub message_format: MessageFormat,
    /// How much is said there.
    pub verbosity: Verbosity,
    /// Whether to use colour there.
    pub color: bool,
    /// Whether a person watches: a bar may move.
    pub progress: bool,
    /// Whether what tests wrote that passed is shown.
    pub show_passed: bool,
    /// Reports beside that.
    pub files: &'a [ReportFile],
}

impl Settings {
    /// What its reporters are told.
    pub fn reporting(&self) -> Reporting<'_> {
        Reporting {
            message_format: self.message_format,
            verbosity: self.verbosity,
            color: self.color,
            progress: self.progress,
            show_passed: self.outputs == Outputs::All,
            files: &self.reports,
        }
    }

    /// What a guest could write is no report, nor is what the run reads.
    ///
    /// # Errors
    /// For a report in a folder that is granted for writing, or in place of what is read.
    pub(super) fn refuse_reports(&self) -> Result<(), UsageError> {
        for report in &self.reports {
            let file = report.resolved();
            if let Some(what) = self.input(&file) {
                return usage(
                    FLAG,
                    format!("`{report}` is {what}, which would be lost; choose another file"),
                );
            }
            let writes = |grant: &&DirGrant| grant.access == Access::ReadWrite;
            let has_other_names = || {
                let there = std::fs::metadata(&file);
                there.is_ok_and(|meta| meta.is_file() && meta.nlink() > 1)
            };
            if self.granted().iter().any(writes) && has_other_names() {
                return usage(
                    FLAG,
                    format!(
                        "`{report}` has other names (hard links), and tests may write to a folder that can hold one; choose another file"
                    ),
                );
            }
            let is_writable = |grant: &&&DirGrant| {
                grant.access == Access::ReadWrite && file.starts_with(&grant.host)
            };
            if let Some(grant) = self.granted().iter().find(is_writable) {
                return usage(
                    FLAG,
                    format!(
                        "`{report}` would lie in {}, which tests may write to; choose another place",
                        grant.host.display()
                    ),
                );
            }
        }
        Ok(())
    }

    /// What the run reads, or keeps, in this file.
    fn input(&self, file: &Path) -> Option<&'static str> {
        let head = || {
            let mut head = [0; 4];
            File::open(file)?.read_exact(&mut head)?;
            std::io::Result::Ok(head)
        };
        let cache = &self.selection.cache_root.dir;
        let cache = cache.canonicalize().unwrap_or_else(|_| cache.clone());
        let config = self.config.file.as_ref();
        if file.is_file() && head().is_ok_and(|head| head == *b"\0asm") {
            Some("a WebAssembly module")
        } else if config.is_some_and(|config| config.canonicalize().is_ok_and(|c| c == file)) {
            Some("the configuration")
        } else if file.starts_with(&cache) {
            Some("in the cache of compiled modules")
        } else if harness::of(self.selection.unmarked).reads_beside()
            && file.with_extension("wasm").is_file()
        {
            Some("beside a module and of its name, as its side file is")
        } else {
            None
        }
    }
}

const FLAG: &str = "--report";

/// What `--report` asks for.
///
/// # Errors
/// For the first that is not `KIND=FILE`, or whose file is stdout.
pub fn report_files(texts: &[OsString]) -> Result<Vec<ReportFile>, UsageError> {
    texts.iter().map(|text| report_file(text)).collect()
}

fn report_file(text: &OsStr) -> Result<ReportFile, UsageError> {
    let shown = text.to_string_lossy();
    let Some(at) = text.as_bytes().iter().position(|b| *b == b'=') else {
        return usage(FLAG, format!("`{shown}` is not KIND=FILE"));
    };
    let (kind, file) = (&text.as_bytes()[..at], &text.as_bytes()[at + 1..]);
    let file = PathBuf::from(OsStr::from_bytes(file));
    match file.to_str() {
        Some("") => usage(
            FLAG,
            format!("`{shown}` names no file: it is not KIND=FILE"),
        ),
        Some("-") => usage(
            FLAG,
            format!(
                "`{shown}`: stdout has the results anyway (--message-format says how); name a file"
            ),
        ),
        _ => Ok(ReportFile {
            kind: String::from_utf8_lossy(kind).into_owned(),
            file,
        }),
    }
}

impl ReportFile {
    /// Where it is or will be, links followed.
    pub fn resolved(&self) -> PathBuf {
        resolved(&self.file, LINKS)
    }
}

/// More links than this lead nowhere.
const LINKS: usize = 40;

fn resolved(file: &Path, links: usize) -> PathBuf {
    if let Ok(there) = file.canonicalize() {
        return there;
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // one that leads to what is not there yet
    if let (Ok(to), Some(left)) = (file.read_link(), links.checked_sub(1)) {
        return resolved(&folder.join(to), left);
    }
    match (folder.canonicalize(), file.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_kind_and_a_file() {
        let read = |text: &str| report_file(OsStr::new(text));
        let report = read("json=a=b.json").expect("valid");
        assert_eq!(report.kind, "json");
        assert_eq!(report.file, Path::new("a=b.json"));
        for bad in ["json", "json=", "json=-", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_file_is_known_by_all_of_its_names() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("there");
        let expected = root.join("new");
        std::os::unix::fs::symlink("new", root.join("link")).expect("made");
        std::fs::create_dir(root.join("folder")).expect("made");
        for name in ["new", "link", "folder/../new", "./new"] {
            assert_eq!(resolved(&root.join(name), LINKS), expected, "{name}");
        }
    }
}
