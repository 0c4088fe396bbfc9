//! Folders that guests list: what they are told, byte by byte, and what that costs.

use crate::support::{Target, finish, guest, wasmtest, wat};
use std::fs;
use std::path::Path;
use std::process::Command;

fn exec(dir: &Path, access: &str) -> Command {
    let mut command = wasmtest();
    let grant = format!("{}::data{access}", dir.display());
    command.args(["exec", "--dir", &grant]);
    command
}

fn files(count: usize) -> (tempfile::TempDir, Vec<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut names: Vec<String> = (0..count).map(|i| format!("file number {i}")).collect();
    for name in &names {
        fs::write(dir.path().join(name), "").expect("written");
    }
    names.sort();
    (dir, names)
}

#[test]
fn every_entry_is_told_once_whatever_a_folders_size() {
    // in one part, and in several: names of this length fill 64 KiB at about 1,600
    for count in [0, 1, 200, 5000] {
        let (dir, names) = files(count);
        for target in Target::BOTH {
            let mut command = exec(dir.path(), "");
            let ran = finish(
                command
                    .arg(guest("exec", target, "dev"))
                    .args(["list", "data"]),
            );
            assert_eq!(ran.code, 0, "{ran:?}");
            let told: Vec<&str> = ran.stdout.lines().collect();
            assert_eq!(told, names, "{target:?}");
        }
    }
}

#[test]
fn what_is_removed_while_a_listing_goes_on_hides_nothing() {
    for target in Target::BOTH {
        let (dir, _) = files(300);
        let mut command = exec(dir.path(), ":rw");
        let ran = finish(
            command
                .arg(guest("exec", target, "dev"))
                .args(["clear", "data"]),
        );
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "300\n"), "{target:?}");
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 0);
    }
}

/// How often the system is asked for the status of a file of [`files`]; of others, such as the
/// compiled modules that are kept, it is asked now more, now less.
fn looks(target: Target, dir: &Path) -> usize {
    let log = dir.with_extension("strace");
    let mut command = Command::new("strace");
    let grant = format!("{}::data", dir.display());
    command
        .args(["-f", "-e", "trace=%%stat", "-o"])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_wasmtest"))
        .args(["exec", "--dir", &grant])
        .arg(guest("exec", target, "dev"))
        .args(["list", "data"]);
    let ran = finish(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    let log = fs::read_to_string(log).expect("written");
    log.lines()
        .filter(|line| line.contains("file number"))
        .count()
}

#[test]
fn a_folder_is_read_once_for_all_of_a_guests_buffers() {
    let has_strace = Command::new("strace").arg("-V").output().is_ok();
    if !has_strace {
        eprintln!("not counted: there is no strace here");
        return;
    }
    let (dir, _) = files(1000);
    let looks = looks(Target::P1, dir.path());
    // an entry is looked at when it is read and for its number
    assert!((1000..=2000).contains(&looks), "{looks}");
}

/// A module that lists its first folder with these calls (a descriptor, a cookie, a length) and
/// writes, for each, its error's number, how much was written and what.
fn lists(dir: &Path, module: &str, calls: &str) -> std::path::PathBuf {
    let text = format!(
        r#"(module
            (import "{module}" "fd_readdir"
                (func $readdir (param i32 i32 i32 i64 i32) (result i32)))
            (import "{module}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "{module}" "fd_close" (func $close (param i32) (result i32)))
            (import "{module}" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
            (memory (export "memory") 2)
            (func $list (param $fd i32) (param $cookie i64) (param $length i32)
                (i32.store (i32.const 4) (i32.const 0))
                (i32.store (i32.const 0) (call $readdir (local.get $fd) (i32.const 8)
                    (local.get $length) (local.get $cookie) (i32.const 4)))
                (i32.store (i32.const 70000) (i32.const 0))
                (i32.store (i32.const 70004) (i32.add (i32.const 8) (i32.load (i32.const 4))))
                (drop (call $write (i32.const 1) (i32.const 70000) (i32.const 1)
                    (i32.const 70008))))
            (func (export "_start") {calls}))"#
    );
    wat(dir, &format!("{module}.wasm"), &text)
}

/// What [`lists`] wrote: for each call an error's number and the bytes.
fn listed(folders: &[&Path], file: &Path) -> Vec<(u32, Vec<u8>)> {
    let mut command = wasmtest();
    command.arg("exec");
    for (i, dir) in folders.iter().enumerate() {
        command.args(["--dir", &format!("{}::d{i}", dir.display())]);
    }
    let output = command.arg(file).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let mut rest = output.stdout.as_slice();
    let mut all = Vec::new();
    while let Some((head, more)) = rest.split_at_checked(8) {
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
        let (bytes, more) = more.split_at(number(4) as usize);
        all.push((number(0), bytes.to_vec()));
        rest = more;
    }
    all
}

#[test]
fn buffers_of_any_size_hold_the_same_bytes_and_each_cookie_leads_on() {
    const BADF: u32 = 8;
    let (dir, _) = files(3);
    let (other, _) = files(1);
    let modules = tempfile::tempdir().expect("a folder");
    let list = |fd: i32, cookie: i64, length: i32| {
        format!("(call $list (i32.const {fd}) (i64.const {cookie}) (i32.const {length}))")
    };
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let calls = [
            list(3, 0, 4096),
            list(3, 0, 30),
            list(3, 1, 4096),
            list(3, 2, 60),
            list(3, 5, 4096),
            list(3, 99, 4096),
            list(3, 0, 0),
            list(3, -1, 4096),
            list(1, 0, 4096),
            list(9, 0, 4096),
            // the number of another folder, and what was read of the one before is not its
            "(drop (call $renumber (i32.const 4) (i32.const 3)))".to_owned(),
            list(3, 2, 4096),
            list(3, 0, 4096),
            "(drop (call $close (i32.const 3)))".to_owned(),
            list(3, 2, 4096),
        ];
        let file = lists(modules.path(), module, &calls.concat());
        let all = listed(&[dir.path(), other.path()], &file);
        let whole = &all[0].1;
        assert_eq!(whole.len(), 24 + 1 + 24 + 2 + 3 * (24 + 13));
        assert_eq!(&whole[24..25], b".");
        assert_eq!(&whole[25 + 24..25 + 26], b"..");
        let expected: [(u32, &[u8]); 10] = [
            (0, whole),
            (0, &whole[..30]),
            (0, &whole[25..]),
            (0, &whole[51..111]),
            (0, &[]),
            (0, &[]),
            (0, &[]),
            (0, &[]),
            (BADF, &[]),
            (BADF, &[]),
        ];
        for (i, ((errno, bytes), expected)) in all.iter().zip(expected).enumerate() {
            assert_eq!((*errno, bytes.as_slice()), expected, "{module}: call {i}");
        }
        let [later, anew, closed] = all[10..].to_vec().try_into().expect("three more");
        assert_eq!(later.1.len(), 24 + 13, "{module}");
        assert_eq!(&later.1[24..], b"file number 0");
        assert_eq!(&anew.1[51..], later.1);
        assert_eq!(closed, (BADF, Vec::new()));
    }
}
