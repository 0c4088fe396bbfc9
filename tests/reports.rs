//! `--report`: several reports of one run, each whole, and what is refused before anything runs.

use crate::support::{Events, Ran, Target, arg, finish, guest, wasmtest};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn module() -> PathBuf {
    guest("one_panic", Target::P1, "dev")
}

/// `wasmtest run` of one module, with these flags.
fn run(flags: &[&str]) -> Ran {
    finish(wasmtest().arg("run").arg(module()).args(flags))
}

fn report(kind: &str, file: &Path) -> String {
    format!("{kind}={}", file.display())
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("it was written")
}

#[test]
fn each_report_is_what_stdout_would_have_and_all_agree() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str| dir.path().join(name);
    // what was there before is gone
    fs::write(file("a.json"), "x".repeat(100_000)).expect("written");
    let (a, b) = (
        report("json", &file("a.json")),
        report("json", &file("b.json")),
    );
    let text = report("console", &file("c.txt"));
    let reports = ["--report", &a, "--report", &b, "--report", &text];
    let ran = run(&[&reports[..], &["--message-format", "json"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(read(&file("a.json")), ran.stdout);
    assert_eq!(read(&file("b.json")), ran.stdout);
    let told = read(&file("c.txt"));
    assert!(!told.contains('\x1b') && told.contains("FAILED"), "{told}");
    let events = Events::of(ran);
    let failed = events.ends().filter(|end| end["event"] == "failed");
    for name in failed.map(|end| end["name"].as_str().expect("it has one")) {
        assert!(told.contains(&format!("FAIL   {name}")), "{told}");
    }
    let ran = run(&[&reports[..], &["-v"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(read(&file("c.txt")), ran.stdout);
    let events = Events::of(Ran {
        stdout: read(&file("a.json")),
        ..ran
    });
    assert_eq!(events.summary()["event"], "failed");
    // how stdout looks is its own affair
    let quiet = run(&[&reports[..], &["-q", "--color", "always"]].concat());
    assert!(!read(&file("c.txt")).contains('\x1b'));
    assert!(!quiet.stdout.contains("FAIL   "), "{quiet:?}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str| dir.path().join(name);
    fs::write(file("kept"), "old").expect("written");
    symlink("kept", file("link")).expect("made");
    symlink("new", file("dangling")).expect("made");
    fs::hard_link(file("kept"), file("hard")).expect("made");
    let of = |name: &str| report("json", &file(name));
    let rw = format!("{}::/d:rw", dir.path().display());
    for (flags, why) in [
        (
            vec![report("html", &file("x"))],
            "there are `json` and `console`",
        ),
        (vec!["json".to_owned()], "is not KIND=FILE"),
        (vec!["json=".to_owned()], "names no file"),
        (vec!["json=-".to_owned()], "stdout"),
        (vec!["json=/dev/stdout".to_owned()], "stdout"),
        (vec![of("missing/x")], "its folder is not there"),
        (vec![of(".")], "cannot be made"),
        (vec![of("kept"), of("kept")], "are one file"),
        (vec![of("kept"), of("./kept")], "are one file"),
        (
            vec![of("kept"), report("console", &file("link"))],
            "are one file",
        ),
        (vec![of("kept"), of("hard")], "are one file"),
        (vec![of("new"), of("dangling")], "are one file"),
        (
            vec![of("new"), "--dir".to_owned(), rw.clone()],
            "which tests may write to",
        ),
        (
            vec![of("dangling"), "--dir".to_owned(), rw],
            "which tests may write to",
        ),
    ] {
        let mut command = wasmtest();
        command.arg("run").arg(module());
        let mut is_report = true;
        for flag in &flags {
            is_report &= flag != "--dir";
            if is_report {
                command.arg("--report");
            }
            command.arg(flag);
        }
        let ran = finish(&mut command);
        assert_eq!(ran.code, 2, "{flags:?}: {ran:?}");
        assert!(
            ran.stderr.contains("--report: ") && ran.stderr.contains(why),
            "{flags:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "", "{flags:?}");
        assert_eq!(read(&file("kept")), "old", "{flags:?}");
    }
    // where results go by a redirection
    let out = file("out");
    let json = report("json", &out);
    let output = wasmtest()
        .args(["run", arg(&module()), "--report", &json])
        .stdout(File::create(&out).expect("made"))
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_changes_no_verdict() {
    let dir = tempfile::tempdir().expect("a folder");
    let json = report("json", &dir.path().join("a.json"));
    let good = ["--", "t000"];
    let flags = ["--report", "console=/dev/full", "--report", &json];
    let ran = run(&[&flags[..], &good].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.stderr
            .contains("the report console=/dev/full cannot be written"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("the results"), "{ran:?}");
    let whole = Events::of(Ran {
        stdout: read(&dir.path().join("a.json")),
        ..ran
    });
    assert_eq!(whole.summary()["event"], "ok");
    // each by its name
    let output = wasmtest()
        .args(["run", arg(&module()), "--report", "json=/dev/full"])
        .args(good)
        .stdout(
            File::options()
                .write(true)
                .open("/dev/full")
                .expect("there"),
        )
        .stderr(Stdio::piped())
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("the results cannot be written"), "{stderr}");
    assert!(stderr.contains("the report json=/dev/full"), "{stderr}");
    // nobody minds two to where nothing is kept
    let flags = [
        "--report",
        "json=/dev/null",
        "--report",
        "console=/dev/null",
    ];
    assert_eq!(run(&[&flags[..], &good].concat()).code, 0);
}

#[test]
fn what_the_run_reads_is_no_report_and_what_is_refused_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str| dir.path().join(name);
    let cache = file("cache");
    fs::create_dir(&cache).expect("made");
    fs::copy(module(), file("m.wasm")).expect("copied");
    fs::write(file("m.json"), "{}").expect("written");
    fs::write(file("wasmtest.toml"), "").expect("written");
    let run = |report: &str, flags: &[&str]| {
        let mut command = wasmtest();
        command.current_dir(dir.path()).args(["run", "m.wasm"]);
        finish(command.args(flags).args(["--report", report]))
    };
    let refused: [(&str, &[&str], &str); 4] = [
        ("json=m.wasm", &[], "a WebAssembly module"),
        ("json=wasmtest.toml", &[], "the configuration"),
        ("json=m.json", &["--side-files"], "its side file"),
        ("json=cache/new", &["--cache-dir", "cache"], "the cache"),
    ];
    for (report, flags, why) in refused {
        let ran = run(report, flags);
        assert_eq!(ran.code, 2, "{report}: {ran:?}");
        assert!(ran.stderr.contains(why), "{report}: {ran:?}");
    }
    assert!(fs::metadata(file("m.wasm")).expect("there").len() > 0);
    assert_eq!(read(&file("m.json")), "{}");
    // another name of one that tests may write to
    fs::create_dir(file("rw")).expect("made");
    fs::write(file("linked"), "stays").expect("written");
    fs::hard_link(file("linked"), file("rw/in")).expect("made");
    let ran = run("json=linked", &["--dir", "rw:rw"]);
    assert_eq!((ran.code, &*read(&file("linked"))), (2, "stays"), "{ran:?}");
    assert!(ran.stderr.contains("hard links"), "{ran:?}");
    // a later one that cannot be made takes the earlier along
    let ran = run("json=new", &["--report", "json=cache"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(!file("new").exists());
}
