//! What a test can reach, and what it leaves behind: nothing but what was granted.

use crate::support::{Target, arg, events, finish, guest, run, wasmtest, wat};
use std::fs;

/// Tests that need no grant and pass in a closed sandbox.
const CLOSED: &[&str] = &[
    "memory_is_fresh_1",
    "memory_is_fresh_2",
    "sees_no_environment_but_tmpdir",
    "has_no_arguments_but_the_harness_own",
    "stdin_is_empty",
    "scratch_is_empty_1",
    "scratch_is_empty_2",
    "scratch_is_empty_3",
    "the_host_is_out_of_reach",
    "links_do_not_lead_out",
    "there_are_no_sockets",
    "prints_three_megabytes_and_passes",
    "recurses_ten_thousand_deep",
];

#[test]
fn a_test_sees_nothing_of_the_host_and_nothing_of_other_tests() {
    for target in Target::BOTH {
        let module = guest("sandbox", target, "dev");
        for processes in ["0", "1", "2"] {
            let events = events([arg(&module), "--processes", processes]);
            for test in CLOSED {
                let path = format!("tests::{test}");
                assert_eq!(events.outcome(&path), "passed", "{:#}", events.end(&path));
            }
        }
    }
}

#[test]
fn output_is_kept_up_to_a_cap_head_and_tail() {
    let module = guest("sandbox", Target::P1, "dev");
    let events = events([arg(&module), "--", "three_megabytes_and_fails"]);
    let end = events.end("tests::prints_three_megabytes_and_fails");
    let text = end["stdout"].as_str().expect("it has output");
    assert!(
        text.starts_with("the first line\nline 0 of"),
        "{}",
        &text[..100]
    );
    assert!(text.contains("bytes left out]"));
    assert!(text.contains("\nline 99999 of a hundred thousand\nthe last line\n"));
    assert!(text.len() < 1 << 20, "{}", text.len());
}

/// A write of several pieces, and to a descriptor that became another: each is where it belongs.
#[test]
fn output_goes_where_the_guests_descriptors_lead() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = wat(
        folder.path(),
        "writes.wasm",
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
            (memory (export "memory") 1)
            ;; two pieces, an empty one between them
            (data (i32.const 0) "\40\00\00\00\06\00\00\00\00\00\00\00\00\00\00\00\46\00\00\00\06\00\00\00")
            (data (i32.const 64) "first second")
            (func $is (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
            (func $writes_all (param $fd i32)
                (call $is (call $write (local.get $fd) (i32.const 0) (i32.const 3) (i32.const 48)) (i32.const 0))
                ;; whoever takes a part is asked for the rest
                (if (i32.lt_u (i32.load (i32.const 48)) (i32.const 12)) (then
                    (call $is (i32.load (i32.const 48)) (i32.const 6))
                    (call $is (call $write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 48)) (i32.const 0)))))
            (func (export "_start")
                (call $writes_all (i32.const 1))
                (call $writes_all (i32.const 2))
                (call $is (call $renumber (i32.const 1) (i32.const 2)) (i32.const 0))
                (call $writes_all (i32.const 2))
                (call $is (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 48)) (i32.const 8))
                (call $is (call $close (i32.const 2)) (i32.const 0))
                (call $is (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 48)) (i32.const 8))))"#,
    );
    let ran = run([arg(&module), "--show-output"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    let shown = |stream: &str| {
        let of = ran.stdout.lines().filter_map(|line| {
            let (before, after) = line.split_once(" │ ")?;
            before.trim().eq(stream).then_some(after.to_owned())
        });
        of.collect::<Vec<String>>()
    };
    assert_eq!(shown("stdout"), ["first secondfirst second"], "{ran:#?}");
    assert_eq!(shown("stderr"), ["first second"], "{ran:#?}");
}

#[test]
fn a_granted_folder_has_all_its_names_in_core_modules_and_components() {
    let root = tempfile::tempdir().expect("a folder");
    let sub = root.path().join("sub");
    fs::create_dir(&sub).expect("made");
    fs::write(sub.join("x.txt"), "granted").expect("written");
    let granted = format!("GRANTED={}", sub.display());
    for target in Target::BOTH {
        let module = guest("sandbox", target, "dev");
        let run = |dir: &str, test: &str| {
            let ran = finish(
                wasmtest()
                    .current_dir(root.path())
                    .args([
                        "run",
                        module.to_str().expect("UTF-8"),
                        "--dir",
                        dir,
                        "--env",
                        &granted,
                        "--exact",
                        "--",
                    ])
                    .arg(format!("tests::{test}")),
            );
            assert_eq!(ran.code, 0, "--dir {dir}: {}{}", ran.stdout, ran.stderr);
        };
        run("sub", "reads_a_granted_folder_under_every_name");
        run("./sub", "reads_a_granted_folder_under_every_name");
        run("./sub/", "reads_a_granted_folder_under_every_name");
        run(arg(&sub), "reads_under_its_absolute_name_only");
        run(".", "reads_the_granted_current_folder_under_every_name");
        run("sub::/data", "reads_under_a_guest_name");
    }
}

#[test]
fn a_grant_is_read_only_unless_it_says_otherwise() {
    let root = tempfile::tempdir().expect("a folder");
    let sub = root.path().join("sub");
    fs::create_dir(&sub).expect("made");
    for target in Target::BOTH {
        let module = guest("sandbox", target, "dev");
        let code = |dir: &str| {
            let mut command = wasmtest();
            let test = "tests::writes_to_a_granted_folder";
            command.current_dir(root.path()).args([
                "run",
                module.to_str().expect("UTF-8"),
                "--dir",
                dir,
                "--exact",
                "--",
                test,
            ]);
            finish(&mut command).code
        };
        assert_eq!(code("sub"), 1);
        assert_eq!(code("sub:ro"), 1);
        assert!(!sub.join("out.txt").exists());
        assert_eq!(code("sub:rw"), 0);
        let text = fs::read_to_string(sub.join("out.txt")).expect("it was written");
        assert_eq!(text, "written by a guest");
        fs::remove_file(sub.join("out.txt")).expect("there");
    }
}

#[test]
fn variables_reach_a_test_only_if_granted() {
    let module = guest("sandbox", Target::P1, "dev");
    let test = "tests::sees_granted_variables";
    let ran = finish(wasmtest().env("FROM_OUTSIDE", "inherited").args([
        "run",
        arg(&module),
        "--env",
        "GIVEN=a value",
        "--env",
        "FROM_OUTSIDE",
        "--exact",
        "--",
        test,
    ]));
    assert_eq!(ran.code, 0, "{}", ran.stdout);
}

#[test]
fn scratch_folders_go_with_the_run_unless_they_are_kept() {
    let module = guest("sandbox", Target::P1, "dev");
    let temp = tempfile::tempdir().expect("a folder");
    let run = |flags: &[&str]| {
        let mut command = wasmtest();
        command
            .env("TMPDIR", temp.path())
            .args(["run", "--message-format", "json", arg(&module)])
            .args(flags);
        command.args(["--", "leaves_a_file", "scratch_is_empty"]);
        crate::support::Events::of(finish(&mut command))
    };
    run(&[]);
    assert_eq!(fs::read_dir(temp.path()).expect("there").count(), 0);
    let events = run(&["--keep-scratch"]);
    let kept = &events.end("tests::leaves_a_file_and_fails")["wasmtest"]["scratch"];
    let kept = std::path::Path::new(kept.as_str().expect("it is kept"));
    assert_eq!(
        fs::read_to_string(kept.join("evidence.txt")).expect("kept"),
        "look here"
    );
    // of passed tests nothing is kept
    let others: Vec<_> = fs::read_dir(kept.parent().expect("the run's folder"))
        .expect("there")
        .collect();
    assert_eq!(others.len(), 1, "{others:?}");
}
