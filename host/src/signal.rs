//! What those who started this process had it do with signals.

use std::mem::MaybeUninit;
use std::ptr;

/// Whether the caller has this process ignore a signal, as `nohup` does with SIGHUP, and a
/// script's shell with SIGINT for its jobs in the background. To be asked before a handler is set.
pub fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: changes nothing, and writes what is set, which is read only if it was.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
