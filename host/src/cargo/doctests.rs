//! A binary of doctests that rustdoc has merged: each in an instance of its own, told as libtest tells it.
//!
//! rustdoc calls it once, without arguments; those of the user are built into it. Which
//! doctests it has stands in the source beside it. If that has another shape than the
//! one that is known, the whole binary is one test, and that is said.

use super::libtest;
use super::runner::{Call, FAILED};
use crate::cli::CargoRunnerArgs;
use crate::event::{Captured, Frame, Outcome, TestEnd};
use crate::module::doctest::{BUNDLE, Bundle, Doctest, RUNNER, read_runner, relocate, source_of};
use crate::report::text::{Escaped, tell};
use std::ffi::OsString;
use std::path::Path;

/// What lies beside a merged binary.
pub(super) struct Sources {
    runner: String,
    bundle: String,
}

/// Whether rustdoc has made this file: the name that it gives all of its programs.
pub(super) fn is_rustdocs(file: &Path) -> bool {
    file.file_stem().is_some_and(|name| name == "rust_out")
}

/// The sources beside a file that rustdoc has merged, if it is one.
pub(super) fn beside(file: &Path) -> Option<Sources> {
    let folder = file.parent().filter(|_| is_rustdocs(file))?;
    let runner = std::fs::read_to_string(folder.join(RUNNER)).ok()?;
    let bundle = std::fs::read_to_string(folder.join(BUNDLE)).unwrap_or_default();
    Some(Sources { runner, bundle })
}

/// Runs its doctests; gives the exit code.
pub(super) fn run(
    call: &Call<'_>,
    rest: &[OsString],
    own: &CargoRunnerArgs,
    sources: &Sources,
) -> u8 {
    let bundle = match read_runner(&sources.runner) {
        Ok(bundle) => bundle,
        Err(why) => {
            tell(&format!(
                "note: {}: {why}; this rustdoc is not known here, so its merged doctests are run as one test: a newer wasmtest may know it",
                Escaped(&call.file.display().to_string())
            ));
            return one_test(call, own);
        }
    };
    let mut file = call.test_file();
    let listed = bundle.doctests.iter().enumerate();
    file.listed = Some(listed.map(|(number, d)| d.listed(number)).collect());
    let mut args: Vec<OsString> = bundle.args.iter().map(OsString::from).collect();
    args.extend(rest.iter().cloned());
    let places = Places {
        bundle: &bundle,
        text: &sources.bundle,
        // rustdoc names files from the workspace's folder
        folders: [&call.caller.workspace, &call.caller.here],
    };
    libtest::run_retold(&file, &args, own, &|end| places.retold(end))
}

/// The binary as it is, which runs all of its doctests in one instance: what it prints
/// and how it ends is the result.
fn one_test(call: &Call<'_>, own: &CargoRunnerArgs) -> u8 {
    match call
        .exec(own)
        .map_err(Into::into)
        .and_then(|exec| crate::exec::run(&exec))
    {
        Ok(0) => 0,
        Ok(_) => FAILED,
        Err(e) => {
            tell(&format!("error: {}", Escaped(&format!("{e:#}"))));
            FAILED
        }
    }
}

/// Tells places in the merged source as places in the sources.
struct Places<'a> {
    bundle: &'a Bundle,
    text: &'a str,
    folders: [&'a Path; 2],
}

impl Places<'_> {
    fn text(&self, text: &str) -> String {
        let doctests: &[Doctest] = &self.bundle.doctests;
        relocate(text, |line| {
            source_of(self.text, doctests, &self.folders, line)
        })
    }

    fn captured(&self, captured: &mut Captured) {
        for bytes in [&mut captured.head, &mut captured.tail] {
            if let Ok(text) = std::str::from_utf8(bytes)
                && text.contains(BUNDLE)
            {
                *bytes = self.text(text).into_bytes();
            }
        }
    }

    fn retold(&self, end: &TestEnd) -> TestEnd {
        let mut end = end.clone();
        self.captured(&mut end.stdout);
        self.captured(&mut end.stderr);
        if let Outcome::Failed(cause)
        | Outcome::Errored(cause)
        | Outcome::OutOfMemory(cause)
        | Outcome::TimedOut(cause)
        | Outcome::Crashed(cause) = &mut end.outcome
        {
            cause.message = self.text(&cause.message);
            cause.frames.retain_mut(|frame| match frame {
                // rustdoc's own `main` around the doctest's lines tells nothing more
                Frame::Function { name, .. } => match own_name(name) {
                    Some("main") => false,
                    Some(own) => {
                        *name = own.to_owned();
                        true
                    }
                    None => true,
                },
                Frame::Repeated { .. } | Frame::Folded { .. } => true,
            });
            for frame in &mut cause.frames {
                if let Frame::Function {
                    location: Some(location),
                    ..
                } = frame
                {
                    *location = self.text(location);
                }
            }
        }
        end
    }
}

/// A function's name in its doctest.
fn own_name(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("doctest_bundle_2024::__doctest_")?;
    Some(rest.split_once("::")?.1)
}
