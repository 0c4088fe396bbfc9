//! The acceptance cases, one test each, by their numbers. Cases 15 to 20 and 26 are
//! beside the code that they are about, in `host/src`.
//!
//! What happened is read from a log that the guests append to in a folder granted to
//! them, and from the event stream; never from the summary alone.

mod contexts;
mod functional;
mod losses;
mod marks;
mod stopped;

use crate::support::{Events, Target, arg, events, guest};
use crate::workers::Watched;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The flags with which each case has to hold: a run for each.
const WAYS: &[&[&str]] = &[&[], &["--no-snapshot"]];

/// One way to run a case, with a folder for what its guests note.
pub struct Ground {
    flags: &'static [&'static str],
    folder: tempfile::TempDir,
}

/// Does this in every way that a case has to hold in.
pub fn each_way(check: impl Fn(&Ground)) {
    for flags in WAYS {
        let folder = tempfile::tempdir().expect("a folder");
        check(&Ground { flags, folder });
    }
}

impl Ground {
    /// Runs the tests of the guest `acceptance` whose path begins so.
    pub fn run(&self, processes: &str, path: &str, flags: &[&str]) -> Events {
        self.run_of("acceptance", processes, &[path], flags)
    }

    /// Runs tests of any guest, those whose path begins in one of these ways.
    pub fn run_of(&self, name: &str, processes: &str, paths: &[&str], flags: &[&str]) -> Events {
        let module = guest(name, Target::P1, "dev");
        events(self.args(&[&module], processes, paths, flags))
    }

    /// Runs tests of several modules, those whose path begins in one of these ways.
    pub fn run_chosen(&self, modules: &[&Path], processes: &str, paths: &[&str]) -> Events {
        events(self.args(modules, processes, paths, &[]))
    }

    /// As [`Self::run`], to be watched.
    pub fn start(&self, processes: &str, path: &str, flags: &[&str]) -> Watched {
        let module = guest("acceptance", Target::P1, "dev");
        let args = self.args(&[&module], processes, &[path], flags);
        Watched::start(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn args(
        &self,
        modules: &[&Path],
        processes: &str,
        paths: &[&str],
        flags: &[&str],
    ) -> Vec<String> {
        let folder = self.folder.path().to_str().expect("UTF-8");
        let mut args: Vec<String> = modules.iter().map(|m| arg(m).to_owned()).collect();
        args.extend(["--processes".to_owned(), processes.to_owned()]);
        args.extend(["--dir".to_owned(), format!("{folder}:rw")]);
        args.extend(["--env".to_owned(), format!("LOG={folder}/log")]);
        args.extend(self.flags.iter().chain(flags).map(|f| (*f).to_owned()));
        args.push("--".to_owned());
        // an id is the module's name, a space and the path
        args.extend(paths.iter().map(|p| format!(" {p}")));
        args
    }

    /// What guests noted, line by line.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often guests noted this.
    pub fn count(&self, line: &str) -> usize {
        self.log().iter().filter(|l| *l == line).count()
    }

    /// Gives guests a sign that they wait for.
    pub fn give(&self, sign: &str) {
        fs::write(self.file(sign), "").expect("written");
    }

    /// A file beside the log.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until a guest has noted this.
    pub fn await_line(&self, run: &Watched, line: &str) {
        self.await_lines(run, line, 1);
    }

    /// Waits until guests have noted this so often, woken by each change of the folder.
    ///
    /// # Panics
    /// If the run ends before that.
    pub fn await_lines(&self, run: &Watched, line: &str, times: usize) {
        let folder = CString::new(self.folder.path().as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: plain system calls; the name lives as long as the call that reads it,
        // and each descriptor belongs to its file alone.
        let (mut changes, end) = unsafe {
            let fd = libc::inotify_init1(libc::IN_CLOEXEC);
            assert!(fd >= 0);
            let mask = libc::IN_CREATE | libc::IN_MODIFY;
            assert!(libc::inotify_add_watch(fd, folder.as_ptr(), mask) >= 0);
            let end = libc::syscall(libc::SYS_pidfd_open, run.child.id(), 0) as i32;
            assert!(end >= 0);
            (File::from_raw_fd(fd), File::from_raw_fd(end))
        };
        while self.count(line) < times {
            let mut either = [&changes, &end].map(|file| libc::pollfd {
                fd: file.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            });
            // SAFETY: the descriptors are open, and the array lives as long as the call.
            assert!(unsafe { libc::poll(either.as_mut_ptr(), 2, -1) } > 0);
            if either[0].revents != 0 {
                let mut some = [0; 4096];
                assert_ne!(changes.read(&mut some).expect("readable"), 0);
            } else {
                assert!(self.count(line) >= times, "no {line}: {:?}", self.log());
            }
        }
    }
}

/// When a test ran, by the event stream, and on which worker.
#[derive(Debug)]
pub struct Ran {
    pub start: f64,
    pub end: f64,
    pub worker: u64,
}

impl Ran {
    pub fn of(events: &Events, path: &str) -> Ran {
        let own = &events.end(path)["wasmtest"];
        let time = |key: &str| own[key].as_f64().unwrap_or_else(|| panic!("{own}"));
        Ran {
            start: time("start"),
            end: time("end"),
            worker: own["worker"].as_u64().expect("it ran"),
        }
    }

    pub fn overlaps(&self, other: &Ran) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// The names of events of this kind, in order.
pub fn named(events: &Events, kind: &str, event: &str) -> Vec<String> {
    let all = events.all.iter();
    all.filter(|e| e["type"] == kind && e["event"] == event)
        .filter_map(|e| e["name"].as_str().map(str::to_owned))
        .collect()
}

/// The children of a run that play this part.
pub fn children(run: &Watched, part: &str) -> Vec<u32> {
    let plays = |process: &u32| {
        let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(part)
    };
    run.children().into_iter().filter(plays).collect()
}
