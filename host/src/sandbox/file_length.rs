//! How long a file may be that a worker writes: the system's own limit, behind what is counted.
//!
//! A process that passes it is told so by an error, as on any full disk, and not by a signal.

use crate::protocol::MaxScratch;
use std::io;

/// Limits this process. It must be one that runs guests and nothing else.
pub fn limit() {
    // SAFETY: from now on the signal is ignored, for which nothing here has set a handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    if let Ok(limit) = get()
        && limit.rlim_cur > MaxScratch::LONGEST_FILE
    {
        set(libc::rlimit {
            rlim_cur: MaxScratch::LONGEST_FILE,
            ..limit
        });
    }
}

/// Lets a process that was limited write files that are as long as its tests may have them.
pub fn allow(max: MaxScratch) {
    if let Ok(limit) = get()
        && limit.rlim_cur == MaxScratch::LONGEST_FILE
    {
        set(libc::rlimit {
            rlim_cur: max.longest_file().min(limit.rlim_max),
            ..limit
        });
    }
}

fn get() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes a whole `rlimit` to the place that it is given.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set(limit: libc::rlimit) {
    // SAFETY: reads a whole `rlimit`, and changes what this process may write. Where it is
    // refused, what is counted is the limit.
    unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
}
