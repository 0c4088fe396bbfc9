//! Processes of others, as Linux shows them: whose they are, and handles to signal and await them by.

use std::fs;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

/// The processes that this one has started and that are there now.
pub fn children_of(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let lists = tasks.filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    let numbers = lists.iter().flat_map(|list| list.split_whitespace());
    numbers.filter_map(|n| n.parse().ok()).collect()
}

/// A process, by a handle that stands for no other once it has ended.
pub struct Handle {
    process: u32,
    fd: OwnedFd,
}

impl Handle {
    /// That of the process with this number, if there is one.
    pub fn of(process: u32) -> Option<Handle> {
        // SAFETY: a plain system call, whose result is a descriptor of this process's alone.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: as above.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Some(Handle { process, fd })
    }

    /// Sends it a signal; whether it was still there.
    pub fn send(&self, signal: i32) -> bool {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a plain system call on a descriptor of ours; without further information.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.fd.as_raw_fd(),
                signal,
                none,
                0,
            )
        };
        sent == 0
    }

    /// Its number.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Waits for its end, for so long at most; whether it has ended.
    pub fn has_ended_within(&self, at_most: Duration) -> bool {
        let mut poll = libc::pollfd {
            fd: self.fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let milliseconds = i32::try_from(at_most.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the struct is this frame's.
        unsafe { libc::poll(&raw mut poll, 1, milliseconds) == 1 }
    }
}
