//! What those who started this process had it do with signals.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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

/// Has a file that may not grow any more be an error to whoever writes it, in this process: as the
/// system has it, a signal would end the process. What this process starts has it as before.
pub fn survive_long_files() {
    let seen = Arc::new(AtomicBool::new(false));
    // where no handler can be set it is as before
    let _ = signal_hook::flag::register(libc::SIGXFSZ, seen);
}
