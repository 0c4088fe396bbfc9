//! How long a file may be that a worker writes: the system's own limit, behind what is counted.
//!
//! A process that passes it is told so by an error, as on any full disk, and not by a signal.

use crate::protocol::MaxScratch;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Limits this process. It must be one that runs guests and nothing else.
pub fn limit() {
    // SAFETY: from now on the signal is ignored, for which nothing here has set a handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let limit = getrlimit(Resource::Fsize);
    if limit
        .current
        .is_none_or(|now| now > MaxScratch::LONGEST_FILE)
    {
        set(limit, MaxScratch::LONGEST_FILE);
    }
}

/// Lets a process that was limited write files that are as long as its tests may have them.
pub fn allow(max: MaxScratch) {
    let limit = getrlimit(Resource::Fsize);
    if limit.current == Some(MaxScratch::LONGEST_FILE) {
        let longest = max.longest_file();
        set(
            limit,
            limit.maximum.map_or(longest, |most| most.min(longest)),
        );
    }
}

fn set(limit: Rlimit, current: u64) {
    let current = Some(current);
    // where it is refused, what is counted is the limit
    let _ = setrlimit(Resource::Fsize, Rlimit { current, ..limit });
}
