//! A suite has the same verdicts natively, as a core module and as a component, in every
//! distribution; what cannot agree stands in a table of the documentation, which is read here.

use crate::support::{Events, Target, arg, events, guest, workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Verdicts by test.
type Verdicts = BTreeMap<String, String>;

/// The test binary of the guest `everywhere` for this machine.
fn native() -> PathBuf {
    let manifest = workspace().join("tests/guests/Cargo.toml");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--no-run", "--quiet", "-p", "everywhere"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let executable = |line: &str| -> Option<PathBuf> {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_test = message["target"]["name"] == "everywhere";
        is_test.then_some(())?;
        Some(PathBuf::from(message["executable"].as_str()?))
    };
    text.lines().find_map(executable).expect("it was built")
}

fn natively(binary: &Path) -> Verdicts {
    let output = Command::new(binary).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let verdict = |line: &str| {
        let (name, word) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        let word = match word.split_once(',').map_or(word, |(word, _)| word) {
            "ok" => "passed",
            "FAILED" => "failed",
            "ignored" => "skipped",
            _ => return None,
        };
        Some((name.to_owned(), word.to_owned()))
    };
    text.lines().filter_map(verdict).collect()
}

fn verdicts(events: &Events) -> Verdicts {
    let of = |end: &serde_json::Value| {
        let own = &end["wasmtest"];
        let outcome = own["outcome"].as_str().expect("every end has one");
        Some((own["test"].as_str()?.to_owned(), outcome.to_owned()))
    };
    events.ends().filter_map(of).collect()
}

/// What the documentation says of tests whose verdicts differ: for each, that of a core module, the
/// native one, that of a component.
fn documented() -> BTreeMap<String, [String; 3]> {
    let docs = fs::read_to_string(workspace().join("docs/fixtures.md")).expect("it is there");
    let (_, table) = docs.split_once("| shown by |").expect("there is a table");
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_, core, native, component, _, test] = cells[..] else {
            panic!("{line}");
        };
        let test = test.strip_prefix('`')?.strip_suffix('`')?;
        let words = [core, native, component].map(str::to_owned);
        Some((test.to_owned(), words))
    };
    let rows = table.lines().skip(2).take_while(|l| l.starts_with('|'));
    rows.filter_map(row).collect()
}

#[test]
fn verdicts_agree_but_for_those_that_the_documentation_tells_of() {
    let documented = documented();
    let expected = |all: &Verdicts, column: usize| -> Verdicts {
        let word = |name: &String| match documented.get(name) {
            Some(words) => words[column].clone(),
            None => "passed".to_owned(),
        };
        all.keys().map(|name| (name.clone(), word(name))).collect()
    };
    let native = natively(&native());
    assert!(native.len() >= 38, "{native:?}");
    for test in documented.keys() {
        assert!(native.contains_key(test), "{test} is no test");
    }
    assert_eq!(native, expected(&native, 1));
    let core = guest("everywhere", Target::P1, "dev");
    for processes in ["1", "2", "4"] {
        for flags in [&[][..], &["--no-snapshot"]] {
            let args = [&[arg(&core), "--processes", processes], flags].concat();
            let events = events(args);
            let all = verdicts(&events);
            assert_eq!(all, expected(&native, 0), "{processes} {flags:?}");
            // the two that the table names
            let failed = &events.summary()["wasmtest"]["fixtures_failed"];
            assert_eq!(failed, 2, "{processes} {flags:?}");
        }
    }
    // there a split suite is whole
    let whole = [arg(&core), "--processes", "0"];
    let whole = verdicts(&events(whole));
    for (name, outcome) in &whole {
        if !name.contains("split") {
            assert_eq!(*outcome, expected(&native, 0)[name], "{name}");
        }
    }
    let component = guest("everywhere", Target::P2, "dev");
    for processes in ["1", "4"] {
        let all = verdicts(&events([arg(&component), "--processes", processes]));
        assert_eq!(all, expected(&native, 2), "{processes}");
    }
}

#[test]
fn what_was_made_last_is_torn_down_first_whatever_the_mark() {
    let binary = native();
    let core = guest("everywhere", Target::P1, "dev");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let said = || -> Vec<String> {
        let text = fs::read_to_string(&log).expect("it noted something");
        fs::remove_file(&log).expect("it is there");
        text.lines().map(str::to_owned).collect()
    };
    let run = |path: &str, flags: &[&str]| {
        let dir = format!("{}:rw", folder.path().display());
        let env = format!("LOG={}", log.display());
        let args = [
            &[arg(&core), "--dir", &dir, "--env", &env],
            flags,
            &["--", path],
        ];
        let events = events(args.concat());
        assert_eq!(events.code, 0, "{path} {flags:?}: {events:#?}");
        said()
    };
    let ways: [&[&str]; 5] = [
        &["--processes", "0"],
        &["--processes", "1"],
        &["--processes", "2"],
        &["--processes", "2", "--no-snapshot"],
        &["--processes", "1", "--no-snapshot"],
    ];
    let one = [
        "pool",
        "conn",
        "tx",
        "row",
        "one",
        "row gone",
        "tx gone",
        "conn gone",
        "pool gone",
    ];
    for mark in ["unit", "split", "serial"] {
        let test = format!("order::{mark}::one");
        let output = Command::new(&binary)
            .args(["--exact", &test])
            .env("LOG", &log)
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(said(), one, "{mark} natively");
        for flags in ways {
            assert_eq!(run(&test, flags), one, "{mark} {flags:?}");
        }
    }
    let both = [
        &one[..8],
        // both values of one test's own are made for the second as well
        &[
            "tx",
            "row",
            "two",
            "row gone",
            "tx gone",
            "conn gone",
            "pool gone",
        ],
    ]
    .concat();
    let mut both: Vec<&str> = both;
    // the one that is there for both stays
    both.remove(7);
    assert_eq!(run("order::unit::", ways[1]), both);
    let nested = [
        "outer",
        "before",
        "inner",
        "conn",
        "asks",
        "conn gone",
        "inner closed",
        "inner's value gone",
        "after",
        "outer gone",
    ];
    for flags in ways {
        assert_eq!(run("order::nested::", flags), nested, "{flags:?}");
    }
}
