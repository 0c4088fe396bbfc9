//! What cargo's own configuration asks for: targets, runners, variables, folders.

use super::made::{Crate, MANIFEST};
use crate::support::{Events, Target, finish};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

const BOTH: &str = "[build]\ntarget = [\"wasm32-wasip2\", \"wasm32-wasip1\"]\n";

/// How each test ended, by its id.
fn outcomes(events: &Events) -> BTreeMap<String, String> {
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    let tests = events.ends().filter(|end| end["type"] == "test");
    tests
        .map(|end| (text(&end["name"]), text(&end["wasmtest"]["outcome"])))
        .collect()
}

fn json(package: &Crate, flags: &[&str]) -> Events {
    let flags = [flags, &["--", "--message-format", "json"]].concat();
    Events::of(package.wasmtest(&flags))
}

#[test]
fn each_of_several_targets_is_run_and_told_apart() {
    let lib = "/// ```\n/// assert!(cfg!(target_env = \"p1\"));\n/// ```\npub fn f() {}\n\
        #[test] fn t() {}\n#[test] fn on_p1() { assert!(cfg!(target_env = \"p1\")); }\n";
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", lib),
        (".cargo/config.toml", BOTH),
    ]);
    let expected: BTreeMap<String, String> = [
        ("wasm32-wasip1/made on_p1", "passed"),
        ("wasm32-wasip1/made t", "passed"),
        (
            "wasm32-wasip1/made::doc/made src/lib.rs - f (line 1)",
            "passed",
        ),
        ("wasm32-wasip2/made on_p1", "failed"),
        ("wasm32-wasip2/made t", "passed"),
        (
            "wasm32-wasip2/made::doc/made src/lib.rs - f (line 1)",
            "failed",
        ),
    ]
    .map(|(id, outcome)| (id.to_owned(), outcome.to_owned()))
    .into();
    let flags = ["--target", "wasm32-wasip2", "--target", "wasm32-wasip1"];
    // as the files say, and as flags do
    for flags in [&[][..], &["--keep-going"], &flags] {
        let events = json(&package, flags);
        assert_eq!(events.code, 1, "{events:?}");
        assert_eq!(outcomes(&events), expected, "{flags:?}");
        let starts = events.all.iter().filter(|e| e["event"] == "started");
        let suites = starts.filter(|e| e["type"] == "suite");
        assert_eq!(suites.count(), 1, "{events:?}");
    }
    let ran = package.wasmtest(&[]);
    assert!(ran.stdout.contains("Ran 6 tests"), "{ran:?}");
    for again in [
        "cargo wasmtest -p made --lib --target wasm32-wasip2 -- --exact -- on_p1",
        "cargo wasmtest -p made --doc --target wasm32-wasip2 -- --exact -- 'src/lib.rs - f (line 1)'",
    ] {
        assert!(ran.stdout.contains(again), "{again}: {ran:?}");
    }
    let again = ["-p", "made", "--lib", "--target", "wasm32-wasip2"];
    let events = json(&package, &again);
    assert_eq!(
        outcomes(&events).keys().collect::<Vec<_>>(),
        ["made on_p1", "made t"]
    );
    // a filter means them in all, or names one
    assert_eq!(outcomes(&json(&package, &["made t"])).len(), 2);
    assert_eq!(outcomes(&json(&package, &["wasip2/made t"])).len(), 1);
    let ran = package.wasmtest(&["--no-run"]);
    assert_eq!(ran.stderr.matches("Executable").count(), 2, "{ran:?}");

    // what builds for one alone
    package.write(
        "tests/p1.rs",
        "#[cfg(not(target_env = \"p1\"))] compile_error!(\"no\");\n#[test] fn t() {}\n",
    );
    let ran = package.wasmtest(&["--tests"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{ran:?}");
    let ran = package.wasmtest(&["--tests", "--keep-going", " t"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for line in [
        "NOT BUILT wasm32-wasip2/made::p1  error: no (tests/p1.rs:1)",
        "Ran 3 tests",
        "not built=1",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    // of others those are run that can be
    let native = BOTH.replace("wasm32-wasip2", "x86_64-unknown-linux-gnu");
    package.write(".cargo/config.toml", &native);
    let events = json(&package, &["--lib"]);
    assert_eq!(
        outcomes(&events).keys().collect::<Vec<_>>(),
        ["made on_p1", "made t"]
    );
}

#[test]
fn doctests_run_under_us_whatever_runner_is_configured() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "/// ```\n/// ```\npub fn f() {}\n"),
    ]);
    let exact = "[target.wasm32-wasip1]\nrunner = ";
    let cfg = "[target.'cfg(target_os = \"wasi\")']\nrunner = ";
    let no = "/nowhere/wasmtime";
    let flag = |value: &str| format!("target.wasm32-wasip1.runner={value}");
    let text = flag("'/nowhere/wasmtime --dir .'");
    let list = flag("['/nowhere/wasmtime', '--dir', '.']");
    let in_file = format!("{exact}\"{no}\"\n");
    package.write("more.toml", &in_file);
    let cases: [(String, Option<&str>, &[&str]); 10] = [
        (format!("{exact}\"{no} --dir .\"\n"), None, &[]),
        (format!("{exact}\"wasmtest cargo-runner\"\n"), None, &[]),
        (format!("{exact}[\"{no}\", \"--dir\", \".\"]\n"), None, &[]),
        (format!("{cfg}\"{no} --dir .\"\n"), None, &[]),
        (format!("{cfg}[\"{no}\"]\n{exact}\"{no}\"\n"), None, &[]),
        (String::new(), Some(no), &[]),
        (format!("{exact}\"{no}\"\n"), Some(no), &[]),
        (String::new(), Some(no), &["--config", &list]),
        (in_file, Some(no), &["--config", &text]),
        (String::new(), None, &["--config", "more.toml"]),
    ];
    for (file, variable, flags) in cases {
        package.write(".cargo/config.toml", &file);
        for keep_going in [&[][..], &["--keep-going"]] {
            let flags = [&["--doc"], keep_going, flags].concat();
            let mut command = package.cargo_wasmtest(&flags);
            if let Some(runner) = variable {
                command.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", runner);
            }
            let ran = finish(&mut command);
            assert_eq!(ran.code, 0, "{file} {variable:?} {flags:?}: {ran:?}");
            assert!(ran.stdout.contains("Ran 1 test "), "{ran:?}");
        }
    }
}

#[test]
fn doctests_run_where_this_program_lies_at_a_path_with_a_space() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "/// ```\n/// ```\npub fn f() {}\n"),
        (
            ".cargo/config.toml",
            "[target.wasm32-wasip1]\nrunner = \"wasmtime --dir .\"\n",
        ),
    ]);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let program = folder.path().join("a program");
    std::fs::hard_link(env!("CARGO_BIN_EXE_cargo-wasmtest"), &program).expect("linked");
    let usual = package.cargo_wasmtest(&["--doc"]);
    let mut command = Command::new(&program);
    command
        .args(usual.get_args())
        .current_dir(package.root())
        .stdin(Stdio::null());
    for (name, value) in usual.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let ran = finish(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("Ran 1 test "), "{ran:?}");
}

/// A crate whose tests, doctests and program look at their variables.
fn looks_at_variables() -> Crate {
    let lib = r#"
/// ```
/// made::check();
/// ```
/// ```standalone_crate
/// made::check();
/// ```
pub fn check() {
    let var = |name| std::env::var(name).ok();
    for (name, value) in [
        ("PLAIN", Some("plain")),
        ("FROM_ABOVE", Some("above")),
        ("OF_HOME", Some("home")),
        ("SET_ALREADY", Some("by the caller")),
        ("FORCED", Some("forced")),
        ("CARGO_PKG_NAME", Some("made")),
        ("RUST_LOG", Some("by the configuration")),
        ("SECRET", None),
    ] {
        assert_eq!(var(name).as_deref(), value, "{name}");
    }
    let data = var("DATA").unwrap();
    assert_eq!(std::fs::read_to_string(data).unwrap(), "data");
}
/// ```
/// made::flag();
/// ```
pub fn flag() { assert_eq!(std::env::var("FLAG").unwrap(), "of a flag"); }
#[test] fn unit() { check() }
#[test] fn unit_flag() { flag() }
"#;
    let configuration = r#"
[env]
PLAIN = "plain"
SET_ALREADY = "not this"
FORCED = { value = "forced", force = true }
RUST_LOG = { value = "by the configuration", force = true }
DATA = { value = "data/file", relative = true }
CARGO_PKG_NAME = { value = "not this", force = true }
"#;
    Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", lib),
        (
            "src/main.rs",
            "fn main() { made::check(); println!(\"checked\"); }\n",
        ),
        ("tests/api.rs", "#[test] fn outside() { made::check() }\n"),
        ("data/file", "data"),
        (".cargo/config.toml", configuration),
        (
            "../.cargo/config.toml",
            "[env]\nPLAIN = \"far\"\nFROM_ABOVE = \"above\"\n",
        ),
        (
            "home/config.toml",
            "[env]\nOF_HOME = \"home\"\nFROM_ABOVE = \"home\"\n",
        ),
    ])
}

fn with_variables(mut command: Command, package: &Crate) -> Command {
    let rustup = std::env::var_os("RUSTUP_HOME").map(std::path::PathBuf::from);
    let rustup = rustup.or_else(|| Some(std::env::home_dir()?.join(".rustup")));
    command
        .env("CARGO_HOME", package.root().join("home"))
        .env("RUSTUP_HOME", rustup.expect("known"))
        .env("SET_ALREADY", "by the caller")
        .env("FORCED", "not this")
        .env("RUST_LOG", "not this")
        .env("SECRET", "secret");
    command
}

#[test]
fn variables_of_the_configuration_are_set_as_cargo_sets_them() {
    let package = looks_at_variables();
    for target in Target::BOTH {
        let flags = [
            "--target",
            target.triple(),
            "--config",
            "env.FLAG='of a flag'",
        ];
        let command = package.cargo_wasmtest(&flags);
        let ran = finish(&mut with_variables(command, &package));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("Ran 6 tests"), "{ran:?}");
        // what only a flag says, cargo's runner is not told
        let test = ["test", "--target", target.triple(), "--", "--skip", "flag"];
        let ran = finish(&mut with_variables(package.cargo(&test), &package));
        assert_eq!(ran.code, 0, "{ran:?}");
        let run = ["run", "-q", "--target", target.triple()];
        let ran = finish(&mut with_variables(package.cargo(&run), &package));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "checked\n"), "{ran:?}");
    }
}

#[test]
fn what_cargo_builds_elsewhere_is_read_and_written_to_as_the_advice_says() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        (
            "build.rs",
            "fn main() { std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/made\", \"made\").unwrap(); }\n",
        ),
        ("src/lib.rs", ""),
        ("../elsewhere/data/file", "data"),
    ]);
    let root = package.root().to_owned();
    let elsewhere = root.parent().expect("it has one").join("elsewhere");
    let at = |path: &str| elsewhere.join(path).display().to_string();
    let tests = r#"
use std::fs;
const TMP: &str = env!("CARGO_TARGET_TMPDIR");
#[test] fn reads() {
    assert!(fs::metadata(TMP).unwrap().is_dir());
    fs::read_dir(TMP).unwrap();
    assert_eq!(fs::read_to_string(concat!(env!("OUT_DIR"), "/made")).unwrap(), "made");
}
#[test] fn writes() { fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/new"), "x").unwrap(); }
#[test] fn not_granted() { fs::read("FILE").unwrap(); }
"#;
    package.write("tests/t.rs", &tests.replace("FILE", &at("data/file")));
    for (configuration, build) in [
        (format!("[build]\nbuild-dir = {:?}\n", at("built")), "built"),
        (
            format!("[build]\ntarget-dir = {:?}\n", at("target")),
            "target",
        ),
    ] {
        package.write(".cargo/config.toml", &configuration);
        for target in Target::BOTH {
            let run = |flags: &[&str]| {
                let all = [
                    &["--target", target.triple(), "--test", "t", "--"][..],
                    flags,
                ]
                .concat();
                package.wasmtest(&all)
            };
            let ran = run(&[]);
            assert_eq!(ran.code, 1, "{ran:?}");
            let tmp = at(&format!("{build}/{}/tmp", target.triple()));
            let (data, file) = (at("data"), at("data/file"));
            let told = [
                format!("tried to write {tmp}/new: read-only; --rw {tmp} allows it"),
                format!("tried to read {file}"),
                format!(": nothing is granted there; --dir {data} allows it"),
            ];
            for line in &told {
                assert!(ran.stdout.contains(line), "{line}: {ran:?}");
            }
            assert!(ran.stdout.contains("failures=2"), "{ran:?}");
            assert!(!ran.stdout.contains("not there"), "{ran:?}");
            let ran = run(&["--rw", &tmp, "--dir", &data]);
            assert_eq!(ran.code, 0, "{ran:?}");
            for holds_it in [&at(build), &at(&format!("{build}/{}", target.triple()))] {
                let ran = run(&["--rw", holds_it]);
                assert_eq!(ran.code, 2, "{ran:?}");
            }
            let test = ["test", "--target", target.triple(), "--test", "t"];
            let ran = finish(&mut package.cargo(&test));
            assert_eq!(ran.code, 101, "{ran:?}");
            assert!(ran.stdout.contains("test reads ... ok"), "{ran:?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(said.contains(&told[0]), "{ran:?}");
        }
    }
}

#[test]
fn doctests_that_wait_for_another_cargo_say_what_for() {
    // it runs between the build and the doctests, and waits twice
    let lib = "/// ```\n/// ```\npub fn f() {}\n\
        #[test] fn between() { for pipe in [\"out/begun\", \"out/go\"] { std::fs::File::create(pipe).unwrap(); } }\n";
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", lib),
        ("out/keep", ""),
    ]);
    let pipes = ["out/begun", "out/go"].map(|path| package.root().join(path));
    pipes.iter().for_each(|path| super::made::pipe(path));
    let mut command = package.cargo_wasmtest(&["--keep-going", "--", "--rw", "out"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    drop(File::open(&pipes[0]).expect("a pipe"));
    let debug = package.root().join("target/wasm32-wasip1/debug");
    // as newer ones name them, too
    let names = [".cargo-lock", ".cargo-build-lock", ".cargo-artifact-lock"];
    let files = names
        .iter()
        .filter_map(|name| File::open(debug.join(name)).ok());
    let held: Vec<File> = files.inspect(|file| file.lock().expect("locked")).collect();
    assert!(!held.is_empty());
    drop(File::open(&pipes[1]).expect("a pipe"));
    let mut lines = BufReader::new(child.stderr.take().expect("it was asked for")).lines();
    let waits = "note: the doctests wait: cargo is waiting for file lock on";
    let said = lines.find(|line| line.as_ref().is_ok_and(|l| l.contains(waits)));
    assert!(said.is_some());
    drop(held);
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    // the library itself, which no test needed
    let builds = "note: cargo builds what the doctests need".to_owned();
    assert!(rest.contains(&builds), "{rest:?}");
    let mut stdout = String::new();
    let mut pipe = child.stdout.take().expect("it was asked for");
    pipe.read_to_string(&mut stdout).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{stdout}");
    assert!(stdout.contains("Ran 2 tests"), "{stdout}");
}

#[test]
fn a_flag_on_the_wrong_side_is_told_where_it_belongs() {
    let package = Crate::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", "")]);
    let told = |args: &[&str]| {
        let ran = package.wasmtest(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        ran.stderr
    };
    let all = [
        &["--", "--allow-not-built"][..],
        &["--no-capture"],
        &["--test-threads=1"],
        &["--", "--list"],
        &["--shuffle"],
    ];
    let said: Vec<String> = all
        .iter()
        .map(|args| format!("$ cargo wasmtest {}\n{}", args.join(" "), told(args)))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_library_without_tests_is_told_of_where_tests_were_asked_of_it() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "pub fn f() {}\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("tests/api.rs", "#[test] fn t() {}\n"),
        ("tests/empty.rs", ""),
    ]);
    let notes = |flags: &[&str]| -> Vec<String> {
        let ran = package.wasmtest(flags);
        let lines = ran.stderr.lines().filter(|l| l.contains("holds no tests"));
        let mut all: Vec<String> = lines.map(str::to_owned).collect();
        all.sort();
        all
    };
    let note = |name: &str| format!("note: {name} holds no tests");
    assert_eq!(notes(&[]), [note("made::empty")]);
    assert_eq!(notes(&["--tests"]), [note("made::empty")]);
    assert_eq!(notes(&["--lib", "--test", "api"]), [note("made")]);
    assert_eq!(
        notes(&["--bin", "made", "--test", "api"]),
        [note("made::bin/made")]
    );
    assert_eq!(
        notes(&["--", "-v"]),
        [note("made"), note("made::bin/made"), note("made::empty")]
    );
}
