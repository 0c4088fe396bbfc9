//! What is wrong is said with the file, the cause and the way out; everything else still runs.

use crate::support::{Events, Target, arg, events, finish, guest, run, wasmtest, wat};
use std::fs;
use std::path::Path;
use std::process::Stdio;

/// Runs a bad file beside a good one: what is said of the bad one.
fn beside_a_good_one(bad: &Path, flags: &[&str]) -> String {
    let good = guest("returns", Target::P1, "dev");
    let ran = run([&[arg(bad), arg(&good)], flags].concat());
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Ran 1 test "), "{}", ran.stdout);
    assert!(ran.stdout.contains("FAILED (errors=1"), "{}", ran.stdout);
    assert!(!ran.stderr.contains("panicked") && !ran.stdout.contains("panicked"));
    let name = bad
        .file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    let said = ran.stdout;
    assert!(
        said.contains(&format!("ERROR  {name}"))
            || said.contains(&format!("ERROR  {}", bad.display())),
        "{said}"
    );
    said
}

#[test]
fn files_that_are_no_modules_are_named_with_what_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    let good = fs::read(guest("returns", Target::P1, "dev")).expect("built");
    let said = beside_a_good_one(&file("empty.wasm", b""), &[]);
    assert!(said.contains("the file is empty"), "{said}");
    let said = beside_a_good_one(&file("garbage.wasm", b"garbage garbage"), &[]);
    assert!(said.contains("not WebAssembly"), "{said}");
    let said = beside_a_good_one(&file("native.wasm", b"\x7fELF\x02\x01\x01"), &[]);
    assert!(said.contains("native program"), "{said}");
    for cut in [9, good.len() / 3, good.len() / 2, good.len() - 1] {
        let said = beside_a_good_one(&file("cut.wasm", &good[..cut]), &[]);
        assert!(said.contains("damaged or cut short"), "{cut}: {said}");
    }
    // bytes changed in the middle: whatever it is now, it is one error or a trap, never a crash of ours
    let mut changed = good.clone();
    for i in 0..64 {
        changed[good.len() / 4 + i * 7] ^= 0x55;
    }
    let ran = run([arg(&file("changed.wasm", &changed))]);
    assert!(
        [0, 1, 3].contains(&ran.code),
        "{}: {}{}",
        ran.code,
        ran.stdout,
        ran.stderr
    );
    assert!(!ran.stderr.contains("RUST_BACKTRACE"));
    let said = beside_a_good_one(&dir.path().join("missing.wasm"), &[]);
    assert!(said.contains("No such file"), "{said}");
}

#[test]
fn a_file_costs_the_primary_no_more_than_its_sections() {
    let dir = tempfile::tempdir().expect("a folder");
    let sparse = |name: &str, head: &[u8], length: u64| {
        let path = dir.path().join(name);
        fs::write(&path, head).expect("written");
        let file = fs::OpenOptions::new().write(true).open(&path);
        file.expect("ours").set_len(length).expect("sparse");
        path
    };
    let said = beside_a_good_one(&sparse("huge.wasm", b"\0asm\x01\0\0\0", 3 << 30), &[]);
    assert!(
        said.contains("larger than 1024 MiB") && said.contains("debug information"),
        "{said}"
    );
    // one section of about 900 MB of debug information, and what has less memory than that
    let head = b"\0asm\x01\0\0\0\0\xf7\xff\xff\xac\x03\x06.debug";
    let large = sparse("large.wasm", head, 8 + 1 + 5 + 899_678_199);
    let mut command = std::process::Command::new("sh");
    let limited = "ulimit -v 900000; exec \"$@\"";
    command.args(["-c", limited, "sh", env!("CARGO_BIN_EXE_wasmtest"), "list"]);
    let cache = tempfile::tempdir().expect("a folder");
    command.args([arg(&large), "--cache-dir", arg(cache.path())]);
    let ran = finish(command.current_dir(crate::support::workspace()));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("exports no `_start`"), "{ran:?}");
}

#[test]
fn an_empty_folder_is_said_and_there_is_nothing_to_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let ran = run([arg(dir.path())]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.stderr.contains("no test module below") && ran.stderr.contains("--no-run"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_module_without_a_start_is_no_test() {
    let dir = tempfile::tempdir().expect("a folder");
    let library = wat(
        dir.path(),
        "library.wasm",
        r#"(module (func (export "add")))"#,
    );
    let said = beside_a_good_one(&library, &[]);
    assert!(said.contains("exports no `_start`"), "{said}");
    // found by a search it is passed over
    fs::copy(
        guest("returns", Target::P1, "dev"),
        dir.path().join("good.wasm"),
    )
    .expect("copied");
    let ran = run([arg(dir.path()), "-v"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("library.wasm") && ran.stderr.contains("passed over"),
        "{}",
        ran.stderr
    );
}

#[test]
fn imports_that_nobody_provides_are_named_with_what_they_look_like() {
    let dir = tempfile::tempdir().expect("a folder");
    let import = |name: &str, import: &str| {
        wat(
            dir.path(),
            name,
            &format!(r#"(module {import} (func (export "_start")))"#),
        )
    };
    let said = beside_a_good_one(
        &import("c.wasm", r#"(import "env" "missing_c" (func))"#),
        &[],
    );
    assert!(
        said.contains("`env::missing_c`") && said.contains("C symbol"),
        "{said}"
    );
    assert!(said.contains("--stub-imports"), "{said}");
    let said = beside_a_good_one(
        &import("sdk.wasm", r#"(import "fastly_log" "write" (func))"#),
        &[],
    );
    assert!(
        said.contains("`fastly_log::write`") && said.contains("SDK"),
        "{said}"
    );
    let said = beside_a_good_one(
        &import(
            "threads.wasm",
            r#"(import "wasi" "thread-spawn" (func (param i32) (result i32)))"#,
        ),
        &[],
    );
    assert!(
        said.contains("wasm32-wasip1-threads") && said.contains("wasm32-wasip1"),
        "{said}"
    );
    let said = beside_a_good_one(
        &import(
            "shared.wasm",
            r#"(import "env" "memory" (memory 1 2 shared))"#,
        ),
        &[],
    );
    assert!(said.contains("shared memory"), "{said}");
    let component = dir.path().join("http.wasm");
    let text = r#"(component
        (import "wasi:http/types@0.2.0" (instance (export "f" (func))))
        (instance $run)
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    fs::write(&component, wat::parse_str(text).expect("it assembles")).expect("written");
    let said = beside_a_good_one(&component, &[]);
    let words = "it imports what nobody provides: `wasi:http/types@0.2.0` (it looks like a part of WASI that is not offered";
    assert!(said.contains(words), "{said}");
    assert!(said.contains("--stub-imports lets it run"), "{said}");
    let text = text.replace("wasi:http/types@0.2.0", "mine:own/thing");
    fs::write(&component, wat::parse_str(text).expect("it assembles")).expect("written");
    let said = beside_a_good_one(&component, &[]);
    let words = "`mine:own/thing` (it looks like an interface of some host's";
    assert!(said.contains(words), "{said}");
}

#[test]
fn stubbed_imports_fail_only_the_test_that_calls_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let calls = |name: &str, body: &str| {
        let text = format!(
            r#"(module (import "env" "missing" (func $f)) (func (export "_start") {body}))"#
        );
        wat(dir.path(), name, &text)
    };
    let not = calls("does_not.wasm", "");
    let does = calls("does.wasm", "call $f");
    let events = events([arg(&not), arg(&does), "--stub-imports"]);
    let end = |module: &str| {
        let mut ends = events.ends().filter(|e| e["wasmtest"]["module"] == module);
        ends.next().expect("it ended").clone()
    };
    assert_eq!(end("does_not.wasm")["wasmtest"]["outcome"], "passed");
    assert_eq!(end("does.wasm")["wasmtest"]["outcome"], "errored");
    let message = end("does.wasm")["wasmtest"]["message"]
        .as_str()
        .expect("said")
        .to_owned();
    assert!(message.contains("`env::missing`"), "{message}");
    assert_eq!(events.code, 1);
}

#[test]
fn stubbed_imports_of_components_leave_what_is_provided_alone() {
    let module = guest("verdicts", Target::P2, "dev");
    let events = events([arg(&module), "--stub-imports", "--", "passes"]);
    assert_eq!(events.outcome("tests::passes"), "passed");
    let dir = tempfile::tempdir().expect("a folder");
    let component = |name: &str, body: &str| {
        let text = format!(
            r#"(component
                (import "host:sdk/thing" (instance $t (export "f" (func))))
                (core func $f (canon lower (func $t "f")))
                (core module $m
                    (import "" "f" (func $f))
                    (func (export "run") (result i32) {body} (i32.const 0)))
                (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
                (func $run (result (result)) (canon lift (core func $i "run")))
                (instance $r (export "run" (func $run)))
                (export "wasi:cli/run@0.2.0" (instance $r)))"#
        );
        wat(dir.path(), name, &text)
    };
    let not = component("does_not.wasm", "");
    let said = beside_a_good_one(&not, &[]);
    assert!(said.contains("host:sdk/thing"), "{said}");
    assert_eq!(run([arg(&not), "--stub-imports"]).code, 0);
    let ran = run([arg(&component("does.wasm", "(call $f)")), "--stub-imports"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("`host:sdk/thing#f`"), "{}", ran.stdout);
}

#[test]
fn a_trap_at_the_start_is_one_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = r#"(module (func $start unreachable) (start $start) (func (export "_start")))"#;
    let events = events([arg(&wat(dir.path(), "start.wasm", text))]);
    assert_eq!(events.outcome("main"), "errored");
    assert_eq!(events.code, 1);
}

#[test]
fn a_binary_that_dies_before_its_first_test_is_one_error_with_its_output() {
    for target in Target::BOTH {
        let module = guest("dies_first", target, "dev");
        let good = guest("returns", target, "dev");
        let ran = run([arg(&module), arg(&good)]);
        assert_eq!(ran.code, 3, "{}", ran.stdout);
        let said = ran.stdout;
        assert!(
            said.contains("ERROR  dies_first.wasm cannot be listed"),
            "{said}"
        );
        assert!(
            said.contains("before any test") && said.contains("the constructor was here"),
            "{said}"
        );
        assert!(
            said.contains("Ran 1 test ") && said.contains("FAILED (errors=1)"),
            "{said}"
        );
    }
}

#[test]
fn binaries_that_lie_about_their_tests_harm_nothing() {
    let refuses = beside_a_good_one(&guest("liar_refuses", Target::P1, "dev"), &[]);
    assert!(
        refuses.contains("status 7") && refuses.contains("I am no test"),
        "{refuses}"
    );
    let long = beside_a_good_one(&guest("liar_long", Target::P1, "dev"), &[]);
    assert!(long.contains("400000 bytes long"), "{long}");
    let names = run([arg(&guest("liar_names", Target::P1, "dev")), "-v"]);
    assert_eq!(names.code, 0, "{}", names.stderr);
    assert!(!names.stdout.contains('\x1b') && !names.stdout.contains('\x07'));
    assert!(names.stdout.contains("\\u{1b}[2Jred\\u{7}"));
}

#[test]
fn a_binary_that_never_ends_its_list_is_stopped_and_blamed() {
    let said = beside_a_good_one(
        &guest("liar_endless", Target::P1, "dev"),
        &["--process-timeout", "1"],
    );
    assert!(said.contains("stopped at its limit"), "{said}");
}

#[test]
fn nothing_that_a_guest_writes_reaches_a_terminal_as_a_command() {
    let module = guest("sandbox", Target::P1, "dev");
    for format in ["human", "json"] {
        let ran = run([
            arg(&module),
            "--message-format",
            format,
            "--",
            "control_sequences",
        ]);
        let harmful = |c: char| c.is_control() && c != '\n';
        assert!(!ran.stdout.contains(harmful), "{:?}", ran.stdout);
        assert!(!ran.stdout.contains('\u{202e}'));
        assert!(ran.stdout.contains("owned"));
    }
}

#[test]
fn flags_that_make_no_sense_are_usage_errors() {
    let module = guest("returns", Target::P1, "dev");
    for flags in [
        &["--processes", "many"][..],
        &["--processes", "-2"],
        &["--processes", ""],
        &["--process-timeout", "0"],
        &["--process-timeout", "soon"],
        &["--max-fail", "0"],
        &["--wasm-stack", "x"],
        &["--dir", "/no/such/folder"],
        &["--env", "NOT_SET_ANYWHERE_AT_ALL"],
        &["--env", "=x"],
        &["--no-such-flag"],
        &["-x", "--max-fail", "2"],
        &["--message-format", "xml"],
    ] {
        let ran = run([&[arg(&module)], flags].concat());
        assert_eq!(ran.code, 2, "{flags:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(flags[0]) || ran.stderr.contains("fail-fast"),
            "{flags:?}: {}",
            ran.stderr
        );
        assert!(ran.stdout.is_empty());
    }
    // an empty variable is one that is not set
    let ran = finish(
        wasmtest()
            .env("WASMTEST_PROCESSES", "")
            .env("WASMTEST_PROCESS_TIMEOUT", "")
            .args(["run", arg(&module)]),
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = finish(
        wasmtest()
            .env("WASMTEST_PROCESSES", "lots")
            .args(["run", arg(&module)]),
    );
    assert_eq!(ran.code, 2);
    for hidden in ["__worker", "__compiler"] {
        let ran = finish(wasmtest().arg(hidden));
        assert_eq!(ran.code, 3);
        assert!(
            ran.stderr.contains("part of `wasmtest run`"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn paths_that_are_no_files_and_paths_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = dir.path().join("pipe.wasm");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it starts").success());
    let said = beside_a_good_one(&pipe, &[]);
    assert!(said.contains("no regular file"), "{said}");
    let endless = dir.path().join("endless.wasm");
    std::os::unix::fs::symlink("/dev/zero", &endless).expect("linked");
    let said = beside_a_good_one(&endless, &[]);
    assert!(said.contains("no regular file"), "{said}");
    // neither is found by a search, and a name need not be Unicode
    let odd = dir
        .path()
        .join(std::ffi::OsStr::from_bytes(b"odd\xff.wasm"));
    fs::copy(guest("returns", Target::P1, "dev"), odd).expect("copied");
    let ran = run([dir.path()]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Ran 1 test "));
}

#[test]
fn a_module_that_cannot_be_used_is_named_with_its_path() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join("deep")).expect("made");
    fs::write(dir.path().join("deep/bad.wasm"), "bad").expect("written");
    let ran = finish(wasmtest().current_dir(dir.path()).arg("run"));
    assert_eq!(ran.code, 3);
    assert!(ran.stdout.contains("file: deep/bad.wasm"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let module = guest("returns", Target::P1, "dev");
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("there")
    };
    let commands: [&[&str]; 4] = [
        &["run", arg(&module)],
        &["run", "--message-format", "json", arg(&module)],
        &["list", arg(&module)],
        &["cache"],
    ];
    for args in commands {
        let output = wasmtest()
            .args(args)
            .stdout(full())
            .output()
            .expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {stderr}");
        assert!(stderr.contains("cannot be written"), "{args:?}: {stderr}");
        // and nobody to tell is no crash
        let status = wasmtest()
            .args(args)
            .stdout(Stdio::null())
            .stderr(full())
            .status();
        assert_eq!(status.expect("it starts").code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_worker_that_panics_is_a_crash_and_not_a_timeout() {
    let module = guest("trivial", Target::P1, "dev");
    let binary = env!("CARGO_BIN_EXE_wasmtest");
    // too few descriptors for what runs WASI
    let script = format!(
        "ulimit -n 10; exec {binary} run --message-format json {} -- t000",
        arg(&module)
    );
    let mut command = wasmtest();
    let cache = command
        .get_envs()
        .find(|(k, _)| *k == "WASMTEST_CACHE_DIR")
        .and_then(|(_, v)| v)
        .expect("set")
        .to_owned();
    run([arg(&module), "-q"]);
    command = std::process::Command::new("sh");
    command
        .current_dir(crate::support::workspace())
        .args(["-c", &script])
        .env("WASMTEST_CACHE_DIR", cache);
    let events = Events::of(finish(&mut command));
    for end in events.ends() {
        let outcome = end["wasmtest"]["outcome"].as_str().expect("known");
        assert!(
            ["crashed", "errored", "passed"].contains(&outcome),
            "{end:#}"
        );
    }
}

#[test]
fn a_grant_for_writing_never_holds_the_cache() {
    let cache = tempfile::tempdir().expect("a folder");
    let module = guest("returns", Target::P1, "dev");
    let cache = cache.path();
    let ran = run([
        arg(&module),
        "--cache-dir",
        arg(cache),
        "--dir",
        &format!("{}::/x:rw", cache.display()),
    ]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("cannot be granted for writing"),
        "{}",
        ran.stderr
    );
    let ran = run([
        arg(&module),
        "--cache-dir",
        arg(cache),
        "--dir",
        &format!("{}::/x", cache.display()),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_list_that_names_a_test_three_times_gives_one_verdict_and_a_note() {
    let dir = tempfile::tempdir().expect("a folder");
    // whatever it is asked it answers with this list
    let list = "a: test\nb: test\na: test\na: test\nb: test\n\n5 tests, 0 benchmarks\n";
    let module = wat(
        dir.path(),
        "repeats.wasm",
        &format!(
            r#"(module
                (import "wasi_snapshot_preview1" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "\10\00\00\00\{length:02x}\00\00\00")
                (data (i32.const 16) "{text}")
                (data (i32.const 1024) "RUST_TEST_THREADS RUST_TEST_NOCAPTURE")
                (func (export "_start")
                    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
            length = list.len(),
            text = list.replace('\n', "\\n"),
        ),
    );
    let events = events([arg(&module)]);
    for path in ["a", "b"] {
        events.end(path);
    }
    assert_eq!(events.ends().count(), 2);
    let note = "repeats.wasm lists `a` 3 times, and another one too: each is one test";
    assert!(events.stderr.contains(note), "{}", events.stderr);
}
