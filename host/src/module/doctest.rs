//! The doctest harness: a bundle of doctests that rustdoc has merged into one program, in a
//! crate of edition 2024; those of another edition in it, into one of their own.
//!
//! Such a program runs one of its doctests if a variable holds the doctest's number.
//! Which there are stands in the source of its `main`, which rustdoc leaves beside
//! the program while that runs: it is read here, and believed only if its whole
//! shape is the one that is known. A doctest passes as a program does, by ending with
//! status 0 in whatever way; one that is to panic passes by panicking.

use super::verdict::Evidence;
use crate::ending::{Ending, Trap};
use crate::event::{Cause, Format, Harness, Outcome};
use crate::protocol::{Expect, ListedTest};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

/// The variable that holds the number of the doctest to run.
pub const RUN_ONE: &str = "RUSTDOC_DOCTEST_RUN_NB_TEST";
/// What the name of the source of the program's `main` begins with: then comes the edition.
const RUNNER: &str = "doctest_runner_";
/// What the name of the source of the doctests themselves begins with.
const BUNDLE: &str = "doctest_bundle_";

/// The edition whose doctests are merged into a program beside which a file of this name lies.
pub fn edition_of(file: &str) -> Option<&str> {
    let edition = file.strip_prefix(RUNNER)?.strip_suffix(".rs")?;
    edition
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then_some(edition)
}

/// The source of the `main` of such a program, beside it.
pub fn runner(edition: &str) -> String {
    format!("{RUNNER}{edition}.rs")
}

/// The source of its doctests, beside it.
pub fn bundle(edition: &str) -> String {
    format!("{BUNDLE}{edition}.rs")
}

/// The name that a function of a bundle has in its doctest.
pub fn own_name(function: &str) -> Option<&str> {
    let (edition, rest) = function.strip_prefix(BUNDLE)?.split_once("::__doctest_")?;
    let (number, own) = rest.split_once("::")?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (digits(edition) && digits(number)).then_some(own)
}

/// A merged program's doctests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// In their order.
    pub doctests: Vec<Doctest>,
    /// The arguments that it was built with, without the program's name: libtest's.
    pub args: Vec<String>,
}

/// One doctest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doctest {
    /// Its name: `src/lib.rs - one (line 7)`.
    pub name: String,
    /// The file that it stands in, as rustdoc writes it.
    pub file: String,
    /// The line of its opening fence.
    pub line: u64,
    /// What is done with it.
    pub kind: Kind,
}

/// What is done with a doctest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is run, and has to pass.
    Run,
    /// It is run, and has to panic.
    ShouldPanic,
    /// It is compiled, and not run.
    NoRun,
    /// It is neither compiled nor run.
    Ignored,
}

impl Doctest {
    /// Its name as libtest prints it, but for what it adds to those that are to panic.
    pub fn printed(&self) -> String {
        match self.kind {
            Kind::NoRun => format!("{} - compile", self.name),
            Kind::Run | Kind::ShouldPanic | Kind::Ignored => self.name.clone(),
        }
    }

    /// The same as a test to plan; `number` is its place in the bundle.
    pub fn listed(&self, number: usize) -> ListedTest {
        ListedTest {
            ignored: (self.kind == Kind::Ignored).then(String::new),
            should_panic: (self.kind == Kind::ShouldPanic).then(String::new),
            file: Some(self.file.clone()),
            line: Some(self.line),
            case: number as u64,
            ..ListedTest::named(self.printed(), Harness::Doctest)
        }
    }
}

/// Reads the source of a merged program's `main`.
///
/// # Errors
/// What about it is not as it is known here.
pub fn read_runner(source: &str) -> Result<Bundle, String> {
    // a file's name may hold anything, and stands in strings alone
    let code = without_strings(source);
    let option = "RUN_OPTION: &str = ";
    let known = code.find(option).is_some_and(|at| {
        read_string(&source[at + option.len()..]).is_some_and(|(name, _)| name == RUN_ONE)
    });
    if !known {
        return Err(format!("it does not know {RUN_ONE}"));
    }
    let mut doctests = Vec::new();
    let mut from = 0;
    loop {
        let number = doctests.len();
        let module = format!("mod __doctest_{number} {{");
        let Some(at) = code[from..].find(&module) else {
            break;
        };
        from += at + module.len();
        let call = "new_doctest(";
        let doctest = code[from..]
            .find(call)
            .and_then(|at| read_doctest(&source[from + at + call.len()..]))
            .ok_or(format!("its doctest {number} is none"))?;
        doctests.push(doctest);
    }
    // the order in which it holds them decides which number is whose
    let mut pushed = code
        .split("tests.push(__doctest_")
        .skip(1)
        .map(|s| s.split("::").next().unwrap_or_default());
    let in_order = (0..doctests.len()).all(|n| pushed.next() == Some(n.to_string().as_str()));
    if doctests.is_empty() || !in_order || pushed.next().is_some() {
        return Err("its list of doctests is not as expected".to_owned());
    }
    let list = "let test_args = &[";
    let args = code
        .find(list)
        .and_then(|at| read_strings(&source[at + list.len()..], ".to_string(),"))
        .ok_or("its arguments are not as expected")?;
    Ok(Bundle {
        doctests,
        args: args.into_iter().skip(1).collect(),
    })
}

/// Source of the same length in which every string literal is blank.
fn without_strings(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let (mut inside, mut escaped) = (false, false);
    for c in source.chars() {
        match (inside, escaped, c) {
            (_, false, '"') => {
                inside = !inside;
                code.push(c);
            }
            (false, ..) => code.push(c),
            (true, ..) => {
                escaped = !escaped && c == '\\';
                code.extend(std::iter::repeat_n(' ', c.len_utf8()));
            }
        }
    }
    code
}

/// `"NAME", IGNORE, "FILE", LINE, NO_RUN, SHOULD_PANIC, ...`
fn read_doctest(source: &str) -> Option<Doctest> {
    let (name, rest) = read_string(source.trim_start())?;
    let (ignore, rest) = read_word(rest)?;
    let (file, rest) = read_string(rest.strip_prefix(',')?.trim_start())?;
    let (line, rest) = read_word(rest)?;
    let (no_run, rest) = read_word(rest)?;
    let (should_panic, _) = read_word(rest)?;
    let flag = |word: &str| word.parse::<bool>().ok();
    let kind = match (flag(ignore)?, flag(no_run)?, flag(should_panic)?) {
        (true, ..) => Kind::Ignored,
        (_, true, _) => Kind::NoRun,
        (_, _, true) => Kind::ShouldPanic,
        _ => Kind::Run,
    };
    Some(Doctest {
        name,
        file,
        line: line.parse().ok()?,
        kind,
    })
}

/// `, WORD` and what follows.
fn read_word(source: &str) -> Option<(&str, &str)> {
    let source = source.strip_prefix(',')?.trim_start();
    let end = source.find([',', ')'])?;
    Some((source[..end].trim(), &source[end..]))
}

/// String literals, each followed by this, up to a `]`.
fn read_strings(mut source: &str, follows: &str) -> Option<Vec<String>> {
    let mut strings = Vec::new();
    loop {
        source = source.trim_start();
        if source.starts_with(']') {
            return Some(strings);
        }
        let (string, rest) = read_string(source)?;
        strings.push(string);
        source = rest.strip_prefix(follows)?;
    }
}

/// A string literal as `{:?}` writes it, and what follows.
fn read_string(source: &str) -> Option<(String, &str)> {
    let mut string = String::new();
    let mut chars = source.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((string, &source[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => string.push('\n'),
                'r' => string.push('\r'),
                't' => string.push('\t'),
                '0' => string.push('\0'),
                'u' => {
                    let mut hex = String::new();
                    for (_, c) in chars.by_ref().skip(1) {
                        if c == '}' {
                            break;
                        }
                        hex.push(c);
                    }
                    string.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                }
                escaped => string.push(escaped),
            },
            c => string.push(c),
        }
    }
    None
}

/// How a doctest ended.
pub fn outcome(evidence: &Evidence<'_>, expect: &Expect, format: Format) -> Outcome {
    let outcome = match (evidence.common_outcome(), evidence.ending) {
        (Some(outcome), _) => outcome,
        (None, Ending::Returned | Ending::Exited(0)) => Outcome::Passed,
        (None, ending) => {
            let error = evidence.stderr.error.as_deref();
            Outcome::Failed(Cause::new(match (error, ending) {
                (Some(error), _) => format!("returned an error\nError: {error}"),
                (None, Ending::Exited(status)) if format == Format::Core => {
                    format!("exited with status {status}")
                }
                _ => "exited with failure".to_owned(),
            }))
        }
    };
    let panicked = *evidence.ending == Ending::Trapped(Trap::Unreachable)
        && evidence.stderr.panic.is_some()
        && matches!(outcome, Outcome::Failed(_));
    match (expect, outcome) {
        (Expect::Panic(_), _) if panicked => Outcome::Passed,
        (Expect::Panic(_), Outcome::Passed) => {
            Outcome::Failed(Cause::new("it is marked `should_panic` and did not panic"))
        }
        (_, outcome) => outcome,
    }
}

/// Where lines of a bundle stand in the sources. A doctest may print as many places as it
/// likes: each line is looked for once, and each file read once.
pub struct Sources<'a> {
    bundle: Vec<&'a str>,
    /// Whose each of those lines is, by the doctest's number.
    owners: Vec<Option<usize>>,
    doctests: &'a [Doctest],
    folders: [&'a Path; 2],
    files: RefCell<HashMap<&'a str, Option<String>>>,
    found: RefCell<HashMap<usize, Option<String>>>,
}

impl<'a> Sources<'a> {
    /// Of this bundle, whose files are looked for in these folders.
    pub fn new(bundle: &'a str, doctests: &'a [Doctest], folders: [&'a Path; 2]) -> Sources<'a> {
        let bundle: Vec<&str> = bundle.lines().collect();
        let mut owner = None;
        let owners = bundle.iter().map(|line| {
            if let Some(module) = line.strip_prefix("pub mod __doctest_") {
                let number = module.split_whitespace().next();
                owner = number.and_then(|n| n.parse().ok());
            }
            owner
        });
        Sources {
            owners: owners.collect(),
            bundle,
            doctests,
            folders,
            files: RefCell::default(),
            found: RefCell::default(),
        }
    }

    /// A line as `FILE:LINE`: a doctest's own lines are found again below its opening
    /// fence; of any other line, that fence.
    pub fn place(&self, line: usize) -> Option<String> {
        if let Some(found) = self.found.borrow().get(&line) {
            return found.clone();
        }
        let at = line.checked_sub(1)?;
        let doctest = self.doctests.get((*self.owners.get(at)?)?)?;
        let place = self.find(doctest, self.bundle[at].trim());
        self.found.borrow_mut().insert(line, place.clone());
        place
    }

    fn find(&self, doctest: &'a Doctest, wanted: &str) -> Option<String> {
        let start = usize::try_from(doctest.line).ok()?;
        let own = |text: &str| {
            let text = text.trim_start();
            let text = ["///", "//!"]
                .iter()
                .find_map(|c| text.strip_prefix(c))
                .unwrap_or(text);
            text.trim().to_owned()
        };
        let mut files = self.files.borrow_mut();
        let file = files.entry(&doctest.file).or_insert_with(|| {
            let read = |folder: &&Path| std::fs::read_to_string(folder.join(&doctest.file)).ok();
            self.folders.iter().find_map(read)
        });
        let found = file.as_deref().and_then(|source| {
            let lines = source.lines().enumerate().skip(start);
            lines
                .map(|(n, l)| (n, own(l)))
                .take_while(|(_, l)| !l.starts_with("```"))
                .find(|(_, l)| !wanted.is_empty() && l == wanted)
                .map(|(n, _)| n + 1)
        });
        Some(format!("{}:{}", doctest.file, found.unwrap_or(start)))
    }
}

/// Replaces each place in the bundle of this name by its place in the sources.
pub fn relocate(text: &str, bundle: &str, place: impl Fn(usize) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(bundle) {
        // the name of the folder that rustdoc made, and removes
        let start = rest[..at]
            .rfind(|c: char| c.is_whitespace() || c == '(' || c == '"')
            .map_or(0, |s| s + 1);
        let after = &rest[at + bundle.len()..];
        let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = after.strip_prefix(':').map_or("", |a| &a[..digits(a)]);
        let place = number.parse().ok().and_then(&place);
        match place {
            Some(place) => {
                out.push_str(&rest[..start]);
                out.push_str(&place);
                rest = &after[1 + number.len()..];
                // the column is that of the bundle's own layout
                if let Some(column) = rest.strip_prefix(':') {
                    rest = &column[digits(column)..];
                }
            }
            None => {
                out.push_str(&rest[..at + bundle.len()]);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rustdoc 1.95 writes it, shortened.
    const SOURCE: &str = r#"
mod __doctest_0 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/lib.rs - (line 2)", false, "src/lib.rs", 2, false, false,
test::StaticTestFn(
}
mod __doctest_1 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/\"a\".rs - one::\u{e9} (line 11)", false, "src/\"a\".rs", 11, false, true,
}
mod __doctest_2 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/lib.rs - one (line 15)", true, "src/lib.rs", 15, false, false,
}
mod __doctest_3 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/lib.rs - one (line 19)", false, "src/lib.rs", 19, true, false,
}
mod __doctest_mod {
    pub const RUN_OPTION: &str = "RUSTDOC_DOCTEST_RUN_NB_TEST";
}
let tests = {
    tests.push(__doctest_0::TEST);
tests.push(__doctest_1::TEST);
tests.push(__doctest_2::TEST);
tests.push(__doctest_3::TEST);
};
let test_args = &["rustdoctest".to_string(),"--skip".to_string(),"a \"b\"".to_string(),];
"#;

    #[test]
    fn the_source_tells_each_doctest_and_the_arguments() {
        let bundle = read_runner(SOURCE).expect("its shape is known");
        let printed: Vec<String> = bundle.doctests.iter().map(Doctest::printed).collect();
        assert_eq!(
            printed,
            [
                "src/lib.rs - (line 2)",
                "src/\"a\".rs - one::\u{e9} (line 11)",
                "src/lib.rs - one (line 15)",
                "src/lib.rs - one (line 19) - compile",
            ]
        );
        assert_eq!(bundle.doctests[2].kind, Kind::Ignored);
        assert_eq!(bundle.doctests[1].line, 11);
        assert_eq!(bundle.args, ["--skip", "a \"b\""]);
    }

    #[test]
    fn a_name_may_hold_what_marks_the_source_itself() {
        for mark in [
            "let test_args = &[",
            "mod __doctest_1 {",
            "tests.push(__doctest_3::TEST);",
            "new_doctest(",
            "RUN_OPTION: &str = ",
            "\\\\",
            "\\\"",
        ] {
            let source = SOURCE.replace("src/lib.rs - (line 2)", mark);
            let bundle = read_runner(&source).expect(mark);
            assert_eq!(bundle.doctests.len(), 4, "{mark}");
            assert_eq!(bundle.args, ["--skip", "a \"b\""], "{mark}");
        }
    }

    #[test]
    fn files_and_functions_are_of_an_edition() {
        assert_eq!(edition_of("doctest_runner_2021.rs"), Some("2021"));
        assert_eq!(edition_of("doctest_runner_x.rs"), None);
        assert_eq!(
            own_name("doctest_bundle_2018::__doctest_12::f::g"),
            Some("f::g")
        );
        assert_eq!(own_name("other::__doctest_0::f"), None);
    }

    #[test]
    fn another_shape_is_refused() {
        let refused = |from: &str, to: &str| {
            assert!(SOURCE.contains(from), "{from}");
            read_runner(&SOURCE.replacen(from, to, 1)).expect_err("another shape")
        };
        refused("RUSTDOC_DOCTEST_RUN_NB_TEST", "RUSTDOC_RUN");
        refused("tests.push(__doctest_0::TEST);", "");
        refused("push(__doctest_1", "push(__doctest_2");
        refused(
            "new_doctest(\n\"src/lib.rs - (line 2)\", false",
            "new_doctest(\nNAME, false",
        );
        refused("15, false, false", "15, false, 3");
        refused("let test_args = &[", "let test_args = vec![");
        assert!(read_runner("").is_err());
    }

    #[test]
    fn places_in_the_bundle_become_places_in_the_sources() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::write(
            root.path().join("lib.rs"),
            "\n/// One\n/// ```\n/// let a = 1;\n/// assert_eq!(a, 2);\n/// ```\nfn one() {}\n",
        )
        .expect("written");
        let bundle = "#![allow(unused)]\npub mod __doctest_0 {\n\nfn main() {\nlet a = 1;\nassert_eq!(a, 2);\n}\n}\n";
        let doctests = [Doctest {
            name: "lib.rs - one (line 3)".into(),
            file: "lib.rs".into(),
            line: 3,
            kind: Kind::Run,
        }];
        let sources = Sources::new(bundle, &doctests, [root.path(), root.path()]);
        let place = |line| sources.place(line);
        assert_eq!(place(6).as_deref(), Some("lib.rs:5"));
        assert_eq!(place(6).as_deref(), Some("lib.rs:5"));
        assert_eq!(place(4).as_deref(), Some("lib.rs:3"));
        assert_eq!(place(1), None);
        let text = "panicked at /tmp/rustdoctestX/doctest_bundle_2024.rs:6:1:\nat (a/doctest_bundle_2024.rs:99)";
        assert_eq!(
            relocate(text, &super::bundle("2024"), place),
            "panicked at lib.rs:5:\nat (a/doctest_bundle_2024.rs:99)"
        );
    }
}
