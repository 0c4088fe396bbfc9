//! A binary of doctests that rustdoc has merged: each in an instance of its own, told as libtest tells it.
//!
//! rustdoc calls it once, without arguments; those of the user are built into it. Which
//! doctests it has stands in the source beside it. If that has another shape than the
//! one that is known, the whole binary is one test, and that is said.

use super::{RunnerCall, libtest};
use crate::cli::CargoRunnerArgs;
use crate::event::{Captured, Frame, Outcome, TestEnd};
use crate::exec::{self, Ended};
use crate::exit::LIBTEST_FAILED;
use crate::harness::doctest::{self, read_runner, relocate};
use crate::harness::termination::Termination;
use crate::report::libtest::sections;
use crate::runner;
use crate::text::{self, MARK, tell};
use std::ffi::OsString;
use std::path::Path;

/// What lies beside a merged binary.
#[derive(Default)]
pub(super) struct Sources {
    runner: String,
    /// Its name, and what it holds.
    bundle: (String, String),
    /// Whether rustdoc has left anything there.
    are_any: bool,
}

/// Whether rustdoc has made this file: the name that it gives all of its programs.
pub(super) fn is_rustdocs(file: &Path) -> bool {
    file.file_stem().is_some_and(|name| name == "rust_out")
}

/// The sources beside a file that rustdoc has made: none, if it has not merged it, or is another
/// rustdoc than is known.
pub(super) fn beside(file: &Path) -> Sources {
    let mut sources = Sources::default();
    let Some(folder) = file.parent() else {
        return sources;
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|e| file.file_name() != Some(&e.file_name())) {
        sources.are_any = true;
        let name = entry.file_name();
        let Some(edition) = name.to_str().and_then(doctest::edition_of) else {
            continue;
        };
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let bundle = doctest::bundle(edition);
        sources.runner = read(&doctest::runner(edition));
        sources.bundle = (bundle.clone(), read(&bundle));
    }
    sources
}

/// Runs its doctests; gives the exit code.
pub(super) fn run(
    call: &RunnerCall<'_>,
    rest: &[OsString],
    own: &CargoRunnerArgs,
    sources: &Sources,
) -> u8 {
    let bundle = match read_runner(&sources.runner) {
        Ok(bundle) => bundle,
        Err(why) => {
            // marked where `cargo wasmtest` reads it
            let mark = runner::marks(own).map_or("", |_| MARK);
            tell(&format!(
                "{mark}note: {}: {why}; this rustdoc is not known here, so its merged doctests are run as one test: a newer wasmtest may know it",
                text::one_line(&call.file.display().to_string())
            ));
            return one_test(call, own, sources.are_any);
        }
    };
    let mut file = call.test_file();
    let listed = bundle.doctests.iter().enumerate();
    file.listed = Some(listed.map(|(number, d)| d.listed(number)).collect());
    let mut args: Vec<OsString> = bundle.args.iter().map(OsString::from).collect();
    args.extend(rest.iter().cloned());
    let places = Places {
        bundle: &sources.bundle.0,
        sources: doctest::Sources::new(
            &sources.bundle.1,
            &bundle.doctests,
            // rustdoc names files from the workspace's folder
            [&call.caller.workspace, &call.caller.here],
        ),
    };
    libtest::run_mapped(call, file, &args, own, &|end| places.mapped(end))
}

/// The binary as it is, which runs all of its doctests in one instance: what it prints
/// and how it ends is the result. It comes back if all have passed: one of them that exits
/// takes those along that come after it.
fn one_test(call: &RunnerCall<'_>, own: &CargoRunnerArgs, is_merged: bool) -> u8 {
    const NAME: &str = "all merged doctests, as one test";
    let is_read = is_merged && runner::marks(own).is_some();
    if is_read {
        print!("{}", sections::running(1, None));
    }
    let ran = call.exec(own).map_err(Into::into);
    let passed = match ran.and_then(|exec| exec::run(&exec)) {
        Ok(Ended { code: 0, ending }) => {
            let came_back = ending == Termination::Returned;
            if !came_back {
                tell(&format!(
                    "{MARK}a doctest has left by `exit(0)`: those that come after it were not run"
                ));
            }
            came_back
        }
        Ok(_) => false,
        Err(e) => {
            tell(&format!(
                "{MARK}error: {}",
                text::one_line(&format!("{e:#}"))
            ));
            false
        }
    };
    if is_read {
        // in the shape of whatever else is read there
        let (word, passes) = if passed {
            ("ok", 1)
        } else {
            ("LIBTEST_FAILED", 0)
        };
        println!("test {NAME} ... {word}");
        println!(
            "\ntest result: {word}. {passes} passed; {} failed; 0 ignored; 0 measured; 0 filtered out\n",
            1 - passes
        );
    }
    if passed { 0 } else { LIBTEST_FAILED }
}

/// Tells places in the merged source as places in the sources.
struct Places<'a> {
    bundle: &'a str,
    sources: doctest::Sources<'a>,
}

impl Places<'_> {
    fn text(&self, text: &str) -> String {
        relocate(text, self.bundle, |line| self.sources.place(line))
    }

    fn captured(&self, captured: &mut Captured) {
        for bytes in [&mut captured.head, &mut captured.tail] {
            // a byte that is no text, or half a character at a cut, takes no place away
            let text = String::from_utf8_lossy(bytes);
            if text.contains(self.bundle) {
                *bytes = self.text(&text).into_bytes();
            }
        }
    }

    fn mapped(&self, end: &TestEnd) -> TestEnd {
        let mut end = end.clone();
        self.captured(&mut end.output.stdout);
        self.captured(&mut end.output.stderr);
        if let Outcome::Failed(cause)
        | Outcome::Errored(cause)
        | Outcome::OutOfMemory(cause)
        | Outcome::TimedOut(cause)
        | Outcome::Crashed(cause) = &mut end.outcome
        {
            cause.message = self.text(&cause.message);
            cause.frames.retain_mut(|frame| match frame {
                // rustdoc's own `main` around the doctest's lines tells nothing more
                Frame::Function { name, .. } => match doctest::own_name(name) {
                    Some("main") => false,
                    Some(own) => {
                        *name = own.to_owned();
                        true
                    }
                    None => true,
                },
                Frame::Others(_) | Frame::Repeated { .. } | Frame::Folded { .. } => true,
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
