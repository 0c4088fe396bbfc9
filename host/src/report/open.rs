//! Opens all reports of a run: the one on stdout, and those that have files.
//!
//! Takes what was asked for, gives a set that is itself a reporter. Nothing is opened
//! before all of it is known to make sense; no file is emptied before all are open.

use super::libtest::{self, LibtestReporter};
use super::{KINDS, Notes, Options, ReportKind, Reporter, console, json};
use crate::cli::{MessageFormat, UsageError, usage};
use crate::event::Event;
use crate::settings::{ReportFile, Reporting, Verbosity};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

/// What is written to stdout.
pub enum Stdout<'a> {
    /// What `--message-format` says.
    AsAsked,
    /// What a libtest binary writes.
    Libtest(libtest::Options<'a>),
}

/// All reporters of a run.
pub struct Reporters<'a>(Vec<Opened<'a>>);

/// A reporter, and what it writes, for people.
struct Opened<'a> {
    what: String,
    reporter: Box<dyn Reporter + 'a>,
}

impl Reporter for Reporters<'_> {
    fn event(&mut self, event: &Event) {
        for opened in &mut self.0 {
            opened.reporter.event(event);
        }
    }

    /// Every report that could not be written, by its name.
    fn result(&mut self) -> io::Result<()> {
        let failed = |opened: &mut Opened<'_>| {
            let error = opened.reporter.result().err()?;
            Some(format!("{} cannot be written: {error}", opened.what))
        };
        let failed: Vec<String> = self.0.iter_mut().filter_map(failed).collect();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(io::Error::other(failed.join("; "))),
        }
    }

    fn is_good(&self) -> bool {
        self.0.iter().all(|opened| opened.reporter.is_good())
    }
}

/// Opens all that was asked for.
///
/// # Errors
/// As [`check`], and for a file that cannot be made or is another report's.
pub fn open<'a>(asked: &Reporting<'_>, stdout: Stdout<'a>) -> Result<Reporters<'a>, UsageError> {
    let files = open_files(asked.files)?;
    let on_stdout = Options {
        verbosity: asked.verbosity,
        color: asked.color,
        progress: asked.progress,
        show_passed: asked.show_passed,
        notes: Notes::OnStderr,
    };
    let out = Box::new(BufWriter::new(io::stdout()));
    let main: Box<dyn Reporter + 'a> = match (stdout, asked.message_format) {
        (Stdout::Libtest(options), _) => Box::new(LibtestReporter::new(out, options)),
        (Stdout::AsAsked, MessageFormat::Human) => (console::KIND.open)(out, &on_stdout),
        (Stdout::AsAsked, MessageFormat::Json) => (json::KIND.open)(out, &on_stdout),
    };
    let mut all = vec![Opened {
        what: "the results".to_owned(),
        reporter: main,
    }];
    let in_a_file = Options {
        verbosity: Verbosity::Verbose,
        color: false,
        progress: false,
        notes: Notes::Nowhere,
        ..on_stdout
    };
    for (report, kind, file) in files {
        all.push(Opened {
            what: format!("the report {report}"),
            reporter: (kind.open)(Box::new(file), &in_a_file),
        });
    }
    Ok(Reporters(all))
}

/// Whether reports can be made as they were asked for, as far as that can be told without
/// making one.
///
/// # Errors
/// For the first that cannot.
pub fn check(files: &[ReportFile]) -> Result<(), UsageError> {
    for (at, report) in files.iter().enumerate() {
        kind(report)?;
        let file = report.resolved();
        if file.parent().is_some_and(|folder| !folder.is_dir()) {
            return usage(
                FLAG,
                format!("`{report}` cannot be made: its folder is not there"),
            );
        }
        // what goes to a device is mixed with nothing: none is kept there
        let is_device = fs::metadata(&file).is_ok_and(|meta| meta.file_type().is_char_device());
        let same = |other: &&ReportFile| !is_device && other.resolved() == file;
        if let Some(other) = files[..at].iter().find(same) {
            return twice(other, report);
        }
    }
    Ok(())
}

const FLAG: &str = "--report";

fn kind(report: &ReportFile) -> Result<&'static ReportKind, UsageError> {
    match KINDS.iter().find(|kind| kind.name == report.kind) {
        Some(kind) => Ok(kind),
        None => {
            let known: Vec<String> = KINDS.iter().map(|k| format!("`{}`", k.name)).collect();
            let known = known.join(" and ");
            usage(
                FLAG,
                format!(
                    "`{report}`: there is no kind `{}`; there are {known}",
                    report.kind
                ),
            )
        }
    }
}

fn twice<T>(one: &ReportFile, other: &ReportFile) -> Result<T, UsageError> {
    usage(
        FLAG,
        format!("`{one}` and `{other}` are one file: each report needs its own"),
    )
}

/// Opens files, and only then empties them: what is refused loses nothing, and leaves nothing new.
fn open_files(
    reports: &[ReportFile],
) -> Result<Vec<(&ReportFile, &'static ReportKind, File)>, UsageError> {
    let is_there = |report: &&ReportFile| report.file.symlink_metadata().is_ok();
    let new: Vec<&ReportFile> = reports.iter().filter(|r| !is_there(r)).collect();
    open_all(reports).inspect_err(|_| {
        for report in new {
            let _ = fs::remove_file(&report.file);
        }
    })
}

fn open_all(
    reports: &[ReportFile],
) -> Result<Vec<(&ReportFile, &'static ReportKind, File)>, UsageError> {
    check(reports)?;
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    let stdout = stdout.and_then(|file| file.metadata()).ok();
    let mut opened: Vec<(&ReportFile, &ReportKind, File, Metadata)> = Vec::new();
    for report in reports {
        let cannot = |e: io::Error| UsageError {
            flag: FLAG,
            why: format!("`{report}` cannot be made: {e}"),
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&report.file)
            .map_err(cannot)?;
        let meta = file.metadata().map_err(cannot)?;
        // whatever it was called: by a link, by a device's name
        let is_device = meta.file_type().is_char_device() && !file.is_terminal();
        let is_same =
            |other: &Metadata| !is_device && (other.dev(), other.ino()) == (meta.dev(), meta.ino());
        if stdout.as_ref().is_some_and(is_same) {
            return usage(
                FLAG,
                format!(
                    "`{report}` is stdout, where the results are written anyway (--message-format says how)"
                ),
            );
        }
        if let Some((other, ..)) = opened.iter().find(|(.., other)| is_same(other)) {
            return twice(other, report);
        }
        opened.push((report, kind(report)?, file, meta));
    }
    for (report, _, file, meta) in &opened {
        if meta.is_file() {
            file.set_len(0).map_err(|e| UsageError {
                flag: FLAG,
                why: format!("`{report}` cannot be made: {e}"),
            })?;
        }
    }
    Ok(opened
        .into_iter()
        .map(|(report, kind, file, _)| (report, kind, file))
        .collect())
}
