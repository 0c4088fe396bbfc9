//! A command in a process group of its own, and what the system says of the group.

use super::Spec;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A process group, by its leader.
pub(super) struct Group {
    leader: i32,
}

/// Starts the command; gives its group, its stdout and its stderr.
///
/// # Errors
/// Why it cannot be started, in words.
pub(super) fn start(spec: &Spec) -> Result<(Group, ChildStdout, ChildStderr), String> {
    let (program, args) = spec.command.split_first().ok_or("there is no command")?;
    if !spec.dir.is_dir() {
        return Err(format!("{} is no folder", spec.dir.display()));
    }
    let mut command = Command::new(program);
    command
        .args(args)
        .envs(spec.env.iter().map(|(k, v)| (k, v)))
        .current_dir(&spec.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let leader = i32::try_from(child.id()).map_err(|e| e.to_string())?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = stdout.zip(stderr).ok_or("it has no output")?;
    // waited for with all others
    Ok((Group { leader }, stdout, stderr))
}

impl Group {
    /// The process that was started, which is also the group's number.
    pub(super) fn leader(&self) -> i32 {
        self.leader
    }

    /// Sends a signal to every process of the group.
    pub(super) fn signal(&self, signal: i32) {
        // SAFETY: kill has no preconditions; the group is one that this process made.
        unsafe { libc::kill(-self.leader, signal) };
    }

    /// Whether no process of the group is left.
    pub(super) fn is_gone(&self) -> bool {
        // SAFETY: as above; signal 0 only asks.
        let found = unsafe { libc::kill(-self.leader, 0) };
        found == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
    }
}

/// Has orphans below this process become its children, where the system can do
/// that: the end of each is then noticed.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain attribute of this process; no memory is involved.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    }
}

/// Waits for every child, adopted ones too, in a thread of its own; `on_end` is
/// given each one's process and wait status.
///
/// # Errors
/// If the machine has no thread left.
pub(super) fn reap(on_end: impl Fn(i32, i32) + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(move || {
        loop {
            let mut status = 0;
            // SAFETY: the status is a variable of this frame's.
            let process = unsafe { libc::waitpid(-1, &raw mut status, 0) };
            if process > 0 {
                on_end(process, status);
            } else if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                // no child is left
                return;
            }
        }
    })?;
    Ok(())
}

/// Which of these descriptors have something to be read or have ended; negative
/// ones have not. Waits for one of them, for `wait` at most.
pub(super) fn readable<const N: usize>(fds: [RawFd; N], wait: Option<Duration>) -> [bool; N] {
    let mut polled = fds.map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let milliseconds = match wait {
        None => -1,
        // never too early
        Some(wait) => i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i32::MAX),
    };
    // SAFETY: the array is this frame's and as long as is said.
    let found = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, milliseconds) };
    match found {
        // interrupted, or nothing yet: whoever asks looks again
        ..=0 => [false; N],
        _ => polled.map(|p| p.revents != 0),
    }
}
