//! What becomes of a program's scratch folder when a signal ends this process.

use crate::sandbox::deadline::Guard;
use crate::signal::is_ignored;
use crate::temporary::remove;
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often it is tried to remove a folder that a program may still be writing to.
const TRIES: usize = 100;
/// How long is waited between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// What a signal that ends the process finds.
#[derive(Default)]
pub(super) struct AtEnd {
    found: Mutex<Found>,
    has_come: AtomicBool,
}

#[derive(Default)]
struct Found {
    folder: Option<PathBuf>,
    guard: Option<Guard>,
}

impl AtEnd {
    /// Takes what is there now: the program's folder, and who stops it.
    pub(super) fn finds(&self, folder: Option<&Path>, guard: Guard) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Found {
            folder: folder.map(ToOwned::to_owned),
            guard: Some(guard),
        };
    }

    /// Does not come back if a signal has come: it is what ends the process, and how.
    pub(super) fn let_it_end(&self) {
        while self.has_come.load(Ordering::Acquire) {
            thread::park();
        }
    }

    fn clean(&self) {
        self.has_come.store(true, Ordering::Release);
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        // a program that goes on would go on writing
        if let Some(guard) = found.guard {
            guard.interrupt();
        }
        if let Some(folder) = found.folder {
            remove_folder(&folder);
        }
    }
}

/// Removes a folder that a program may have open.
pub(super) fn remove_folder(folder: &Path) {
    for _ in 0..TRIES {
        match remove::folder(folder) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => thread::sleep(PAUSE),
            _ => break,
        }
    }
}

/// Signals that end the process, held back so that none of them disturbs what the program
/// reads just then. One that the caller has this process ignore (`nohup`, a job of a
/// script's in the background) ends nothing, and is left alone.
pub(super) struct Held(libc::sigset_t);

impl Held {
    /// To be called before any thread is started, which all then hold them back.
    pub(super) fn back() -> Held {
        let signals = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` makes a set of the memory that it is given; the others
        // take that set, and change this thread's mask and nothing else.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            let mut set = set.assume_init();
            for signal in signals.into_iter().filter(|s| !is_ignored(*s)) {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
            set
        };
        Held(set)
    }

    /// Has the first of them clean up, and then end the process as it would have.
    pub(super) fn clean_up(self, at_end: Arc<AtEnd>) {
        thread::spawn(move || {
            let Held(set) = self;
            let mut signal = 0;
            // SAFETY: waits for a signal of the set, which is valid, and writes its number.
            if unsafe { libc::sigwait(&raw const set, &raw mut signal) } != 0 {
                return;
            }
            at_end.clean();
            // SAFETY: nothing here has set a handler for it, so this ends the process.
            unsafe {
                libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
                libc::raise(signal);
            }
        });
    }
}
