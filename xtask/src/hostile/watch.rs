//! One command run to its end, with what can be known of all processes that it started: the
//! most memory that one of them had, whether one outlived it, what it left in its TMPDIR.

use anyhow::{Context as _, Result};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What came of a command.
#[derive(Debug)]
pub struct Watched {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// The most resident memory that it or a process that it waited for had, in bytes; 0 if that
    /// is no more than this process has.
    pub peak: u64,
    /// What is wrong with its end: it hung, a process outlived it, files were left behind.
    pub complaints: Vec<String>,
}

/// Nothing takes so long; what does hangs.
const HUNG: i32 = 300_000;
/// What the kernel may need to end processes whose parent is gone.
const ENDING: i32 = 60_000;
/// A net for this machine, where a limit that is tested here does not hold: of what is mapped to
/// be written, much of which a worker never touches.
const NET: u64 = 6 << 30;

/// Runs a command; its TMPDIR, and what it writes, lie in this folder.
///
/// # Errors
/// If it cannot be started or watched.
pub fn watch(command: &mut Command, folder: &Path) -> Result<Watched> {
    let tmp = folder.join("tmp");
    std::fs::create_dir_all(&tmp)?;
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    let (alive, held) = pipe()?;
    let number = held.as_raw_fd();
    command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .env("TMPDIR", &tmp)
        .process_group(0);
    // SAFETY: plain system calls, between fork and exec, on a descriptor that stays open until
    // the child has started. All its processes inherit it, and so it tells when the last ends.
    unsafe {
        command.pre_exec(move || {
            let mut limit: libc::rlimit = std::mem::zeroed();
            libc::getrlimit(libc::RLIMIT_DATA, &mut limit);
            limit.rlim_cur = limit.rlim_max.min(NET);
            libc::setrlimit(libc::RLIMIT_DATA, &limit);
            match libc::fcntl(number, libc::F_SETFD, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    let own = resident();
    let child = command.spawn().context("it cannot be started")?;
    drop(held);
    let mut complaints = Vec::new();
    let id = child.id().cast_signed();
    // SAFETY: a plain system call; the child has not been waited for.
    let watched = unsafe { libc::syscall(libc::SYS_pidfd_open, id, 0) };
    // SAFETY: the call gave a descriptor that is ours alone, or -1, which is no descriptor.
    let watched = (watched >= 0).then(|| unsafe { OwnedFd::from_raw_fd(watched as i32) });
    let watched = watched.context("a process cannot be watched")?;
    if !ready(&watched, libc::POLLIN, HUNG) {
        complaints.push(format!("it hangs: no end in {} s", HUNG / 1000));
        end_group(id);
    }
    let mut status = 0;
    // SAFETY: plain system calls on values of this function; the child is ours.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::wait4(id, &mut status, 0, &mut usage);
        usage
    };
    if !ready(&alive, libc::POLLHUP, ENDING) {
        complaints.push("a process outlived the run".into());
        end_group(id);
    }
    complaints.extend(left(&tmp));
    Ok(Watched {
        status: ExitStatus::from_raw(status),
        stdout: std::fs::read(&out)?,
        stderr: String::from_utf8_lossy(&std::fs::read(&err)?).into_owned(),
        // until it is another program, a child has what its parent has
        peak: Some(u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10)
            .filter(|peak| *peak > own + OWN_GROWTH)
            .unwrap_or(0),
        complaints,
    })
}

/// What other threads of this process may take while a child is made.
const OWN_GROWTH: u64 = 8 << 20;

/// How much resident memory this process has, in bytes, once it has given back what it can.
fn resident() -> u64 {
    // SAFETY: the call has no preconditions.
    unsafe { libc::malloc_trim(0) };
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) << 12
}

/// What lies in a folder that has to be empty.
fn left(folder: &Path) -> Option<String> {
    let names: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name().into())
        .collect();
    (!names.is_empty()).then(|| format!("left behind in TMPDIR: {names:?}"))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for both ends, which are ours alone afterwards.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// Whether this comes within so many milliseconds.
fn ready(on: &OwnedFd, events: i16, milliseconds: i32) -> bool {
    let mut poll = libc::pollfd {
        fd: on.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one entry, which lives until the call is over.
    unsafe { libc::poll(&mut poll, 1, milliseconds) == 1 }
}

fn end_group(id: i32) {
    // SAFETY: a plain system call; the group is the child's own.
    unsafe {
        libc::kill(-id, libc::SIGKILL);
    }
}
