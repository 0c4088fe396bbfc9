//! A denied access is named in the failure of the test that tried it, and nowhere else.

use crate::support::{Events, Target, arg, finish, guest, wasmtest, wat};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A folder with something to read, something that leads out, and something outside.
fn granted() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(root.path().join("sub/snap")).expect("made");
    fs::write(root.path().join("sub/x.txt"), "granted").expect("written");
    fs::write(root.path().join("secret.txt"), "secret").expect("written");
    let link = root.path().join("sub/link");
    std::os::unix::fs::symlink("../secret.txt", link).expect("linked");
    root
}

fn run_in(root: &Path, module: &Path, flags: &[&str], test: &str) -> Events {
    let mut command = wasmtest();
    command
        .current_dir(root)
        .args(["run", "--message-format", "json"])
        .arg(module)
        .args(flags)
        .args(["--", test]);
    Events::of(finish(&mut command))
}

/// What is told of a test that is run with these grants.
fn denied(target: Target, flags: &[&str], test: &str) -> Value {
    let root = granted();
    let module = guest("denied", target, "dev");
    let path = format!("tests::{test}");
    let events = run_in(root.path(), &module, flags, &path);
    let end = events.end(&path);
    assert_eq!(end["wasmtest"]["outcome"], "failed", "{end:#}");
    end["wasmtest"]["denied"].clone()
}

#[test]
fn a_write_where_only_reading_is_granted() {
    let write = |path: &str, allow: &str| json!([{"tried": "write", "path": path, "why": "read-only", "allow": [allow]}]);
    let path = "sub/snap/a.snap.new";
    for target in Target::BOTH {
        let denied = |flags: &[&str]| denied(target, flags, "writes_where_it_may_read");
        assert_eq!(denied(&["--dir", "sub"]), write(path, "--dir sub:rw"));
        assert_eq!(denied(&["--dir", "."]), write(path, "--dir .:rw"));
        assert_eq!(
            denied(&["--dir", "sub", "--dir", "sub/snap"]),
            write(path, "--dir sub/snap:rw")
        );
        let denied = denied(&["--dir", "sub/snap::sub"]);
        let allow = denied[0]["allow"][0].as_str().expect("a flag");
        assert!(allow.ends_with("/sub/snap::sub:rw"), "{allow}");
    }
}

#[test]
fn what_no_grant_covers() {
    let read = |path: &str, folder: &str| {
        json!([{
            "tried": "read",
            "path": path,
            "or": format!("/{path}"),
            "why": "not-granted",
            "allow": [format!("--dir {folder}"), format!("--dir /{folder}")],
        }])
    };
    for target in Target::BOTH {
        for flags in [&[][..], &["--dir", "sub"]] {
            let denied = |test: &str| denied(target, flags, test);
            let absolute = denied("reads_an_absolute_path");
            assert_eq!(absolute, read("etc/passwd", "etc"));
            let relative = denied("reads_a_relative_path");
            assert_eq!(relative, read("tests/data/x.txt", "tests/data"));
            let folder = denied("lists_what_is_not_granted");
            assert_eq!(folder, read("tests/data", "tests/data"));
            let written = denied("writes_what_is_not_granted");
            let allow = json!(["--dir out:rw", "--dir /out:rw"]);
            assert_eq!(
                (&written[0]["tried"], &written[0]["allow"]),
                (&json!("write"), &allow)
            );
        }
    }
}

#[test]
fn what_leads_outside_of_a_grant_or_is_not_in_it() {
    let read = |path: &str, why: &str| json!([{"tried": "read", "path": path, "why": why}]);
    for target in Target::BOTH {
        let denied = |test: &str| denied(target, &["--dir", "sub"], test);
        assert_eq!(denied("climbs_out"), read("sub/../secret.txt", "leads-out"));
        assert_eq!(denied("follows_a_link_out"), read("sub/link", "leads-out"));
        assert_eq!(
            denied("reads_what_is_not_there"),
            read("sub/missing.txt", "not-there")
        );
    }
}

#[test]
fn a_path_under_the_current_folder_has_two_spellings() {
    for target in Target::BOTH {
        let denied = |test| denied(target, &["--dir", "."], test);
        // what is there is not called missing
        let mut there = denied("reads_an_absolute_path");
        let folder = there[0]["relative_to"].take();
        assert!(folder.is_string(), "{there:#}");
        assert_eq!(
            there,
            json!([{
                "tried": "read",
                "path": "/etc/passwd",
                "or": "etc/passwd",
                "why": "not-granted",
                "allow": ["--dir /etc"],
                "relative_to": null,
            }])
        );
        let missing = denied("reads_a_relative_path");
        assert_eq!(
            missing,
            json!([{"tried": "read", "path": "tests/data/x.txt", "or": "/tests/data/x.txt", "why": "not-there"}])
        );
    }
}

#[test]
fn a_test_that_passes_tells_nothing_and_one_that_fails_only_a_few() {
    let root = granted();
    for target in Target::BOTH {
        let module = guest("denied", target, "dev");
        for flags in [&["--dir", "sub"][..], &[]] {
            let events = run_in(root.path(), &module, flags, "probes_and_passes");
            let end = events.end("tests::probes_and_passes");
            assert_eq!(end["wasmtest"]["outcome"], "passed", "{end:#}");
            assert_eq!(end["wasmtest"]["denied"], Value::Null);
        }
        let failed = denied(target, &["--dir", "sub"], "probes_and_fails");
        let told: Vec<_> = failed.as_array().into_iter().flatten().collect();
        let paths: Vec<_> = told.iter().map(|d| d["path"].as_str()).collect();
        let expected = ["sub/out.txt", "/tmp/config97.toml", "/tmp/config98.toml"];
        assert_eq!(paths[..3], expected.map(Some), "{failed:#}");
        assert_eq!(told[1]["tried"], "look-at");
        assert_eq!(
            denied(target, &[], "fails_and_touches_nothing"),
            Value::Null
        );
    }
}

#[test]
fn of_a_thousand_attempts_the_last_eight_are_told() {
    let root = granted();
    for target in Target::BOTH {
        let module = guest("denied", target, "dev");
        let test = "tests::tries_a_thousand_times";
        let events = run_in(root.path(), &module, &["--dir", "sub"], test);
        let own = &events.end(test)["wasmtest"];
        let told = own["denied"].as_array().expect("a list");
        assert_eq!(told.len(), 8, "{own:#}");
        assert_eq!(told[6]["path"], "sub/999.txt");
        assert_eq!(told[7]["path"], "sub/again.txt");
        assert_eq!(own["denied_before"], 993);
    }
}

#[test]
fn every_way_to_change_files_is_told() {
    let write = |tried: &str, path: &str| (json!(tried), json!(path), json!("read-only"));
    for target in Target::BOTH {
        let denied = denied(target, &["--dir", "sub"], "tries_everything");
        let told: Vec<_> = denied
            .as_array()
            .into_iter()
            .flatten()
            .map(|d| (d["tried"].clone(), d["path"].clone(), d["why"].clone()))
            .collect();
        let expected = [
            write("create", "sub/new"),
            write("remove", "sub/x.txt"),
            write("remove", "sub/snap"),
            write("rename", "sub/x.txt"),
            write("rename", "sub/y.txt"),
            write("link", "sub/x.txt"),
            write("write", "sub/x.txt"),
            (json!("look-at"), json!("sub/missing"), json!("not-there")),
        ];
        assert_eq!(told, expected);
    }
}

#[test]
fn tests_that_share_an_instance_tell_what_each_of_them_tried() {
    let root = granted();
    let module = guest("denied", Target::P1, "dev");
    let flags = ["--dir", "sub", "--processes", "1"];
    let events = run_in(root.path(), &module, &flags, "unit::");
    let paths = |test: &str| -> Vec<String> {
        let end = events.end(test);
        let told = end["wasmtest"]["denied"].as_array().into_iter().flatten();
        told.filter_map(|d| Some(d["path"].as_str()?.to_owned()))
            .collect()
    };
    // with what was tried for it before it began
    assert_eq!(
        paths("unit::first_fails"),
        ["sub/first.txt", "sub/of_the_setup.txt"]
    );
    assert!(paths("unit::second_passes").is_empty());
    assert_eq!(paths("unit::third_fails")[0], "sub/third.txt");
}

#[test]
fn a_fixture_that_cannot_be_set_up_tells_what_it_lacks() {
    let root = granted();
    let module = guest("denied", Target::P1, "dev");
    let events = run_in(root.path(), &module, &[], "without_data");
    let failed = events
        .ends()
        .find(|e| e["wasmtest"]["error"] == "could not be set up")
        .expect("it is an error");
    let denied = &failed["wasmtest"]["denied"];
    assert_eq!(denied[0]["path"], "tests/data/all.json", "{failed:#}");
    assert_eq!(denied[0]["why"], "not-granted");
    let end = events.end("without_data::is_not_run");
    assert_eq!(end["wasmtest"]["denied"], Value::Null);
}

#[test]
fn a_setup_that_looks_where_nothing_is_can_be_replayed() {
    let root = granted();
    let module = guest("denied", Target::P1, "dev");
    let events = run_in(root.path(), &module, &["--processes", "1"], "probed::");
    assert_eq!(events.code, 0, "{events:#?}");
    let kept = |e: &&Value| e["type"] == "fixture" && e["event"] == "snapshot";
    assert_eq!(events.all.iter().filter(kept).count(), 1, "{events:#?}");
}

#[test]
fn what_people_read() {
    let root = granted();
    for target in Target::BOTH {
        let module = guest("denied", target, "dev");
        let ran = finish(
            wasmtest()
                .current_dir(root.path())
                .arg("run")
                .arg(&module)
                .args(["--processes", "1", "--dir", "sub", "--"])
                .args(["writes_where", "reads_an", "climbs", "thousand", "terminal"]),
        );
        let harmful = |c: char| c.is_control() && c != '\n';
        assert!(!ran.stdout.contains(harmful), "{:?}", ran.stdout);
        assert!(!ran.stdout.contains('\u{202e}'));
        if target == Target::P1 {
            let filters = [
                (r"rerun: .*", "rerun: [command]"),
                (r"\b\d+(\.\d+)?(ns|us|ms|s)\b", "[time]"),
                (r" {2,}\[time\]", " [time]"),
                (r"\S+/(denied/src/lib.rs)", "[folder]/$1"),
                (r"denied/src/lib.rs:\d+(:\d+)?", "denied/src/lib.rs:L"),
                ("(é/){9,}", "[é]/"),
            ];
            insta::with_settings!({filters => filters}, {
                insta::assert_snapshot!(ran.stdout);
            });
        }
    }
}

/// A program that calls the functions of WASI 0.1, or of its predecessor, as it likes;
/// its text has `etc/passwd` at 8, and a byte that is no text after it.
fn calls(folder: &Path, wasi: &str, calls: &str) -> Value {
    let text = format!(
        r#"(module
            (import "{wasi}" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "{wasi}" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
            (import "{wasi}" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 8) "etc/passwd\ff")
            (func $is (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
            (func (export "_start") {calls} (memory.grow (i32.const 1)) drop
                (i32.div_s (i32.const 1) (i32.const 0)) drop))"#
    );
    let module = wat(folder, &format!("{wasi}.wasm"), &text);
    let events = crate::support::events([arg(&module)]);
    let end = events.ends().next().expect("one test");
    end["wasmtest"].clone()
}

const BOTH: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

#[test]
fn old_names_of_functions_and_descriptors_that_are_none_are_answered_as_ever() {
    let dir = tempfile::tempdir().expect("a folder");
    let etc = "(i32.const 8) (i32.const 10)";
    let all = format!(
        "(call $is (call $unlink (i32.const 99) {etc}) (i32.const 8))
         (call $is (call $unlink (i32.const 1) {etc}) (i32.const 8))
         (call $is (call $unlink (i32.const 4) (i32.const 8) (i32.const 11)) (i32.const 25))
         (call $is (call $unlink (i32.const 4) (i32.const 65536) (i32.const 0)) (i32.const 63))
         (call $is (call $rename (i32.const 3) {etc} (i32.const 4) {etc}) (i32.const 63))
         (call $is (call $open (i32.const 4) (i32.const 0) {etc} (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 32)) (i32.const 44))"
    );
    for wasi in BOTH {
        let end = calls(dir.path(), wasi, &all);
        assert_eq!(end["message"], "integer division by zero", "{end:#}");
        let told: Vec<_> = end["denied"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|d| (d["tried"].as_str(), d["path"].as_str(), d["why"].as_str()))
            .collect();
        let expected = [
            ("remove", ".", "not-granted"),
            ("rename", "etc/passwd", "not-granted"),
            ("read", "etc/passwd", "not-granted"),
        ];
        let expected = expected.map(|(a, b, c)| (Some(a), Some(b), Some(c)));
        assert_eq!(told, expected, "{end:#}");
    }
}

#[test]
fn a_path_outside_of_the_memory_is_the_trap_that_it_always_was() {
    let dir = tempfile::tempdir().expect("a folder");
    for wasi in BOTH {
        for path in [
            "65530) (i32.const 10",
            "-1) (i32.const 10",
            "70000) (i32.const 0",
        ] {
            let call = format!("(drop (call $unlink (i32.const 4) (i32.const {path})))");
            let end = calls(dir.path(), wasi, &call);
            assert_eq!(end["outcome"], "errored", "{path}: {end:#}");
            let message = end["message"].as_str().unwrap_or_default();
            assert!(message.contains("ointer"), "{path}: {end:#}");
            assert_eq!(end["denied"], Value::Null);
        }
    }
}
