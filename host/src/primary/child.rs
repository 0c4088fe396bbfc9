//! A child process, watched to its end.
//!
//! A thread for each waits for what the system says of it, so that nobody has to: its end wakes
//! whoever awaits it, and one that is stopped from outside (SIGSTOP and the like) is ended at once,
//! since nobody knows whether it will ever go on. No wait in here is without an end.

use super::oom;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long SIGKILL may take: memory has to be given back, and a disk may hold up the kernel.
const LAST: Duration = Duration::from_secs(5);

/// Those that end with this process, should it leave at once.
static BOUND: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Ends by force all that end with this process: it leaves at once.
pub(super) fn kill_bound() {
    let bound = BOUND.lock().unwrap_or_else(PoisonError::into_inner);
    for shared in bound.iter().filter_map(Weak::upgrade) {
        Watched(shared).kill(Killed::Unwanted);
    }
}

/// A child of this process.
pub(super) struct Process {
    child: Child,
    watched: Watched,
}

/// What is known of a child; also for other threads.
#[derive(Clone)]
pub(super) struct Watched(Arc<Shared>);

struct Shared {
    process: libc::pid_t,
    known: Mutex<Known>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Known {
    has_ended: bool,
    /// The signal that stopped it from outside.
    stopped_by: Option<i32>,
    /// Why this process has ended it, if it has.
    killed: Option<Killed>,
}

/// Why a child was ended by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// It was of no use any more.
    Unwanted,
    /// It was to end by itself, and did not.
    Stayed,
}

impl Process {
    /// Watches over a child that was just started; `on_end` is called once it has ended.
    ///
    /// # Errors
    /// If the machine has no thread left; the child is ended then.
    pub(super) fn watch(
        mut child: Child,
        on_end: impl FnOnce() + Send + 'static,
    ) -> io::Result<Process> {
        let process = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
        let watched = Watched(Arc::new(Shared {
            process,
            known: Mutex::default(),
            changed: Condvar::new(),
        }));
        let started = {
            let watched = watched.clone();
            thread::Builder::new().spawn(move || {
                watched.watch();
                on_end();
            })
        };
        if let Err(e) = started {
            let _ = child.kill();
            let _ = child.wait();
            return Err(e);
        }
        Ok(Process { child, watched })
    }

    /// It ends with this process, also if that leaves at once ([`kill_bound`]): a child that is
    /// stopped before it has seen to that itself would stay.
    pub(super) fn bind(&self) {
        let mut bound = BOUND.lock().unwrap_or_else(PoisonError::into_inner);
        bound.retain(|shared| shared.strong_count() > 0);
        bound.push(Arc::downgrade(&self.watched.0));
    }

    /// The same child for another thread.
    pub(super) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// Ends it by force.
    pub(super) fn kill(&self) {
        self.watched.kill(Killed::Unwanted);
    }

    /// Its number.
    pub(super) fn number(&self) -> libc::pid_t {
        self.watched.0.process
    }

    /// Sees to its end, as [`Watched::end_within`] does, and says how it came about.
    pub(super) fn how_it_ended(&mut self, patience: Duration) -> String {
        if !self.watched.end_within(patience) {
            return format!(
                "process {} does not end, not even by SIGKILL",
                self.number()
            );
        }
        match self.child.wait() {
            Ok(status) => self.watched.lock().told(status),
            Err(e) => format!("its end is unknown: {e}"),
        }
    }

    /// The signal that ended it, once its end was seen to.
    pub(super) fn signal(&mut self) -> Option<i32> {
        self.child.try_wait().ok()??.signal()
    }

    /// Sees to its end and that nothing is left of it.
    pub(super) fn reap(&mut self, patience: Duration) {
        if self.watched.end_within(patience) {
            let _ = self.child.wait();
        }
    }

    /// Waits for its end without forcing it: it may live on.
    pub(super) fn let_go(&mut self, patience: Duration) {
        if self.watched.await_end(patience) {
            let _ = self.child.wait();
        }
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has ended, for so long at most; whether it has.
    fn await_end(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut known = self.lock();
        while !known.has_ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.0.changed.wait_timeout(known, left);
            known = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Waits until it has ended; once the patience is over, ends it by force. Whether that has
    /// ended it.
    pub(super) fn end_within(&self, patience: Duration) -> bool {
        if self.await_end(patience) {
            return true;
        }
        self.kill(Killed::Stayed);
        self.await_end(LAST)
    }

    fn kill(&self, why: Killed) {
        let mut known = self.lock();
        if known.has_ended {
            // its number may be another's by now
            return;
        }
        known.killed.get_or_insert(why);
        self.signal_kill();
    }

    /// Under the lock, and only as long as it has not ended: until then nobody waits for it, so
    /// the number is its own.
    fn signal_kill(&self) {
        // SAFETY: kill has no preconditions; the process is this one's child.
        unsafe { libc::kill(self.0.process, libc::SIGKILL) };
    }

    /// Until it has ended; leaves it to be waited for.
    fn watch(&self) {
        let mut events = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT;
        while let Some(signal) = self.next_stop(events) {
            let mut known = self.lock();
            if known.killed.is_none() {
                known.stopped_by = Some(signal);
            }
            // a process that is stopped dies of it all the same
            self.signal_kill();
            events = libc::WEXITED | libc::WNOWAIT;
        }
        self.lock().has_ended = true;
        self.0.changed.notify_all();
    }

    /// The signal that has stopped it; `None` once it has ended.
    fn next_stop(&self, events: i32) -> Option<i32> {
        loop {
            let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
            let process = libc::id_t::try_from(self.0.process).ok()?;
            // SAFETY: waitid fills the struct, for which all-zero is a valid value too.
            let (result, info) = unsafe {
                let result = libc::waitid(libc::P_PID, process, info.as_mut_ptr(), events);
                (result, info.assume_init())
            };
            if result == 0 {
                // SAFETY: it is what waitid has filled in, of a child.
                let status = unsafe { info.si_status() };
                return (info.si_code == libc::CLD_STOPPED).then_some(status);
            }
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                // nothing is left to wait for
                return None;
            }
        }
    }
}

impl Known {
    fn told(self, status: ExitStatus) -> String {
        let how = died(status);
        match (self.stopped_by, self.killed, status.signal()) {
            (Some(signal), ..) => format!(
                "stopped from outside by signal {signal}{}, and so ended",
                signal_name(signal)
            ),
            (None, Some(Killed::Stayed), Some(libc::SIGKILL)) => {
                format!("it had to end and did not: {how}")
            }
            (None, None, Some(libc::SIGKILL)) => match oom::killed_one() {
                true => format!("{how} by the kernel, which was out of memory"),
                false => format!("{how} from outside"),
            },
            _ => how,
        }
    }
}

/// How a process ended, in words.
pub(super) fn died(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by signal {signal}{}", signal_name(signal)),
        (None, Some(code)) => format!("exited with status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGTERM => " (SIGTERM)",
        libc::SIGSTOP => " (SIGSTOP)",
        libc::SIGTSTP => " (SIGTSTP)",
        libc::SIGTTIN => " (SIGTTIN)",
        libc::SIGTTOU => " (SIGTTOU)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::sync::mpsc;

    /// A process that lives until it is ended, and what tells of its end.
    fn endless() -> (Process, mpsc::Receiver<()>) {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; read never"]);
        // a pipe that stays open: nothing to be read comes
        let child = command.stdin(Stdio::piped()).spawn().expect("it starts");
        let (tx, rx) = mpsc::channel();
        let process = Process::watch(child, move || tx.send(()).expect("somebody listens"));
        (process.expect("a thread is left"), rx)
    }

    fn signal(process: &Process, signal: i32) {
        // SAFETY: kill has no preconditions; the process is this test's.
        assert_eq!(unsafe { libc::kill(process.number(), signal) }, 0);
    }

    #[test]
    fn a_child_that_is_stopped_from_outside_is_ended_and_that_is_said() {
        let (mut process, ended) = endless();
        signal(&process, libc::SIGSTOP);
        ended.recv().expect("it ends by nobody's doing but ours");
        assert_eq!(
            process.how_it_ended(Duration::ZERO),
            "stopped from outside by signal 19 (SIGSTOP), and so ended"
        );
    }

    #[test]
    fn a_child_that_does_not_end_is_ended_once_the_patience_is_over() {
        let (mut process, ended) = endless();
        assert_eq!(
            process.how_it_ended(Duration::ZERO),
            "it had to end and did not: killed by signal 9 (SIGKILL)"
        );
        ended.recv().expect("it has ended");
    }

    #[test]
    fn who_killed_a_child_is_said() {
        let (mut process, ended) = endless();
        signal(&process, libc::SIGKILL);
        ended.recv().expect("it has ended");
        let how = process.how_it_ended(Duration::ZERO);
        assert!(how.starts_with("killed by signal 9 (SIGKILL) "), "{how}");
        let (mut process, ended) = endless();
        process.kill();
        ended.recv().expect("it has ended");
        let how = process.how_it_ended(Duration::ZERO);
        assert_eq!(how, "killed by signal 9 (SIGKILL)");
        // its number may be another's: nothing is sent to it
        process.kill();
        process.reap(Duration::ZERO);
    }
}
