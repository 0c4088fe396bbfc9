//! One program as a plain runtime runs it: streams, exit code, grants, and nothing in between.

use crate::support::{Ran, Target, finish, guest, wasmtest, wat};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The program of these tests.
fn program(target: Target) -> PathBuf {
    guest("exec", target, "dev")
}

/// `wasmtest exec` with these arguments.
fn exec<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = wasmtest();
    command.arg("exec").args(args);
    command
}

/// Runs the program of these tests, as a core module, to its end.
fn does<const N: usize>(args: [&str; N]) -> Ran {
    finish(exec([program(Target::P1)]).args(args))
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// What a stream still holds.
fn rest(stream: Option<impl Read>) -> String {
    let mut text = String::new();
    let mut stream = stream.expect("it is piped");
    stream.read_to_string(&mut text).expect("UTF-8");
    text
}

/// Reads exactly this.
fn expect(stream: &mut impl Read, text: &str) {
    let mut read = vec![0; text.len()];
    stream.read_exact(&mut read).expect("as much is written");
    assert_eq!(String::from_utf8_lossy(&read), text);
}

#[test]
fn everything_after_the_file_is_the_programs() {
    for target in Target::BOTH {
        let file = program(target);
        let args = ["args", "--help", "--dir", "/", "--", "-x", "", "ü"];
        let ran = finish(exec([&file]).args(args));
        let mut told = vec![file.to_str().expect("UTF-8")];
        told.extend(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        assert_eq!(ran.stdout, format!("{told:?}\n"));
        // flags that follow the file at once, and a name of its own
        let ran = finish(exec(["--argv0", "called"]).arg(&file).arg("--help"));
        assert!(ran.stderr.contains("\"--help\" means nothing"), "{ran:?}");
        let ran = finish(exec(["--argv0", "called"]).arg(&file).arg("args"));
        assert_eq!(ran.stdout, "[\"called\", \"args\"]\n");
    }
}

#[test]
fn bytes_of_any_kind_pass_through_unchanged() {
    let bytes: Vec<u8> = (0..1_u32 << 20).map(|i| (i ^ (i >> 8)) as u8).collect();
    for target in Target::BOTH {
        let mut child = spawn(exec([program(target)]).arg("copy"));
        let mut stdin = child.stdin.take().expect("it is piped");
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                stdin.write_all(&bytes).expect("it reads");
                drop(stdin);
            });
            child.wait_with_output().expect("it ends")
        });
        assert!(output.status.success());
        assert!(output.stdout == bytes, "{target:?}");
        assert_eq!(output.stderr, b"");
    }
}

#[test]
fn no_more_is_taken_of_stdin_than_was_asked_for() {
    let take = |target, act: &str, count: &str, stdin: Stdio| {
        let mut command = exec([program(target)]);
        let output = command.args([act, count]).stdin(stdin).output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "{output:?}");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        stdout.trim_start_matches("polls\n1 ").to_owned()
    };
    for target in Target::BOTH {
        for act in ["take", "poll"] {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(b"abcdefghi").expect("written");
            file.rewind().expect("a file");
            let same = || Stdio::from(file.try_clone().expect("it is open"));
            assert_eq!(take(target, act, "3", same()), "abc");
            assert_eq!((&file).stream_position().expect("a file"), 3);
            assert_eq!(take(target, act, "2", same()), "de");
            assert_eq!(take(target, act, "9", same()), "fghi");
            assert_eq!(take(target, act, "9", same()), "");

            let (mut read, mut write) = io::pipe().expect("a pipe");
            write.write_all(b"abcdefghi").expect("it has room");
            drop(write);
            let same = read.try_clone().expect("it is open").into();
            assert_eq!(take(target, act, "3", same), "abc");
            let mut left = String::new();
            read.read_to_string(&mut left).expect("UTF-8");
            assert_eq!(left, "defghi");
            assert_eq!(take(target, act, "9", read.into()), "");

            let (mut terminal, mut screen) = terminal();
            screen.write_all(b"abc\ndef\n").expect("it has room");
            let same = || Stdio::from(terminal.try_clone().expect("it is open"));
            assert_eq!(take(target, act, "2", same()), "ab");
            assert_eq!(take(target, act, "2", same()), "c\n");
            expect(&mut terminal, "def\n");

            assert_eq!(take(target, act, "9", Stdio::null()), "");
        }
    }
}

/// A terminal, and what stands for who sits at it.
fn terminal() -> (fs::File, fs::File) {
    let (mut screen, mut terminal) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: two numbers are written, and of what may be asked for beside them nothing is.
    let opened = unsafe {
        libc::openpty(
            &raw mut screen,
            &raw mut terminal,
            none,
            none.cast(),
            none.cast(),
        )
    };
    assert_eq!(opened, 0, "{}", io::Error::last_os_error());
    // SAFETY: both were just opened, and are nobody else's.
    unsafe {
        (
            fs::File::from_raw_fd(terminal),
            fs::File::from_raw_fd(screen),
        )
    }
}

#[test]
fn a_program_waits_for_its_stdin_without_reading_it() {
    for target in Target::BOTH {
        for (written, told) in [("abcd", "1 abc"), ("", "1 ")] {
            let mut child = spawn(exec([program(target)]).args(["poll", "3"]));
            let mut stdin = child.stdin.take().expect("it is piped");
            let mut stdout = child.stdout.take().expect("it is piped");
            expect(&mut stdout, "polls\n");
            stdin.write_all(written.as_bytes()).expect("it is read");
            drop(stdin);
            assert_eq!(rest(Some(stdout)), told, "{target:?}");
            assert!(child.wait().expect("it ends").success());
        }
    }
}

/// A module of whose functions of WASI `poll_oneoff` is called first, with these
/// subscriptions: user data, and what follows it. It ends with 100 and the number of
/// events, or with the error's number.
fn polls(dir: &Path, module: &str, subscriptions: &[(u8, Vec<u8>)]) -> PathBuf {
    let mut bytes = String::new();
    for (userdata, rest) in subscriptions {
        bytes += &format!("\\{userdata:02x}\\00\\00\\00\\00\\00\\00\\00");
        bytes.extend(rest.iter().map(|byte| format!("\\{byte:02x}")));
    }
    let text = format!(
        r#"(module
            (import "{module}" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (import "{module}" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 1024) "{bytes}")
            (func (export "_start") (local $errno i32)
                (local.set $errno
                    (call $poll (i32.const 1024) (i32.const 8192) (i32.const {count}) (i32.const 0)))
                (if (local.get $errno) (then (call $exit (local.get $errno))))
                ;; the first event's user data counts for ten
                (call $exit (i32.add (i32.const 100) (i32.add (i32.load (i32.const 0))
                    (i32.mul (i32.const 10) (i32.load8_u (i32.const 8192))))))))"#,
        count = subscriptions.len(),
    );
    wat(dir, &format!("{module}.wasm"), &text)
}

#[test]
fn a_poll_may_be_a_programs_first_call() {
    const HOUR: u64 = 3_600_000_000_000;
    let dir = tempfile::tempdir().expect("a folder");
    // the predecessor of WASI 0.1 has an identifier in front of a clock
    for (module, identifier) in [("wasi_snapshot_preview1", 0), ("wasi_unstable", 8)] {
        let size = 40 + identifier;
        let clock = |nanoseconds: u64| {
            let mut sub = vec![0; size];
            sub[8 + identifier] = 1;
            sub[16 + identifier..24 + identifier].copy_from_slice(&nanoseconds.to_le_bytes());
            sub
        };
        let stdin = || {
            let mut sub = vec![0; size];
            sub[0] = 1;
            sub
        };
        let run = |subscriptions: &[(u8, Vec<u8>)], stdin: Stdio| {
            let file = polls(dir.path(), module, subscriptions);
            finish(exec(["--timeout", "20"]).arg(file).stdin(stdin)).code
        };
        let hello = || {
            let (read, mut write) = io::pipe().expect("a pipe");
            write.write_all(b"hello").expect("it has room");
            Stdio::from(read)
        };
        assert_eq!(
            run(&[(1, clock(HOUR)), (2, stdin())], hello()),
            121,
            "{module}"
        );
        assert_eq!(
            run(&[(3, stdin()), (1, clock(HOUR))], hello()),
            131,
            "{module}"
        );
        // nothing comes, and the other end stays open
        let (read, _write) = io::pipe().expect("a pipe");
        assert_eq!(
            run(&[(1, stdin()), (4, clock(1))], read.into()),
            141,
            "{module}"
        );
        // both have come
        assert_eq!(
            run(&[(5, clock(1)), (1, clock(HOUR)), (6, clock(1))], hello()),
            152
        );
        let mut command = exec(["--timeout", "0.3"]);
        let file = polls(dir.path(), module, &[(1, clock(HOUR))]);
        assert_eq!(finish(command.arg(file)).code, 124, "{module}");
    }
}

#[test]
fn a_programs_arguments_are_unicode_as_wasi_wants_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let odd = OsStr::from_bytes(b"caf\xe9");
    let ran = finish(exec([program(Target::P1)]).arg("args").arg(odd));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("is not Unicode, as WASI wants it"),
        "{ran:?}"
    );
    let file = dir.path().join(odd);
    fs::copy(program(Target::P1), &file).expect("copied");
    let ran = finish(exec([&file]).arg("args"));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("--argv0"), "{ran:?}");
    let ran = finish(exec(["--argv0", "called"]).arg(&file).arg("args"));
    assert_eq!(ran.stdout, "[\"called\", \"args\"]\n");
}

#[test]
fn stdout_and_stderr_stay_apart() {
    for target in Target::BOTH {
        let ran = finish(exec([program(target)]).arg("both"));
        assert_eq!(ran.stdout, "to stdout\n");
        assert_eq!(ran.stderr, "to stderr\n");
    }
}

#[test]
fn the_exit_code_is_the_programs() {
    for code in [0, 3, 134, 255] {
        let ran = does(["exit", &code.to_string()]);
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""));
    }
    // as the system does with any program's
    assert_eq!(does(["exit", "256"]).code, 0);
    assert_eq!(does(["exit", "-1"]).code, 255);
    let component = |code| finish(exec([program(Target::P2)]).args(["exit", code]));
    assert_eq!(component("0").code, 0);
    let failed = component("3");
    assert_eq!((failed.code, failed.stderr.as_str()), (1, ""));
}

#[test]
fn a_trap_is_told_with_the_functions_names_and_reported_as_an_abort() {
    for target in Target::BOTH {
        let ran = finish(exec([program(target)]).arg("panic"));
        assert_eq!(ran.code, 134, "{ran:?}");
        assert!(ran.stderr.contains("2 arguments are not enough"), "{ran:?}");
        assert!(ran.stderr.contains("exec.wasm: it panicked"), "{ran:?}");
        assert!(ran.stderr.contains("exec::innermost"), "{ran:?}");
        assert!(ran.stderr.contains("programs/src/bin/exec.rs:"), "{ran:?}");
        assert!(!ran.stderr.contains("wasmtest_host"), "{ran:?}");
    }
    let ran = does(["recurse"]);
    assert_eq!(ran.code, 134, "{ran:?}");
    assert!(ran.stderr.contains("stack overflow"), "{ran:?}");
    assert!(ran.stderr.contains("exec::deeper"), "{ran:?}");
    // a stack that is larger than the one that the system gives the process
    let file = program(Target::P1);
    let deep = [
        OsStr::new("--wasm-stack"),
        OsStr::new("64"),
        file.as_os_str(),
    ];
    let ran = finish(exec(deep).arg("recurse"));
    assert_eq!(ran.code, 134, "{ran:?}");
    assert!(ran.stderr.contains("stack overflow"), "{ran:?}");

    let dir = tempfile::tempdir().expect("a folder");
    let bare = wat(
        dir.path(),
        "bare.wasm",
        "(module (func (export \"_start\") unreachable))",
    );
    let ran = finish(&mut exec([bare]));
    assert_eq!(ran.code, 134);
    assert!(ran.stderr.contains("`unreachable`"), "{ran:?}");
    let start = "(module (func $f unreachable) (start $f) (func (export \"_start\")))";
    let ran = finish(&mut exec([wat(dir.path(), "start.wasm", start)]));
    assert_eq!(ran.code, 134);
    assert!(ran.stderr.contains("died at its start"), "{ran:?}");
}

#[test]
fn no_variable_is_seen_that_was_not_granted() {
    let env = |flags: &[&str]| {
        let mut command = exec(flags);
        finish(
            command
                .env("SECRET", "s")
                .arg(program(Target::P1))
                .arg("env"),
        )
        .stdout
    };
    assert_eq!(env(&[]), "[]\n");
    assert_eq!(env(&["--tmp"]), "[(\"TMPDIR\", \"/tmp\")]\n");
    assert_eq!(
        env(&[
            "--tmp",
            "--env",
            "SECRET",
            "--env",
            "A=b=c",
            "--env",
            "TMPDIR=/x"
        ]),
        "[(\"SECRET\", \"s\"), (\"A\", \"b=c\"), (\"TMPDIR\", \"/x\")]\n"
    );
}

#[test]
fn folders_are_closed_until_they_are_granted() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    fs::write(&file, "in a folder").expect("written");
    let file = file.to_str().expect("UTF-8");
    for target in Target::BOTH {
        let third = |flags: &[&str]| {
            let mut command = exec(flags);
            finish(command.arg(program(target)).arg("third")).stdout
        };
        assert_eq!(third(&[]), "closed\n", "{target:?}");
        // libc of WASI 0.2 gives them numbers when it needs them
        if target == Target::P1 {
            assert_eq!(third(&["--tmp"]), "open\n");
        }
        // libc itself refuses the path, and so only says which
        let ran = finish(exec([program(target)]).args(["read", file]));
        assert_eq!(ran.code, 134, "{ran:?}");
        assert!(
            ran.stderr.contains("hint: it looked for folders"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains("--dir FOLDER"), "{ran:?}");
        // what did not look is not told of them
        let ran = finish(exec([program(target)]).arg("panic"));
        assert!(!ran.stderr.contains("hint"), "{ran:?}");
        let mut command = exec([OsStr::new("--dir"), dir.path().as_os_str()]);
        let ran = finish(command.arg(program(target)).args(["read", file]));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "in a folder"));
    }
    // its own folder is not hidden, and where it has none there is nothing to hide
    let as_tmp = format!("{}::/tmp", dir.path().display());
    let read = |flags: &[&str]| {
        let mut command = exec(flags);
        finish(command.arg(program(Target::P1)).args(["read", "/tmp/file"]))
    };
    assert_eq!(read(&["--dir", &as_tmp]).stdout, "in a folder");
    let ran = read(&["--tmp", "--dir", &as_tmp]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("would hide /tmp"), "{ran:?}");
    let ran = finish(exec(["--dir", "/missing"]).arg(program(Target::P1)));
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn the_scratch_folder_is_gone_however_the_program_ends() {
    let tmp = tempfile::tempdir().expect("a folder");
    for target in Target::BOTH {
        for (how, code) in [("return", 0), ("exit", 5), ("abort", 134)] {
            let code = match (target, code) {
                (Target::P2, 5) => 1,
                _ => code,
            };
            let mut command = exec(["--tmp"]);
            let ran = finish(
                command
                    .arg(program(target))
                    .args(["scratch", "kept", how])
                    .env("TMPDIR", tmp.path()),
            );
            assert_eq!((ran.code, ran.stdout.as_str()), (code, "kept"), "{ran:?}");
            assert_eq!(fs::read_dir(tmp.path()).expect("there").count(), 0);
        }
    }
    // where there can be none the program runs all the same
    let mut command = exec([OsStr::new("--tmp"), program(Target::P1).as_os_str()]);
    let ran = finish(command.arg("env").env("TMPDIR", "/missing"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "[]\n"));
}

#[test]
fn one_can_talk_with_a_program() {
    for target in Target::BOTH {
        let mut child = spawn(exec([program(target)]).arg("answer"));
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        expect(&mut stdout, "name? ");
        for name in ["ada", "grace"] {
            writeln!(stdin, "{name}").expect("it reads");
            expect(&mut stdout, &format!("hello {name}\n"));
        }
        drop(stdin);
        assert_eq!(rest(Some(stdout)), "");
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn a_program_whose_output_nobody_reads_is_told_so() {
    for target in Target::BOTH {
        let mut child = spawn(exec([program(target)]).arg("endless"));
        let mut stdout = child.stdout.take().expect("it is piped");
        expect(&mut stdout, "yyyy");
        drop(stdout);
        assert_eq!(rest(child.stderr.take()), "nobody reads any more\n");
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn a_signal_ends_the_process_which_is_alone() {
    let tmp = tempfile::tempdir().expect("a folder");
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut command = exec(["--tmp"]);
        command.arg(program(Target::P1)).arg("answer");
        command.env("TMPDIR", tmp.path());
        let mut child = spawn(starts_with(&mut command, signal, libc::SIG_DFL));
        let mut stdout = child.stdout.take().expect("it is piped");
        // to wait would close it, and the program end by itself
        let _stdin = child.stdin.take();
        expect(&mut stdout, "name? ");
        assert_eq!(children(child.id()), "");
        send(&child, signal);
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(signal), "{status}");
        assert_eq!(rest(Some(stdout)) + &rest(child.stderr.take()), "");
    }
    assert_eq!(fs::read_dir(tmp.path()).expect("there").count(), 0);
}

#[test]
fn a_program_that_still_writes_when_a_signal_ends_it_leaves_nothing() {
    let tmp = tempfile::tempdir().expect("a folder");
    for target in Target::BOTH {
        let mut command = exec(["--tmp"]);
        command.arg(program(target)).arg("litter");
        command.env("TMPDIR", tmp.path());
        let mut child = spawn(starts_with(&mut command, libc::SIGTERM, libc::SIG_DFL));
        let mut stdout = child.stdout.take().expect("it is piped");
        expect(&mut stdout, "begun");
        send(&child, libc::SIGTERM);
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(libc::SIGTERM), "{status}");
        assert_eq!(fs::read_dir(tmp.path()).expect("there").count(), 0);
    }
}

#[test]
fn a_signal_that_the_caller_has_ignored_changes_nothing() {
    let tmp = tempfile::tempdir().expect("a folder");
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
        let mut command = exec(["--tmp"]);
        command.arg(program(Target::P1)).arg("answer");
        command.env("TMPDIR", tmp.path());
        let mut child = spawn(starts_with(&mut command, signal, libc::SIG_IGN));
        let mut stdout = child.stdout.take().expect("it is piped");
        let mut stdin = child.stdin.take().expect("it is piped");
        expect(&mut stdout, "name? ");
        send(&child, signal);
        stdin.write_all(b"you\n").expect("it is read");
        expect(&mut stdout, "hello you\n");
        assert_eq!(fs::read_dir(tmp.path()).expect("there").count(), 1);
        drop(stdin);
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
    }
    assert_eq!(fs::read_dir(tmp.path()).expect("there").count(), 0);
}

/// Has a process begin with a signal ignored or not, whatever this one was started with.
pub fn starts_with(command: &mut Command, signal: i32, how: libc::sighandler_t) -> &mut Command {
    // SAFETY: sets what becomes of a signal, and nothing else, in the new process.
    unsafe {
        command.pre_exec(move || match libc::signal(signal, how) {
            libc::SIG_ERR => Err(io::Error::last_os_error()),
            _ => Ok(()),
        })
    }
}

fn send(child: &Child, signal: i32) {
    let id = i32::try_from(child.id()).expect("it is one");
    // SAFETY: sends a signal to a child that was not waited for.
    assert_eq!(unsafe { libc::kill(id, signal) }, 0);
}

/// The processes that a process has started and that are there.
fn children(process: u32) -> String {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children"));
    tasks
        .map(|task| of(task.expect("readable")).unwrap_or_default())
        .collect()
}

#[test]
fn a_program_is_stopped_at_its_limit_wherever_it_is() {
    let tmp = tempfile::tempdir().expect("a folder");
    for (target, act) in [
        (Target::P1, "spin"),
        (Target::P1, "sleep"),
        (Target::P2, "sleep"),
        (Target::P1, "poll"),
        (Target::P2, "poll"),
        // blocked in the host
        (Target::P1, "copy"),
        (Target::P2, "copy"),
    ] {
        let mut command = exec(["--tmp", "--timeout", "0.3"]);
        command.arg(program(target)).arg(act);
        let mut child = spawn(command.env("TMPDIR", tmp.path()));
        let said = rest(child.stderr.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(124), "{said}");
        assert!(said.contains("stopped at its limit of 0.3s"), "{said}");
        assert_eq!(fs::read_dir(tmp.path()).expect("there").count(), 0);
    }
    assert_eq!(finish(&mut exec(["--timeout", "-1", "x.wasm"])).code, 2);
}

#[test]
fn what_cannot_be_run_is_told_from_what_the_program_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = |file: &Path, code: i32| {
        let ran = finish(&mut exec([file]));
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        ran.stderr
    };
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    assert!(said(&dir.path().join("missing.wasm"), 127).contains("missing.wasm: "));
    assert!(said(dir.path(), 126).contains("cannot be read"));
    assert!(said(&file("empty.wasm", b""), 126).contains("the file is empty"));
    assert!(said(&file("text.txt", b"garbage garbage"), 126).contains("not WebAssembly"));
    let good = fs::read(program(Target::P1)).expect("built");
    let cut = file("cut.wasm", &good[..good.len() / 2]);
    assert!(said(&cut, 126).contains("damaged or cut short"));
    let library = wat(dir.path(), "library.wasm", "(module (func (export \"f\")))");
    // the second time from the cache
    assert!(said(&library, 126).contains("exports no function `_start`"));
    assert!(said(&library, 126).contains("exports no function `_start`"));
    let component = wat(dir.path(), "component.wasm", "(component)");
    assert!(said(&component, 126).contains("wasi:cli/run"));
    let imports = "(module (import \"env\" \"f\" (func $f)) (func (export \"_start\") (call $f)))";
    let imports = wat(dir.path(), "imports.wasm", imports);
    assert!(said(&imports, 126).contains("`env::f`"));
    let ran = finish(exec(["--stub-imports"]).arg(&imports));
    assert_eq!(ran.code, 134, "{ran:?}");
    assert!(ran.stderr.contains("`env::f`"), "{ran:?}");
    let invalid = "(module (func (export \"_start\") i32.const 1))";
    let invalid = wat(dir.path(), "invalid.wasm", invalid);
    assert!(said(&invalid, 126).contains("wasmtime refuses it"));
    assert_eq!(finish(&mut exec::<&str>([])).code, 2);
}

#[test]
fn a_program_runs_with_any_cache_and_with_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let copy = dir.path().join("program.wasm");
    fs::copy(program(Target::P1), &copy).expect("copied");
    let cache = dir.path().join("cache");
    let run = |cache: &Path| finish(exec([&copy]).arg("both").env("WASMTEST_CACHE_DIR", cache));
    let kept = |extension: &str| -> Vec<PathBuf> {
        let files = fs::read_dir(cache.join("v1")).expect("there");
        files
            .map(|file| file.expect("readable").path())
            .filter(|path| path.extension() == Some(OsStr::new(extension)))
            .collect()
    };
    assert_eq!(run(&cache).stdout, "to stdout\n");
    let [artefact] = kept("cwasm").try_into().expect("one file");
    let made = fs::metadata(&artefact).expect("there").modified();
    assert_eq!(run(&cache).stdout, "to stdout\n");
    let again = fs::metadata(&artefact).expect("there").modified();
    assert_eq!(made.expect("known"), again.expect("known"));

    // what was changed is compiled again, and so is a program
    fs::write(&artefact, "not compiled by us").expect("written");
    assert_eq!(run(&cache).stdout, "to stdout\n");
    assert!(fs::metadata(&artefact).expect("there").len() > 1000);
    fs::copy(guest("returns", Target::P1, "dev"), &copy).expect("copied");
    assert_eq!(run(&cache).stdout, "hello from a program\n");
    assert_eq!(kept("cwasm").len(), 2);

    // where nothing can be kept, and where others could write
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    assert_eq!(run(&file).stdout, "hello from a program\n");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(cache.join("v1"), open).expect("ours");
    let ran = run(&cache);
    assert_eq!((ran.code, ran.stdout.as_str()), (126, ""));
    assert!(ran.stderr.contains("not this user's alone"), "{ran:?}");
}
