//! Harnesses: how a program's tests are listed, called and judged, a file each.
//!
//! One trait and one table: whoever lists, runs or judges asks the table and knows no harness
//! by name. A new one is a file here and a line of `HARNESSES`.
//!
//! Pure: knows no engine, no process and no file. Questions to a program and looks at files go
//! through closures.

pub mod command;
pub mod doctest;
pub mod evidence;
pub mod hints;
pub mod libtest;
pub mod libtest_like;
pub mod limit;
pub mod listing;
pub mod scan;
pub mod sdk;
pub mod side_files;
pub mod termination;
pub mod told;

use self::evidence::Evidence;
use self::listing::{Answer, ListError, Question};
use crate::event::{Captured, Cause, Format, HarnessName, Outcome};
use crate::grant::CopyGrant;
use crate::protocol::{Benchmarks, Expect, ListedTest, Task};
use std::borrow::Cow;
use std::ops::Range;

/// All harnesses. The first that recognises a file has it: those that know their files by marks
/// stand before those that are told which are theirs, and these before those that take what is left.
static HARNESSES: &[&dyn Harness] = &[
    &libtest::Libtest,
    &sdk::Sdk,
    &doctest::Doctests,
    &libtest_like::LibtestLike,
    &side_files::SideFiles,
    &command::Command,
];

/// How the tests of a file are listed, called and judged.
pub trait Harness: Sync {
    /// Its name, as it travels, is kept and is told.
    fn name(&self) -> HarnessName;

    /// Texts that its files hold in their data, which [`Facts`] shall tell of.
    fn marks(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a file is its own that no harness before it in the table has recognised.
    fn recognises(&self, facts: &Facts) -> bool;

    /// Whether cargo names its files, with a hash at the end that is no part of a module's name.
    fn is_named_by_cargo(&self) -> bool {
        false
    }

    /// A file's tests, where what lies beside the file tells them, so that nothing has to be run;
    /// `None` if the program is to be asked.
    ///
    /// # Errors
    /// For what lies there and makes no sense.
    fn read(&self, beside: Beside<'_>) -> Result<Option<Vec<ListedTest>>, Cause> {
        let _ = beside;
        Ok(None)
    }

    /// Whether what its tests are stands in files beside the program ([`Self::read`]).
    fn reads_beside(&self) -> bool {
        false
    }

    /// A file's tests, asked of the program: the whole dialogue.
    ///
    /// # Errors
    /// If it does not tell.
    fn list(
        &self,
        ask: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<Vec<ListedTest>, ListError>;

    /// Finds out which functions are which tests, so that they can be called past its own start-up,
    /// and notes that with the tests.
    ///
    /// # Errors
    /// Why that cannot be: a sentence's end for the user.
    fn calibrate(
        &self,
        tests: &mut [ListedTest],
        original: &[u8],
        ask: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<(), String> {
        let _ = (tests, original, ask);
        Err("its harness is called in no other way".to_owned())
    }

    /// How one test is called.
    fn invoke<'a>(&self, case: &Case<'a>) -> Invocation<'a>;

    /// How one test ended.
    fn judge(&self, evidence: &Evidence<'_>, case: &Case<'_>) -> Outcome;

    /// Takes the harness's own lines out of what the test of this path wrote to stdout; without an
    /// outcome, of a test that was given up in the middle.
    fn clean(&self, stdout: &mut Captured, path: &str, outcome: Option<&Outcome>) {
        let _ = (stdout, path, outcome);
    }
}

/// Reads the file that is called as the program's but for its ending, which is this; `None` if
/// there is none.
pub type Beside<'a> = &'a mut dyn FnMut(&str) -> Result<Option<Vec<u8>>, Cause>;

/// What a file was found to be, as far as a harness can be told by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// A core module or a component.
    pub format: Format,
    /// Whether there is something to start.
    pub starts: bool,
    /// Whether there are tests of the SDK's in it, whatever else it is.
    pub has_sdk_tests: bool,
    /// Those of [`marks`] that its data hold.
    pub marks: Vec<&'static str>,
    /// The harness that a plain program is taken for, by whoever named the file.
    pub taken_for: HarnessName,
}

impl Facts {
    /// Whether its data hold all of these marks.
    pub fn hold(&self, marks: &[&str]) -> bool {
        marks.iter().all(|mark| self.marks.contains(mark))
    }

    /// Whether this is a plain program that is taken for this harness. One with tests of the
    /// SDK's in it is not one test more.
    pub fn is_program_of(&self, harness: HarnessName) -> bool {
        self.starts && !self.has_sdk_tests && self.taken_for == harness
    }
}

/// A test, as its harness is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub path: &'a str,
    /// The function that it is exported as.
    pub export: Option<&'a str>,
    /// Whether it is marked as ignored, and run all the same.
    pub ignored: bool,
    /// What is done with benchmarks.
    pub benchmarks: Benchmarks,
    /// What has to come of it.
    pub expect: &'a Expect,
    /// What its harness put into [`ListedTest::data`].
    pub data: &'a str,
}

impl<'a> Case<'a> {
    /// The test of a task.
    pub fn of(task: &'a Task, benchmarks: Benchmarks) -> Case<'a> {
        Case {
            path: &task.path,
            export: task.export.as_deref(),
            ignored: task.ignored,
            benchmarks,
            expect: &task.expect,
            data: &task.data,
        }
    }

    /// A call that is no test's, and only has to come back well.
    pub fn plain() -> Case<'static> {
        Case {
            path: "",
            export: None,
            ignored: false,
            benchmarks: Benchmarks::Once,
            expect: &Expect::Pass,
            data: "",
        }
    }
}

/// How a test is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The export to call; without one, the program is started.
    pub export: Option<&'a str>,
    /// The test's function, where it is called past its harness's own start-up.
    pub direct: Option<DirectCall>,
    /// The arguments after `argv[0]`.
    pub args: Vec<Cow<'a, str>>,
    /// Variables beside those that are granted.
    pub env: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Whether `TMPDIR` is among those.
    pub tmp_variable: TmpVariable,
    /// What it reads from stdin.
    pub stdin: Vec<u8>,
    /// Folders of which it gets copies of its own.
    pub copies: Vec<CopyGrant>,
}

/// A test's function, as it is called past its harness's own start-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectCall {
    /// Its place in the table of its module's tests.
    pub place: u32,
    /// The first word of what it gives where all is well.
    pub ok: u32,
    /// The innermost places on its stack if it panics, as offsets in the file: known where it is
    /// to panic.
    pub panics: Vec<u64>,
    /// The function of std's that tells of a panic, and is on the stack meanwhile, in the file.
    pub tells: Range<u64>,
}

/// Whether a test is told of its own folder by a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TmpVariable {
    /// `TMPDIR` names it.
    #[default]
    Set,
    /// It is not: a test that has a list of all of its variables has no other.
    Unset,
}

/// The harness of this name.
///
/// # Panics
/// If there is none. Names come from the table: the processes of a run are one executable, and
/// what is kept of an earlier one is believed only where it [`is_known`].
pub fn of(name: HarnessName) -> &'static dyn Harness {
    let harness = HARNESSES.iter().find(|h| h.name() == name);
    *harness.expect("every name of a harness is one of the table")
}

/// Whether there is a harness of this name.
pub fn is_known(name: HarnessName) -> bool {
    HARNESSES.iter().any(|h| h.name() == name)
}

/// The marks of all harnesses.
pub fn marks() -> impl Iterator<Item = &'static str> {
    HARNESSES.iter().flat_map(|h| h.marks()).copied()
}

/// How a file runs when it is started; `None` if there is nothing to start.
pub fn recognise(facts: &Facts) -> Option<HarnessName> {
    let mut harnesses = HARNESSES.iter();
    harnesses.find(|h| h.recognises(facts)).map(|h| h.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_harness_is_found_by_its_name_and_no_two_have_one() {
        for harness in HARNESSES {
            assert_eq!(of(harness.name()).name(), harness.name());
            let same = HARNESSES.iter().filter(|h| h.name() == harness.name());
            assert_eq!(same.count(), 1, "{}", harness.name());
        }
        assert!(!is_known(HarnessName::new("nobody's")));
    }

    #[test]
    fn a_file_is_told_by_its_marks_and_a_plain_program_by_who_named_it() {
        let facts = |starts, marks: &[&'static str], taken_for| Facts {
            format: Format::Core,
            starts,
            has_sdk_tests: false,
            marks: marks.to_vec(),
            taken_for,
        };
        let marks = of(libtest::NAME).marks();
        for taken_for in [command::NAME, libtest_like::NAME] {
            let found = |starts, marks| recognise(&facts(starts, marks, taken_for));
            assert_eq!(found(true, marks), Some(libtest::NAME));
            assert_eq!(found(true, &marks[1..]), Some(taken_for));
            assert_eq!(found(false, marks), None);
        }
        let mixed = Facts {
            has_sdk_tests: true,
            ..facts(true, &[], command::NAME)
        };
        assert_eq!(recognise(&mixed), None);
    }
}
