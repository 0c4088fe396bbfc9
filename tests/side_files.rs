//! Programs whose calls and whose expected ends stand in files beside them (`--side-files`).

use crate::support::{Events, arg, events, finish, wasmtest, wat};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// What programs import, and a function that writes.
const WASI: &str = r#"
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func $write (param $fd i32) (param $at i32) (param $length i32)
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $length))
        (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
"#;

/// Writes its arguments, its variables and what it reads to stdout.
const TELLS: &str = r#"
    (func (export "_start")
        (drop (call $args_sizes (i32.const 16) (i32.const 20)))
        (drop (call $args (i32.const 100) (i32.const 1000)))
        (call $write (i32.const 1) (i32.const 1000) (i32.load (i32.const 20)))
        (drop (call $env_sizes (i32.const 16) (i32.const 20)))
        (drop (call $env (i32.const 100) (i32.const 1000)))
        (call $write (i32.const 1) (i32.const 1000) (i32.load (i32.const 20)))
        (i32.store (i32.const 0) (i32.const 1000))
        (i32.store (i32.const 4) (i32.const 1000))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $write (i32.const 1) (i32.const 1000) (i32.load (i32.const 8))))
"#;

/// Exits with 2 unless its first folder holds `seed`, with 3 unless it can make `new` there;
/// writes that folder's name, of four bytes.
const WRITES: &str = r#"
    (data (i32.const 100) "seednew")
    (func (export "_start")
        (if (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 0)
                (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16))
            (then (call $exit (i32.const 2))))
        (if (call $open (i32.const 3) (i32.const 0) (i32.const 104) (i32.const 3) (i32.const 5)
                (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16))
            (then (call $exit (i32.const 3))))
        (drop (call $name (i32.const 3) (i32.const 200) (i32.const 4)))
        (call $write (i32.const 1) (i32.const 200) (i32.const 4)))
"#;

/// A folder of programs, each with its side file, if it has one.
fn programs(programs: &[(&str, &str, Option<&str>)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, body, side) in programs {
        add(folder.path(), name, body, *side);
    }
    folder
}

fn add(folder: &Path, name: &str, body: &str, side: Option<&str>) {
    wat(
        folder,
        &format!("{name}.wasm"),
        &format!("(module {WASI} {body})"),
    );
    if let Some(side) = side {
        fs::write(folder.join(format!("{name}.json")), side).expect("written");
    }
}

/// What is told of a program's end in a run of a folder with `--side-files` and these flags.
fn ran(folder: &Path, flags: &[&str]) -> Events {
    events([&["--side-files", arg(folder)], flags].concat())
}

fn end<'a>(events: &'a Events, program: &str) -> &'a Value {
    let mut ends = events.ends();
    let is_its = |e: &&Value| e["wasmtest"]["module"] == format!("{program}.wasm");
    let end = ends.find(is_its);
    &end.unwrap_or_else(|| panic!("{program} has ended in {events:#?}"))["wasmtest"]
}

fn told(end: &Value) -> (&str, &str) {
    let text = |key: &str| end[key].as_str().unwrap_or_default();
    (text("outcome"), text("message"))
}

#[test]
fn a_side_file_says_how_a_program_is_called_and_what_has_to_come_of_it() {
    let exits = r#"(func (export "_start") (call $exit (i32.const 7)))"#;
    let folder = programs(&[
        (
            "tells",
            TELLS,
            Some(
                r#"{"args": ["a", "b c"], "env": {"N": "V", "M": "a\"b"}, "stdin": "read\n",
                    "stdout": "tells.wasm\u0000a\u0000b c\u0000M=a\"b\u0000N=V\u0000read\n", "stderr": ""}"#,
            ),
        ),
        ("alone", TELLS, None),
        ("exits", exits, Some(r#"{"exit_code": 7}"#)),
        ("exits_otherwise", exits, Some(r#"{"exit_code": 8}"#)),
        ("unexpected", exits, None),
        (
            "traps",
            r#"(func (export "_start") unreachable)"#,
            Some(r#"{"exit_code": 134}"#),
        ),
        (
            "wrong",
            TELLS,
            Some(r#"{"stdin": "x\nsecond\n", "stdout": "wrong.wasm\u0000x\nother\n"}"#),
        ),
    ]);
    for processes in ["0", "2"] {
        let events = ran(folder.path(), &["--processes", processes]);
        let told = |program| told(end(&events, program));
        assert_eq!(told("tells"), ("passed", ""));
        assert_eq!(end(&events, "tells")["harness"], "side-files");
        assert_eq!(told("alone"), ("passed", ""));
        assert_eq!(told("exits"), ("passed", ""));
        let other = "exited with status 7, and 8 is expected";
        assert_eq!(told("exits_otherwise"), ("failed", other));
        assert_eq!(told("unexpected"), ("failed", "exited with status 7"));
        assert_eq!(told("traps").0, "errored");
        let wrong = "stdout is not as expected, from line 2:\n  expected: \"other\\n\"\n  found:    \"second\\n\"";
        assert_eq!(told("wrong"), ("failed", wrong));
        let again = end(&events, "wrong")["rerun"].as_str().expect("told");
        assert!(again.contains(" --side-files"), "{again}");
        assert_eq!(events.code, 1);
    }
}

#[test]
fn a_program_has_no_variable_but_its_own_and_those_that_are_granted() {
    let folder = programs(&[(
        "tells",
        TELLS,
        Some(r#"{"stdout": "tells.wasm\u0000G=1\u0000"}"#),
    )]);
    let events = ran(folder.path(), &["--env", "G=1"]);
    assert_eq!(told(end(&events, "tells")), ("passed", ""));
}

#[test]
fn each_test_writes_to_copies_of_its_own_and_the_original_stays() {
    let side = r#"{"dirs": ["data"], "stdout": "data"}"#;
    let folder = programs(&[("a", WRITES, Some(side)), ("b", WRITES, Some(side))]);
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("made");
    fs::write(data.join("seed"), "").expect("written");
    for processes in ["0", "1", "2"] {
        let events = ran(folder.path(), &["--processes", processes]);
        for program in ["a", "b"] {
            assert_eq!(told(end(&events, program)), ("passed", ""), "{processes}");
        }
        let names = fs::read_dir(&data).expect("there").flatten();
        let names: Vec<_> = names.map(|e| e.file_name()).collect();
        assert_eq!(names, ["seed"]);
    }
    // from its own folder, where a program's path has no other part
    let here =
        finish(
            wasmtest()
                .current_dir(folder.path())
                .args(["run", "--side-files", "a.wasm"]),
        );
    assert_eq!(here.code, 0, "{}{}", here.stdout, here.stderr);
}

#[test]
fn copies_are_kept_with_the_scratch_folder_of_a_test_that_failed() {
    let side = r#"{"dirs": ["data"], "exit_code": 1}"#;
    let folder = programs(&[("a", WRITES, Some(side))]);
    fs::create_dir(folder.path().join("data")).expect("made");
    fs::write(folder.path().join("data/seed"), "").expect("written");
    let events = ran(folder.path(), &["--keep-scratch"]);
    let scratch = end(&events, "a")["scratch"].as_str().expect("it is kept");
    assert!(Path::new(scratch).join("dirs/0/new").is_file(), "{scratch}");
    let root = Path::new(scratch).parent().expect("the run's");
    fs::remove_dir_all(root).expect("ours");
}

#[test]
fn no_folder_leads_out_by_whatever_way() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("seed"), "").expect("written");
    for (dir, said) in [
        ("../x", "leads out"),
        ("/etc", "absolute"),
        ("link", "is no folder below"),
        ("gone", "is no folder below"),
    ] {
        let side = format!(r#"{{"dirs": ["{dir}"]}}"#);
        let folder = programs(&[("a", WRITES, Some(&side))]);
        symlink(outside.path(), folder.path().join("link")).expect("made");
        for processes in ["0", "2"] {
            let events = ran(folder.path(), &["--processes", processes]);
            let end = events.ends().next().expect("it has ended");
            let message = end["wasmtest"]["message"].as_str().unwrap_or_default();
            assert!(message.contains(said), "{dir}: {end:#}");
            assert!([1, 3].contains(&events.code), "{}", events.code);
        }
        assert!(!outside.path().join("new").exists());
    }
}

#[test]
fn a_side_file_that_makes_no_sense_is_named_with_what_is_wrong() {
    let cases = [
        (r#"{"arguments": []}"#, ["`arguments`", "`args`"]),
        ("{", ["line 1", "EOF"]),
        (r#"{"operations": []}"#, ["`operations`", "a.json"]),
    ];
    for (side, said) in cases {
        let folder = programs(&[("a", TELLS, Some(side)), ("good", TELLS, None)]);
        let events = ran(folder.path(), &[]);
        assert_eq!(events.code, 3);
        let bad = events.ends().find(|e| e["name"] == "a.wasm");
        let bad = bad.expect("it is told of");
        let message = bad["wasmtest"]["message"].as_str().expect("why");
        for said in said.iter().chain(&["a.json"]) {
            assert!(message.contains(said), "{message}");
        }
        assert_eq!(told(end(&events, "good")), ("passed", ""));
    }
}

#[test]
fn without_the_flag_a_side_file_means_nothing() {
    let side = r#"{"dirs": ["data"], "exit_code": 2}"#;
    let folder = programs(&[("a", WRITES, Some(side)), ("b", WRITES, Some("{"))]);
    fs::create_dir(folder.path().join("data")).expect("made");
    fs::write(folder.path().join("data/seed"), "").expect("written");
    let events = events([arg(folder.path())]);
    for program in ["a", "b"] {
        let end = end(&events, program);
        assert_eq!(told(end), ("failed", "exited with status 2"));
        assert_eq!(end["harness"], "command");
    }
}

#[test]
fn output_that_was_left_out_cannot_be_compared() {
    let floods = r#"
        (func (export "_start") (local $left i32)
            (local.set $left (i32.const 20))
            (loop $more
                (call $write (i32.const 1) (i32.const 0) (i32.const 60000))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $more (local.get $left))))"#;
    let folder = programs(&[
        ("a", floods, Some(r#"{"stdout": ""}"#)),
        ("b", floods, Some("{}")),
    ]);
    let events = ran(folder.path(), &[]);
    let (outcome, message) = told(end(&events, "a"));
    assert!(
        outcome == "errored" && message.contains("cannot be compared"),
        "{message}"
    );
    assert_eq!(told(end(&events, "b")), ("passed", ""));
}

#[test]
fn list_and_plan_take_the_flag_too() {
    let folder = programs(&[
        ("a", TELLS, Some(r#"{"exit_code": 7}"#)),
        ("b", TELLS, None),
    ]);
    let list = finish(wasmtest().args(["list", "--side-files", arg(folder.path())]));
    assert_eq!(
        (list.code, list.stdout.as_str()),
        (0, "a.wasm main\nb.wasm main\n")
    );
    let plan = finish(wasmtest().args(["plan", "--side-files", arg(folder.path())]));
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    fs::write(folder.path().join("a.json"), "[]").expect("written");
    let list = finish(wasmtest().args(["list", "--side-files", arg(folder.path())]));
    assert_eq!(list.code, 3, "{}{}", list.stdout, list.stderr);
}

#[test]
fn a_programs_own_variables_and_folders_win_over_what_is_granted() {
    let folder = programs(&[
        (
            "tells",
            TELLS,
            Some(
                r#"{"env": {"A": "side"}, "stdout": "tells.wasm\u0000TMPDIR=/tmp\u0000A=side\u0000"}"#,
            ),
        ),
        (
            "writes",
            WRITES,
            Some(r#"{"dirs": ["data"], "stdout": "data"}"#),
        ),
    ]);
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("made");
    fs::write(data.join("seed"), "").expect("written");
    let grant = format!("{}::data:rw", data.display());
    let flags = ["--env", "A=flag", "--env", "TMPDIR=/tmp", "--dir", &grant];
    let events = ran(folder.path(), &flags);
    assert_eq!(told(end(&events, "tells")), ("passed", ""));
    assert_eq!(told(end(&events, "writes")), ("passed", ""));
    assert!(!data.join("new").exists(), "the original never changes");
}

#[test]
fn each_name_of_a_program_counts_and_a_link_that_leads_nowhere_is_no_side_file() {
    let exits = r#"(func (export "_start") (call $exit (i32.const 7)))"#;
    let folder = programs(&[
        ("a", exits, Some(r#"{"exit_code": 7}"#)),
        ("dangling", exits, None),
    ]);
    let at = |name: &str| folder.path().join(name);
    fs::hard_link(at("a.wasm"), at("b.wasm")).expect("made");
    fs::write(at("b.json"), "{}").expect("written");
    symlink("gone", at("dangling.json")).expect("made");
    let events = ran(folder.path(), &[]);
    assert_eq!(told(end(&events, "a")), ("passed", ""));
    assert_eq!(told(end(&events, "b")).0, "failed");
    let dangling = told(end(&events, "dangling"));
    assert_eq!(dangling.0, "errored");
    assert!(dangling.1.contains("leads nowhere"), "{dangling:?}");
}

#[test]
fn a_list_says_how_a_program_is_run_as_it_was_listed() {
    let folder = programs(&[("a", TELLS, None)]);
    let list = [
        "list",
        "--side-files",
        "--no-config",
        "--message-format",
        "json",
    ];
    let ran = finish(wasmtest().args(list).arg(folder.path()));
    let line: Value = serde_json::from_str(ran.stdout.trim()).expect("a test");
    let rerun = line["wasmtest"]["rerun"].as_str().expect("told");
    for flag in [" --side-files", " --no-config"] {
        assert!(rerun.contains(flag), "{rerun}");
    }
}
