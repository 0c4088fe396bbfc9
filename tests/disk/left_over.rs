//! Nothing is left behind in TMPDIR: not what a test made as awkward as it could, not by a run
//! that was interrupted, and for longer than until the next run not by one that was killed.

use crate::support::{Ran, Target, arg, finish, guest, wasmtest, wat};
use crate::workers::{Watched, await_end, send};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program that makes so many folders in its own, each in the one before, and returns.
fn nesting(levels: u32) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "path_create_directory"
            (func $make (param i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "d")
          (func (export "_start") (local $at i32) (local $left i32)
            (local.set $at (i32.const 3))
            (local.set $left (i32.const {levels}))
            (loop $deeper
              (if (call $make (local.get $at) (i32.const 0) (i32.const 1)) (then unreachable))
              (if (call $open (local.get $at) (i32.const 0) (i32.const 0) (i32.const 1)
                    (i32.const 2) (i64.const 0x2200) (i64.const 0x2200) (i32.const 0) (i32.const 8))
                (then unreachable))
              (if (i32.ne (local.get $at) (i32.const 3))
                (then (drop (call $close (local.get $at)))))
              (local.set $at (i32.load (i32.const 8)))
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $deeper (local.get $left)))))"#
    )
}

/// Runs with little stack and few descriptors.
fn with_little(command: &Command) -> Ran {
    let mut sh = Command::new("sh");
    sh.args([
        "-c",
        "ulimit -s 2048 && ulimit -n 1024 && exec \"$@\"",
        "sh",
    ]);
    sh.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => sh.env(name, value),
            None => sh.env_remove(name),
        };
    }
    finish(sh.current_dir(command.get_current_dir().expect("set")))
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).expect("there").count()
}

#[test]
fn folders_in_folders_are_removed_however_deep() {
    let modules = tempfile::tempdir().expect("a folder");
    // 50,000 folders take a disk a minute
    let quick = Some(Path::new("/dev/shm")).filter(|place| place.is_dir());
    let place = quick.map_or_else(std::env::temp_dir, Path::to_owned);
    let tmp = tempfile::tempdir_in(place).expect("a folder");
    let deep = wat(modules.path(), "deep.wasm", &nesting(50_000));
    for processes in ["1", "0"] {
        let mut command = wasmtest();
        command.args(["run", arg(&deep), "--processes", processes]);
        let ran = with_little(command.env("TMPDIR", tmp.path()));
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(!ran.stderr.contains("note:"), "{}", ran.stderr);
        assert_eq!(entries(tmp.path()), 0, "--processes {processes}");
    }
    let mut command = wasmtest();
    command.args(["exec", "--tmp", arg(&deep)]);
    let ran = with_little(command.env("TMPDIR", tmp.path()));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(entries(tmp.path()), 0, "exec");
}

/// A run in which a test is under way that has written to its own folder, below `tmp`.
fn under_way(tmp: &Path) -> Watched {
    let module = guest("disk", Target::P1, "dev");
    let mut command = wasmtest();
    command
        .env("TMPDIR", tmp)
        .args(["run", "--message-format", "json"]);
    command.args([arg(&module), "--processes", "1", "--exact", "--"]);
    let mut run = Watched::begin(command.arg("tests::writes_and_waits"));
    run.wait_for("started", "writes_and_waits");
    run
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_and_what_a_living_one_has_is_not() {
    let tmp = tempfile::tempdir().expect("a folder");
    let module = guest("disk", Target::P1, "dev");
    let (killed, living) = (under_way(tmp.path()), under_way(tmp.path()));
    assert_eq!(entries(tmp.path()), 2);
    let workers = killed.children();
    killed.signal(libc::SIGKILL);
    assert_eq!(killed.finish().code, -1);
    for worker in workers {
        await_end(worker);
    }
    assert_eq!(entries(tmp.path()), 2, "it could not tidy up");
    let next = || {
        let mut command = wasmtest();
        command.args(["run", arg(&module), "--exact", "--", "tests::writes_little"]);
        let ran = finish(command.env("TMPDIR", tmp.path()));
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    };
    next();
    assert_eq!(entries(tmp.path()), 1, "the folder of the one that lives");
    living.signal(libc::SIGTERM);
    assert_eq!(living.finish().code, 143);
    assert_eq!(entries(tmp.path()), 0);
}

#[test]
fn an_interrupt_at_any_moment_leaves_nothing() {
    let modules = tempfile::tempdir().expect("a folder");
    let tmp = tempfile::tempdir().expect("a folder");
    // reading these takes longer than it takes to be interrupted
    for n in 0..300 {
        wat(
            modules.path(),
            &format!("{n}.wasm"),
            "(module (func (export \"_start\")))",
        );
    }
    for _ in 0..5 {
        let mut command = wasmtest();
        command
            .args(["run", arg(modules.path())])
            .env("TMPDIR", tmp.path());
        let run = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut run = run.spawn().expect("it starts");
        while entries(tmp.path()) == 0 {
            assert!(
                run.try_wait().expect("a child").is_none(),
                "it ended before"
            );
            std::thread::yield_now();
        }
        send(run.id(), libc::SIGINT);
        assert_eq!(run.wait().expect("it ends").code(), Some(130));
        assert_eq!(entries(tmp.path()), 0);
    }
}
