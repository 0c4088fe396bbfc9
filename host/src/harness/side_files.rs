//! Side-file programs: a plain WASI program is one test, and a JSON file beside it says how it is
//! called and what has to come of it.
//!
//! The format is that of the WASI test suite's legacy specifications: beside `x.wasm` an
//! optional `x.json`. Files mean that only where they are asked for (`--side-files`): one that lies
//! beside a stranger's module grants nothing by itself. It passes with the status that is expected,
//! and with the output that is expected, byte for byte, where any is; a trap is never expected.

use super::evidence::Evidence;
use super::listing::{Answer, ListError, Question};
use super::termination::Termination;
use super::{Beside, Case, Facts, Harness, Invocation, TmpVariable, command};
use crate::event::{Cause, Format, HarnessName, Outcome};
use crate::grant::libc::{as_libc_sees, hides_scratch};
use crate::grant::{CopyGrant, SCRATCH};
use crate::protocol::ListedTest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// Its name.
pub const NAME: HarnessName = HarnessName::new("side-files");

/// What a side file's name ends in.
const EXTENSION: &str = "json";
/// How many folders a program may be given copies of.
const MOST_DIRS: usize = 256;
/// How much of a differing line is shown, in characters.
const SHOWN: usize = 120;
/// How much of it comes before the difference.
const BEFORE: usize = 40;

/// A plain program that may have a side file.
pub struct SideFiles;

/// What a side file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SideFile {
    /// The arguments after `argv[0]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<String>,
    /// All variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    /// Folders, from the file's own; found under these names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dirs: Vec<String>,
    /// One that is found as `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    /// What is read from stdin.
    #[serde(skip_serializing_if = "String::is_empty")]
    stdin: String,
    /// The status that is expected.
    exit_code: i32,
    /// What is expected on stdout, if anything certain is.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<String>,
    /// The same of stderr.
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<String>,
}

impl Harness for SideFiles {
    fn name(&self) -> HarnessName {
        NAME
    }

    fn recognises(&self, facts: &Facts) -> bool {
        facts.is_program_of(NAME)
    }

    fn reads_beside(&self) -> bool {
        true
    }

    fn read(&self, beside: Beside<'_>) -> Result<Option<Vec<ListedTest>>, Cause> {
        let side = match beside(EXTENSION)? {
            None => SideFile::default(),
            Some(bytes) => SideFile::read(&bytes)?,
        };
        Ok(Some(vec![ListedTest {
            data: serde_json::to_string(&side).unwrap_or_default(),
            ..ListedTest::named(command::MAIN, NAME)
        }]))
    }

    /// It is read, not asked.
    fn list(
        &self,
        _: &mut dyn FnMut(&Question<'_>) -> Answer,
    ) -> Result<Vec<ListedTest>, ListError> {
        Ok(command::list())
    }

    fn invoke<'a>(&self, case: &Case<'a>) -> Invocation<'a> {
        let side = SideFile::of(case);
        let dirs = side.dirs.into_iter().map(|dir| CopyGrant {
            guest: dir.clone(),
            path: dir,
        });
        let root = side.root.map(|path| CopyGrant {
            guest: "/".to_owned(),
            path,
        });
        Invocation {
            export: None,
            direct: None,
            args: side.args.into_iter().map(Into::into).collect(),
            env: side
                .env
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            tmp_variable: TmpVariable::Unset,
            stdin: side.stdin.into_bytes(),
            copies: dirs.chain(root).collect(),
        }
    }

    fn judge(&self, evidence: &Evidence<'_>, case: &Case<'_>) -> Outcome {
        if let Some(outcome) = evidence.common_outcome() {
            return outcome;
        }
        let side = SideFile::of(case);
        let (stdout, stderr) = evidence.wrote;
        let streams = [
            ("stdout", side.stdout.as_deref(), stdout),
            ("stderr", side.stderr.as_deref(), stderr),
        ];
        let mut wrong = Vec::new();
        let mut hint = None;
        if let Some(status) = wrong_status(evidence, side.exit_code) {
            wrong.push(status);
            if evidence.format == Format::Component && side.exit_code > 1 {
                hint = Some("a component's host is told whether it failed, and no number");
            }
        }
        for (name, expected, found) in streams {
            let Some(expected) = expected else { continue };
            if found.dropped > 0 {
                return Outcome::Errored(Cause::new(format!(
                    "it wrote more to {name} than is kept, and what was left out cannot be compared"
                )));
            }
            let whole = [&*found.head, &*found.tail].concat();
            wrong.extend(difference(name, expected.as_bytes(), &whole));
        }
        match (wrong.is_empty(), hint) {
            (true, _) => Outcome::Passed,
            (false, None) => Outcome::Failed(Cause::new(wrong.join("\n"))),
            (false, Some(hint)) => Outcome::Failed(Cause::new(wrong.join("\n")).hint(hint)),
        }
    }
}

impl SideFile {
    /// Reads a side file, and checks what it says.
    fn read(bytes: &[u8]) -> Result<SideFile, Cause> {
        // serde takes a list for an object's values, in order
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Cause::new("it is no JSON object"));
        }
        let side: SideFile = serde_json::from_slice(bytes).map_err(|e| {
            let cause = Cause::new(e.to_string());
            match ["`operations`", "`proposals`"].iter().any(|key| e.to_string().contains(&format!("unknown field {key}"))) {
                true => cause.hint("side files that list steps are not known here: only those that say at once what is given and what is expected"),
                false => cause,
            }
        })?;
        side.check().map_err(Cause::new)?;
        Ok(side)
    }

    fn check(&self) -> Result<(), String> {
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        let texts = self.args.iter().chain(variables).chain(&self.dirs);
        if let Some(text) = texts.chain(&self.root).find(|t| t.contains('\0')) {
            return Err(format!("{text:?} holds a NUL, which WASI cannot pass on"));
        }
        let is_no_name = |name: &&String| name.is_empty() || name.contains('=');
        if let Some(name) = self.env.keys().find(is_no_name) {
            return Err(format!("`env`: {name:?} is no name of a variable"));
        }
        if self.dirs.len() > MOST_DIRS {
            return Err(format!("`dirs` names more than {MOST_DIRS} folders"));
        }
        let mut seen: Vec<String> = Vec::new();
        for dir in &self.dirs {
            is_below(dir).map_err(|why| format!("`dirs`: {dir:?} {why}"))?;
            let name = as_libc_sees(dir);
            if hides_scratch(std::slice::from_ref(dir)) {
                let why = format!("would be hidden by {SCRATCH}, the program's own folder");
                return Err(format!("`dirs`: {dir:?} {why}"));
            }
            if seen.contains(&name) {
                return Err(format!("`dirs`: {dir:?} stands there twice"));
            }
            seen.push(name);
        }
        if let Some(root) = &self.root {
            is_below(root).map_err(|why| format!("`root`: {root:?} {why}"))?;
        }
        Ok(())
    }

    /// What a test's own side file says, which was checked.
    fn of(case: &Case<'_>) -> SideFile {
        serde_json::from_str(case.data).unwrap_or_default()
    }
}

/// Whether a path leads to something below the folder that it begins in, links aside.
fn is_below(path: &str) -> Result<(), &'static str> {
    let mut depth = 0;
    for part in Path::new(path).components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir => return Err("leads out of the side file's own folder"),
            Component::RootDir | Component::Prefix(_) => {
                return Err("is an absolute path: it has to lie below the side file's own folder");
            }
        }
    }
    match depth {
        0 => Err("names no folder below the side file's own"),
        _ => Ok(()),
    }
}

/// What is said of a status that is not the one that was expected.
fn wrong_status(evidence: &Evidence<'_>, expected: i32) -> Option<String> {
    let status = match evidence.ending {
        Termination::Exited(status) => *status,
        Termination::ReturnedFailure => 1,
        _ => 0,
    };
    (status != expected).then(|| match expected {
        0 => format!("exited with status {status}"),
        expected => format!("exited with status {status}, and {expected} is expected"),
    })
}

/// What is said of output that is not what was expected: the first line that differs.
fn difference(name: &str, expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    let mut lines = [expected, found].map(|bytes| bytes.split_inclusive(|b| *b == b'\n'));
    let [expected, found] = &mut lines;
    let mut number = 0;
    loop {
        number += 1;
        let (expected, found) = (expected.next(), found.next());
        if expected != found || expected.is_none() {
            let same = match (expected, found) {
                (Some(a), Some(b)) => a.iter().zip(b).take_while(|(a, b)| a == b).count(),
                _ => 0,
            };
            return Some(format!(
                "{name} is not as expected, from line {number}:\n  expected: {}\n  found:    {}",
                shown(expected, same),
                shown(found, same)
            ));
        }
    }
}

/// A line as it is shown, around its first byte that differs.
fn shown(line: Option<&[u8]>, differs: usize) -> String {
    let Some(line) = line else {
        return "(nothing more)".to_owned();
    };
    let text = String::from_utf8_lossy(line);
    let is_text = matches!(text, std::borrow::Cow::Borrowed(_));
    let chars: Vec<char> = match is_text {
        true => text.chars().collect(),
        false => line.escape_ascii().map(char::from).collect(),
    };
    let at = String::from_utf8_lossy(&line[..differs.min(line.len())])
        .chars()
        .count();
    let start = match chars.len() > SHOWN {
        true => at.saturating_sub(BEFORE).min(chars.len() - SHOWN),
        false => 0,
    };
    let end = chars.len().min(start + SHOWN);
    let piece: String = chars[start..end].iter().collect();
    let (before, after) = (
        if start > 0 { "..." } else { "" },
        if end < chars.len() { "..." } else { "" },
    );
    match is_text {
        true => format!("{before}{piece:?}{after}"),
        false => format!("{before}b\"{piece}\"{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Captured;
    use crate::harness::evidence::sample;
    use crate::harness::termination::Trap;

    fn read(text: &str) -> Result<Vec<ListedTest>, Cause> {
        let mut beside = |extension: &str| {
            assert_eq!(extension, "json");
            Ok(Some(text.as_bytes().to_vec()))
        };
        let tests = SideFiles.read(&mut beside)?;
        Ok(tests.expect("it is never asked"))
    }

    fn why(text: &str) -> String {
        read(text).expect_err("it makes no sense").message
    }

    fn judge(side: &str, ending: Termination, wrote: (&str, &str)) -> Outcome {
        let tests = read(side).expect("it makes sense");
        let case = Case {
            data: &tests[0].data,
            ..Case::plain()
        };
        sample::judge_case(&SideFiles, ending, wrote, Format::Core, &case)
    }

    #[test]
    fn what_a_side_file_says_is_how_the_program_is_called() {
        let tests = read(
            r#"{"args": ["a", "b c"], "env": {"N": "V"}, "dirs": ["x/y"], "root": "r", "stdin": "in"}"#,
        )
        .expect("it makes sense");
        let case = Case {
            data: &tests[0].data,
            ..Case::plain()
        };
        let copy = |path: &str, guest: &str| CopyGrant {
            path: path.into(),
            guest: guest.into(),
        };
        assert_eq!(
            SideFiles.invoke(&case),
            Invocation {
                export: None,
                direct: None,
                args: vec!["a".into(), "b c".into()],
                env: vec![("N".into(), "V".into())],
                tmp_variable: TmpVariable::Unset,
                stdin: b"in".to_vec(),
                copies: vec![copy("x/y", "x/y"), copy("r", "/")],
            }
        );
        let none = SideFiles.read(&mut |_| Ok(None)).expect("that is well");
        assert_eq!(none, Some(read("{}").expect("that, too")));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let unknown = why(r#"{"args": [], "cwd": "x"}"#);
        assert!(
            unknown.contains("`cwd`") && unknown.contains("`exit_code`"),
            "{unknown}"
        );
        assert!(why("{").contains("line 1"));
        assert!(why(r#"[["a"]]"#).contains("no JSON object"));
        assert!(why("").contains("no JSON object"));
        assert!(why(r#"{"exit_code": 1.5}"#).contains("1.5"));
        assert!(why(r#"{"exit_code": 1, "exit_code": 2}"#).contains("duplicate"));
        for (dirs, said) in [
            (r#"["../x"]"#, "leads out"),
            (r#"["a/../../x"]"#, "leads out"),
            (r#"["/etc"]"#, "absolute"),
            (r#"["."]"#, "names no folder"),
            (r#"["a/.."]"#, "names no folder"),
            (r#"["a", "./a/"]"#, "twice"),
            (r#"["tmp"]"#, "hidden"),
        ] {
            let why = why(&format!("{{\"dirs\": {dirs}}}"));
            assert!(why.contains(said), "{why}");
        }
        assert!(why(r#"{"root": ".."}"#).contains("`root`"));
        assert!(why(r#"{"args": ["a\u0000"]}"#).contains("NUL"));
        assert!(why(r#"{"env": {"a=b": ""}}"#).contains("no name"));
        let steps = read(r#"{"operations": []}"#).expect_err("steps");
        assert!(steps.hint.is_some_and(|hint| hint.contains("steps")));
    }

    #[test]
    fn a_status_passes_if_it_is_the_expected_one_and_a_trap_never_does() {
        use Termination::{Exited, Returned};
        let name = |side: &str, ending| judge(side, ending, ("", "")).name();
        assert_eq!(name("{}", Returned), "passed");
        assert_eq!(name("{}", Exited(0)), "passed");
        assert_eq!(name("{}", Exited(1)), "failed");
        let expects = r#"{"exit_code": 33}"#;
        assert_eq!(name(expects, Exited(33)), "passed");
        assert_eq!(name(expects, Returned), "failed");
        let trap = Termination::Trapped(Trap::Unreachable);
        assert_eq!(name(r#"{"exit_code": 134}"#, trap), "errored");
    }

    #[test]
    fn output_is_compared_whole_and_the_first_line_that_differs_is_shown() {
        let side = r#"{"stdout": "one\ntwo\n"}"#;
        let judge = |stdout| judge(side, Termination::Returned, (stdout, "whatever"));
        assert_eq!(judge("one\ntwo\n"), Outcome::Passed);
        let said = |stdout| judge(stdout).cause().expect("it differs").message.clone();
        assert_eq!(
            said("one\ntwo"),
            "stdout is not as expected, from line 2:\n  expected: \"two\\n\"\n  found:    \"two\""
        );
        assert!(said("one\n").ends_with("found:    (nothing more)"));
        assert!(said("one\ntwo\n3").ends_with("expected: (nothing more)\n  found:    \"3\""));
        let long = format!("{}x{}", "=".repeat(300), "-".repeat(300));
        let shown = shown(Some(long.as_bytes()), 300);
        assert!(
            shown.starts_with("...\"===") && shown.contains("=x-"),
            "{shown}"
        );
        assert!(shown.len() < SHOWN + 20);
        assert_eq!(super::shown(Some(b"\xff"), 0), "b\"\\xff\"");
    }

    #[test]
    fn output_of_which_something_was_left_out_is_an_error() {
        let evidence = |dropped| Captured {
            dropped,
            ..Captured::default()
        };
        let tests = read(r#"{"stderr": ""}"#).expect("it makes sense");
        let case = Case {
            data: &tests[0].data,
            ..Case::plain()
        };
        let name = |stdout, stderr| {
            let wrote = (&evidence(stdout), &evidence(stderr));
            let outcome = sample::judge_kept(
                &SideFiles,
                Termination::Returned,
                wrote,
                Format::Core,
                &case,
            );
            outcome.name()
        };
        // nobody looks at that stream
        assert_eq!(name(9, 0), "passed");
        assert_eq!(name(0, 9), "errored");
    }
}
