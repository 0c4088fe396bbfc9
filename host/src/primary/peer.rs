//! The processes that the primary starts, and the channel to each.
//!
//! A child is this same executable. Its stdin is one end of a socket, its
//! stdout goes nowhere, its stderr to a file without a name that is read only
//! if it dies. It is in a process group of its own, so that a Ctrl-C reaches
//! the primary alone; it ends when its end of the socket closes. With
//! `--processes 0` the peer is a thread with the same channel.

use crate::protocol::{read_frame, write_frame};
use crate::settings::HostPaths;
use crate::{module, worker};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// How long a peer may leave its end of the channel unread once that is full.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a peer is for; also the hidden subcommand that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs and lists tests.
    Worker,
    /// Compiles modules.
    Compiler,
    /// Holds the instances of shared fixtures.
    FixtureHost,
    /// Guards a host fixture; always a process.
    Guardian,
}

impl Role {
    fn subcommand(self) -> &'static str {
        match self {
            Role::Worker => "__worker",
            Role::Compiler => "__compiler",
            Role::FixtureHost => "__fixture-host",
            Role::Guardian => "__guardian",
        }
    }
}

/// Where a peer lives.
#[derive(Clone, Copy, Debug)]
pub enum Home<'a> {
    /// In a process of its own, which this program starts from where it is.
    Process(&'a HostPaths),
    /// In a thread of this process.
    Thread,
    /// In a thread, and a worker does this in place of its work.
    #[cfg(test)]
    Fake(fn(UnixStream)),
}

/// A running peer.
pub struct Peer {
    to: UnixStream,
    body: Body,
    /// What was wrong with the last thing that it said.
    nonsense: Arc<OnceLock<String>>,
}

enum Body {
    Process { child: Child, stderr: File },
    Thread,
}

impl Peer {
    /// Starts a peer; `on_messages` is called with its messages as they come, and
    /// with `None` at the end, from a thread of its own.
    ///
    /// # Errors
    /// If the machine has no process, thread or socket left.
    pub fn start<M: DeserializeOwned>(
        role: Role,
        home: Home<'_>,
        on_messages: impl Fn(Option<Vec<M>>) + Send + 'static,
    ) -> io::Result<Peer> {
        let (ours, theirs) = UnixStream::pair()?;
        // one that does not read is as good as gone
        ours.set_write_timeout(Some(PATIENCE))?;
        let body = match home {
            Home::Thread if role == Role::Guardian => return Err(io::ErrorKind::Unsupported.into()),
            Home::Process(host) => {
                let stderr = tempfile::tempfile_in(&host.temp_dir)?;
                let child = executable(&host.exe)
                    .arg(role.subcommand())
                    .stdin(Stdio::from(OwnedFd::from(theirs)))
                    .stdout(Stdio::null())
                    .stderr(Stdio::from(stderr.try_clone()?))
                    .process_group(0)
                    .spawn()?;
                Body::Process { child, stderr }
            }
            Home::Thread => {
                let from = theirs.try_clone()?;
                thread::Builder::new().spawn(move || match role {
                    // both ends of an error: the socket closes, the primary notices
                    Role::Worker | Role::FixtureHost => {
                        let socket = theirs.try_clone()?;
                        worker::serve(BufReader::new(from), theirs, move || {
                            let _ = socket.shutdown(Shutdown::Both);
                        })
                    }
                    Role::Compiler => module::compile::serve(from, theirs),
                    Role::Guardian => unreachable!("it adopts and waits for all orphans"),
                })?;
                Body::Thread
            }
            #[cfg(test)]
            Home::Fake(lie) => {
                thread::Builder::new().spawn(move || match role {
                    Role::Compiler => module::compile::serve(theirs.try_clone()?, theirs),
                    _ => {
                        lie(theirs);
                        Ok(())
                    }
                })?;
                Body::Thread
            }
        };
        let mut from = BufReader::with_capacity(1 << 16, ours.try_clone()?);
        let nonsense = Arc::new(OnceLock::new());
        let found = nonsense.clone();
        thread::Builder::new().spawn(move || {
            let next = |from: &mut BufReader<UnixStream>| match read_frame::<M>(from) {
                Ok(message) => message,
                Err(e) => {
                    if e.kind() == io::ErrorKind::InvalidData {
                        let _ = found.set(e.to_string());
                    }
                    None
                }
            };
            let mut open = true;
            // a channel that carries nonsense is as good as closed
            while open && let Some(message) = next(&mut from) {
                let mut messages = vec![message];
                // whatever has come meanwhile is worth no waking of its own
                while open && !from.buffer().is_empty() {
                    match next(&mut from) {
                        Some(message) => messages.push(message),
                        None => open = false,
                    }
                }
                on_messages(Some(messages));
            }
            on_messages(None);
        })?;
        Ok(Peer {
            to: ours,
            body,
            nonsense,
        })
    }

    /// What was wrong with what it said, if its channel ended with that.
    pub fn nonsense(&self) -> Option<&str> {
        self.nonsense.get().map(String::as_str)
    }

    /// Sends messages in one write.
    ///
    /// # Errors
    /// If the peer is gone.
    pub fn send<T: Serialize>(&mut self, messages: &[T]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for message in messages {
            if let Err(e) = write_frame(&mut bytes, message) {
                // never a silent wait for an answer to what was not sent
                self.kill();
                return Err(e);
            }
        }
        let sent = self.to.write_all(&bytes);
        if sent.is_err() {
            self.kill();
        }
        sent
    }

    /// Whether it can be ended by force.
    pub fn can_be_killed(&self) -> bool {
        matches!(self.body, Body::Process { .. })
    }

    /// Ends it by force. A thread cannot be ended: it is left to itself.
    pub fn kill(&mut self) {
        let _ = self.to.shutdown(Shutdown::Both);
        if let Body::Process { child, .. } = &mut self.body {
            let _ = child.kill();
        }
    }

    /// Asks it to end, without waiting.
    pub fn close(&mut self) {
        let _ = self.to.shutdown(Shutdown::Write);
    }

    /// Waits for its end and says how it came about and what it wrote to stderr last.
    pub fn post_mortem(&mut self) -> String {
        if let Some(why) = self.nonsense.get().cloned() {
            // it does not end by itself, nor is it listened to
            self.kill();
            if let Body::Process { child, .. } = &mut self.body {
                let _ = child.wait();
            }
            return format!("it sent what makes no sense: {why}");
        }
        let Body::Process { child, stderr } = &mut self.body else {
            return "its thread ended".to_owned();
        };
        let how = match child.wait() {
            Ok(status) => died(status),
            Err(e) => format!("its end is unknown: {e}"),
        };
        let last = last_words(stderr);
        match last.is_empty() {
            true => how,
            false => format!("{how}\n{last}"),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
        if let Body::Process { child, .. } = &mut self.body {
            let _ = child.wait();
        }
    }
}

/// This executable, also when its file was replaced meanwhile.
fn executable(exe: &Path) -> Command {
    if cfg!(target_os = "linux") {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("wasmtest");
        return command;
    }
    Command::new(exe)
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
        _ => "",
    }
}

fn last_words(stderr: &mut File) -> String {
    const KEPT: u64 = 4096;
    let mut bytes = Vec::new();
    let length = stderr.metadata().map_or(0, |m| m.len());
    let _ = stderr.seek(SeekFrom::Start(length.saturating_sub(KEPT)));
    let _ = stderr.take(KEPT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
