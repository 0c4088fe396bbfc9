//! How a program is asked for its tests: questions that a harness puts, and the answers it gets.
//!
//! Whoever asks in a harness's place runs the program; a harness knows neither how nor where.
//! Whether an answer hangs on more than the program is noticed by whoever asks: no harness can
//! forget it.

use super::termination::Termination;
use crate::event::{Captured, Cause, HarnessName};
use crate::protocol::{ListedTest, Listing};
use std::collections::HashMap;
use std::time::Duration;

/// No honest test has a longer name, and every name costs memory several times over.
const MAX_NAME: usize = 4 << 10;
/// The longest text that is told of a test: nobody's whole answer is longer, in bytes.
const MAX_TEXT: usize = 64 << 20;

/// One call of a program for its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The arguments after `argv[0]`.
    pub args: &'a [&'a str],
    /// What has to be in the environment of this call alone.
    pub env: &'a [(&'a str, &'a str)],
    /// What the program may reach.
    pub access: ListAccess,
    /// How long it is waited for, where that is less than the user allows.
    pub at_most: Option<Duration>,
    /// How much of its stdout is kept, in bytes.
    pub longest: usize,
    /// What stands in for functions of its own.
    pub stand_ins: Option<StandIns<'a>>,
}

/// Functions of the host in the place of some of a program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandIns<'a> {
    /// Where in the table of its tests.
    pub places: &'a [u32],
    /// What each does.
    pub does: StandIn,
    /// Words of its memory that are others from the beginning: the address and the value of each.
    pub words: &'a [(u32, u32)],
}

/// What stands in for a test's function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// One that calls the function and notes the first word of what that gives.
    Around,
    /// One that gives this word, and calls nothing.
    Giving(u32),
}

/// A call of a stand-in that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stood {
    /// Its place in the table.
    pub place: u32,
    /// The first word of what was given.
    pub gave: u32,
}

impl Question<'_> {
    /// One without arguments, in a closed sandbox, with so much room for the answer.
    pub fn closed(longest: usize) -> Self {
        Question {
            args: &[],
            env: &[],
            access: ListAccess::Closed,
            at_most: None,
            longest,
            stand_ins: None,
        }
    }
}

/// What a program may reach that is asked for its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListAccess {
    /// Nothing.
    Closed,
    /// What its tests may reach, for reading alone: it may make its list of files.
    Readable,
}

/// How such a call came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub ending: Termination,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
    /// What is said of its end, if it neither returned nor exited.
    pub died: Option<Cause>,
    /// The stand-ins that it called, in order.
    pub called: Vec<Stood>,
    /// Where it was when it trapped, innermost first, as offsets in the file.
    pub stack: Vec<u64>,
    /// Where it was when std began to tell of a panic last.
    pub told_at: Vec<u64>,
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListError {
    pub cause: Cause,
    /// What the program wrote to stderr.
    pub stderr: Box<Captured>,
}

impl ListError {
    /// One for which the program's stderr tells nothing more.
    pub fn new(cause: Cause) -> ListError {
        ListError {
            cause,
            stderr: Box::default(),
        }
    }
}

/// Leaves each test in a list once, the first of those that have a name; gives the names that
/// stood there more often, and how often.
pub fn once_each(tests: &mut Vec<ListedTest>) -> Vec<(String, usize)> {
    let mut times: HashMap<String, usize> = HashMap::with_capacity(tests.len());
    let mut again = Vec::new();
    tests.retain(|test| {
        let times = times.entry(test.path.clone()).or_default();
        *times += 1;
        if *times == 2 {
            again.push(test.path.clone());
        }
        *times == 1
    });
    let named = again.into_iter();
    named.map(|path| (path.clone(), times[&path])).collect()
}

/// Whether a worker's list of a module can be one, of tests of these harnesses.
///
/// # Errors
/// What is wrong with it.
pub fn believable(listing: &Listing, harnesses: &[HarnessName]) -> Result<(), &'static str> {
    let Listing {
        tests,
        plain,
        holds: _,
    } = listing;
    if plain.as_ref().is_some_and(|why| why.len() > MAX_TEXT) {
        return Err("a list with a text that is too long");
    }
    tests.iter().try_for_each(|test| {
        let ListedTest {
            path,
            harness: of,
            export,
            ignored,
            should_panic,
            todo,
            benchmark: _,
            file,
            line: _,
            tags,
            description,
            timeout,
            max_memory,
            needs,
            case: _,
            unable,
            data,
        } = test;
        if path.len() > MAX_NAME {
            return Err("a list with a name that is too long");
        }
        if !harnesses.contains(of) {
            return Err("a list of another harness's tests");
        }
        // the SDK's, which are read and not asked for
        let is_marked = timeout.is_some() || max_memory.is_some() || !tags.is_empty();
        if export.is_some() || is_marked || !needs.is_empty() {
            return Err("a list of tests with marks that are not a list's to tell");
        }
        let texts = [ignored, should_panic, todo, file, description, unable];
        let mut texts = texts.into_iter().flatten().chain([data]);
        match texts.all(|text| text.len() <= MAX_TEXT) {
            true => Ok(()),
            false => Err("a list with a text that is too long"),
        }
    })
}

/// A list without absurd names.
///
/// # Errors
/// For the first of them.
pub fn named_shortly(tests: Vec<ListedTest>) -> Result<Vec<ListedTest>, ListError> {
    match tests.iter().find(|t| t.path.len() > MAX_NAME) {
        None => Ok(tests),
        Some(test) => {
            let length = test.path.len();
            let why = format!("it lists a test whose name is {length} bytes long");
            Err(ListError::new(Cause::new(why)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_listed_three_times_is_one_test() {
        let named = ["a", "b", "a", "c", "a", "c"];
        let mut tests = named
            .map(|path| ListedTest::named(path, crate::harness::command::NAME))
            .to_vec();
        let again = once_each(&mut tests);
        let paths: Vec<&str> = tests.iter().map(|t| t.path.as_str()).collect();
        assert_eq!(paths, ["a", "b", "c"]);
        assert_eq!(again, [("a".to_owned(), 3), ("c".to_owned(), 2)]);
    }
}
