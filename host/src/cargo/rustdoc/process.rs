//! cargo, as it is run for doctests: what it says, line by line, and its end.

use super::super::project;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// cargo with all that it starts, in a process group of its own: whatever becomes of the
/// run, it ends.
pub(super) struct Child(pub(super) std::process::Child);

impl Child {
    pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
        project::ends_with_us(command);
        Ok(Child(command.process_group(0).spawn()?))
    }

    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }

    /// Asks the group to end, and then makes it. All of it has ended when nobody holds
    /// the pipe any more that these lines come from.
    pub(super) fn end(&mut self, lines: &Receiver<String>) {
        let group = self.0.id().cast_signed();
        let signal = |signal| {
            // SAFETY: a signal to a group whose leader was not waited for yet, so that
            // its number is nobody else's; nothing of this process's is touched.
            unsafe { libc::kill(-group, signal) };
        };
        signal(libc::SIGTERM);
        let asked = Instant::now();
        while let Some(left) = PATIENCE.checked_sub(asked.elapsed()) {
            if lines.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
                break;
            }
        }
        signal(libc::SIGKILL);
        let _ = self.0.wait();
    }
}

/// How long cargo has to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines as they come, without their ends.
pub(super) fn lines_of(reader: io::PipeReader) -> io::Result<Receiver<String>> {
    let (tx, rx) = mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']).to_owned();
            line.clear();
            if tx.send(text).is_err() {
                break;
            }
        }
    })?;
    Ok(rx)
}
