//! A disk that is full: who is told, and that nobody else is the worse for it.

use crate::support::{Events, Ran, Target, arg, finish, guest, wasmtest};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// A disk of so many MiB.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may mount nothing.
    fn new(mib: u32) -> Option<SmallDisk> {
        let at = tempfile::tempdir().expect("a folder");
        let (path, data) = (c_string(at.path()), format!("size={mib}m,mode=700"));
        let data = CString::new(data).expect("no NUL");
        // SAFETY: all of it are strings that end; what is mounted is unmounted below.
        let mounted = unsafe {
            let kind = c"tmpfs".as_ptr();
            libc::mount(kind, path.as_ptr(), kind, 0, data.as_ptr().cast())
        };
        if mounted != 0 {
            eprintln!("not tried: {}", std::io::Error::last_os_error());
            return None;
        }
        Some(SmallDisk(at))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room on it.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("filler")).expect("made");
        while std::io::Write::write(&mut file, &[1; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // SAFETY: unmounts what this has mounted.
        unsafe { libc::umount2(c_string(self.path()).as_ptr(), libc::MNT_DETACH) };
    }
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL")
}

fn run(set: (&str, &Path), tests: &[&str]) -> Ran {
    let module = guest("disk", Target::P1, "dev");
    let mut command = wasmtest();
    command.args(["run", "--message-format", "json", "--processes", "1"]);
    command.args([arg(&module), "--"]).args(tests);
    finish(command.env(set.0, set.1))
}

#[test]
fn a_test_is_told_that_the_disk_is_full_and_the_next_one_has_room() {
    let Some(disk) = SmallDisk::new(8) else {
        return;
    };
    let tests = ["quota_fills_it", "writes_little"];
    let events = Events::of(run(("TMPDIR", disk.path()), &tests));
    let fails = &events.end("tests::quota_fills_it_and_fails")["wasmtest"];
    let hint = fails["hint"].as_str().unwrap_or_default();
    assert!(
        hint.contains("the disk that its own folder (/tmp) lies on is full"),
        "{fails:#}"
    );
    for passes in ["quota_fills_it_and_copes", "writes_little"] {
        assert_eq!(events.outcome(&format!("tests::{passes}")), "passed");
    }
    assert_eq!(std::fs::read_dir(disk.path()).expect("there").count(), 0);
}

#[test]
fn a_cache_without_room_is_told_with_what_to_do() {
    let Some(disk) = SmallDisk::new(1) else {
        return;
    };
    disk.fill();
    let ran = run(("WASMTEST_CACHE_DIR", disk.path()), &["writes_little"]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    for part in ["No space left", "--cache-dir"] {
        assert!(
            ran.stdout.contains(part),
            "{part}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
}

#[test]
fn a_place_where_no_folder_can_be_made_is_named() {
    let missing = Path::new("/missing/place");
    let ran = run(("TMPDIR", missing), &["writes_little"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr
            .contains("/missing/place (TMPDIR names another place)"),
        "{}",
        ran.stderr
    );
}

/// Has a process begin where no file may be longer than so many bytes, as `ulimit -f` does.
fn with_short_files(command: &mut Command, bytes: u64) -> &mut Command {
    // SAFETY: sets a limit of the new process, and nothing else.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit {
                rlim_cur: bytes,
                rlim_max: bytes,
            };
            match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        })
    }
}

#[test]
fn a_report_that_may_not_grow_is_told_and_changes_no_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let tmp = folder.path().join("tmp");
    std::fs::create_dir(&tmp).expect("made");
    let module = guest("verdicts", Target::P1, "dev");
    let flags = ["-q", "--", "passes"];
    assert_eq!(
        crate::support::run([&[arg(&module)], &flags[..]].concat()).code,
        0
    );
    let report = folder.path().join("report.json");
    let mut command = wasmtest();
    command.args(["run", arg(&module), "--report"]);
    command.arg(format!("json={}", report.display()));
    command.args(flags).env("TMPDIR", &tmp);
    let ran = finish(with_short_files(&mut command, 200));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("OK"), "{ran:?}");
    assert!(ran.stderr.contains("File too large"), "{ran:?}");
    assert_eq!(std::fs::read_dir(&tmp).expect("made").count(), 0);
}
