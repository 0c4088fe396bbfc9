//! The processes that the primary starts, and the channel to each.
//!
//! A child is this same executable. Its stdin is one end of a socket, its
//! stdout goes nowhere (a worker's is a file for results, until it has seen that), its stderr to a file without a name that is read only
//! if it dies. It is in a process group of its own, so that a Ctrl-C reaches
//! the primary alone; it ends when its end of the socket closes. With
//! `--processes 0` the peer is a thread with the same channel.

use super::child::Process;
use super::oom;
use crate::module::compile;
use crate::protocol::{MAX_FRAME, MAX_RESULT, Place, ResultWriter, read_frame_within, write_frame};
use crate::settings::HostPaths;
use crate::worker;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a peer may leave its end of the channel unread once that is full.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer may live on once its channel has ended.
const LEAVING: Duration = Duration::from_secs(2);
/// How long one that is asked to end may take, when the run is over: a compiler may still
/// make room in the cache.
pub const AT_THE_END: Duration = Duration::from_secs(5);
/// Nothing more is read from a peer while so many bytes that it wrote are not dealt with yet: who
/// writes without end fills its own end of the channel and no memory.
const MOST_UNHEARD: usize = 8 << 20;

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
    /// In a thread, where it does this in place of its work.
    #[cfg(test)]
    Fake(&'static FakePeer),
}

/// What a peer does in place of its work, by its role.
#[cfg(test)]
pub struct FakePeer {
    pub serves: Box<dyn Fn(Role, UnixStream, Option<File>) + Send + Sync>,
    /// Of which role none can be started.
    pub lacks: Option<Role>,
}

#[cfg(test)]
impl std::fmt::Debug for FakePeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakePeer")
    }
}

/// A running peer.
pub struct Peer {
    role: Role,
    to: Arc<UnixStream>,
    body: Body,
    /// What was wrong with the last thing that it said.
    nonsense: Arc<OnceLock<String>>,
    /// The largest frame that is read from it, in bytes.
    largest: Arc<AtomicU32>,
}

/// What a peer has said and nobody has dealt with yet.
struct Unheard {
    bytes: AtomicUsize,
    /// The thread that reads from it.
    reader: Thread,
}

impl Unheard {
    /// Until it is little; called by the thread that reads.
    fn wait(&self) {
        while self.bytes.load(Ordering::SeqCst) > MOST_UNHEARD {
            thread::park();
        }
    }
}

/// Messages of a peer's; dealt with once this is dropped.
pub struct Heard<M> {
    messages: Vec<M>,
    bytes: usize,
    unheard: Arc<Unheard>,
}

impl<M> Heard<M> {
    /// The messages, in order; each is taken once.
    pub fn take(&mut self) -> Vec<M> {
        std::mem::take(&mut self.messages)
    }
}

impl<M> Drop for Heard<M> {
    fn drop(&mut self) {
        let before = self.unheard.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        if before > MOST_UNHEARD {
            self.unheard.reader.unpark();
        }
    }
}

enum Body {
    Process { process: Process, stderr: File },
    Thread,
}

impl Peer {
    /// Starts a peer; `on_messages` is called with its messages as they come, and
    /// with `None` once it has ended, from a thread of its own. A process ends with the
    /// thread that has called this. What it tells without a message, if it can, goes to `results`,
    /// which is its stdout until it has taken that over.
    ///
    /// # Errors
    /// If the machine has no process, thread or socket left.
    pub fn start<M: DeserializeOwned>(
        role: Role,
        home: Home<'_>,
        results: Option<File>,
        on_messages: impl Fn(Option<Heard<M>>) + Send + 'static,
    ) -> io::Result<Peer> {
        let (ours, theirs) = UnixStream::pair()?;
        // one that does not read is as good as gone
        ours.set_write_timeout(Some(PATIENCE))?;
        let ours = Arc::new(ours);
        let body = match home {
            Home::Thread if role == Role::Guardian => return Err(io::ErrorKind::Unsupported.into()),
            Home::Process(host) => {
                oom::watch();
                let stderr = tempfile::tempfile_in(&host.temp_dir)?;
                let mut command = executable(&host.exe);
                if role != Role::Guardian {
                    // what it writes last is to be why it ends; a guardian's fixtures have theirs
                    command.env("RUST_BACKTRACE", "0");
                }
                let child = command
                    .arg(role.subcommand())
                    .stdin(Stdio::from(OwnedFd::from(theirs)))
                    .stdout(results.map_or_else(Stdio::null, Stdio::from))
                    .stderr(Stdio::from(stderr.try_clone()?))
                    .process_group(0)
                    .spawn()?;
                let channel = ours.clone();
                let process = Process::watch(child, move || {
                    // what it has sent is still read; somebody else may hold its end open
                    if cfg!(target_os = "linux") {
                        let _ = channel.shutdown(Shutdown::Read);
                    }
                })?;
                if role != Role::Guardian {
                    process.bind();
                }
                Body::Process { process, stderr }
            }
            Home::Thread => {
                let from = theirs.try_clone()?;
                thread::Builder::new().spawn(move || match role {
                    // both ends of an error: the socket closes, the primary notices
                    Role::Worker | Role::FixtureHost => {
                        let socket = theirs.try_clone()?;
                        let on_death = move || {
                            let _ = socket.shutdown(Shutdown::Both);
                        };
                        let results = results.as_ref().and_then(ResultWriter::open);
                        let channel = (BufReader::new(from), theirs);
                        worker::serve(channel, results, on_death, Place::Thread)
                    }
                    Role::Compiler => compile::serve(from, theirs, Place::Thread),
                    Role::Guardian => unreachable!("it adopts and waits for all orphans"),
                })?;
                Body::Thread
            }
            #[cfg(test)]
            Home::Fake(fake) if fake.lacks == Some(role) => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            #[cfg(test)]
            Home::Fake(fake) => {
                thread::Builder::new().spawn(move || (fake.serves)(role, theirs, results))?;
                Body::Thread
            }
        };
        let mut from = BufReader::with_capacity(1 << 16, ours.try_clone()?);
        let nonsense = Arc::new(OnceLock::new());
        let found = nonsense.clone();
        let watched = match &body {
            Body::Process { process, .. } => Some(process.watched()),
            Body::Thread => None,
        };
        let largest = Arc::new(AtomicU32::new(MAX_RESULT));
        let now_largest = largest.clone();
        thread::Builder::new().spawn(move || {
            let unheard = Arc::new(Unheard {
                bytes: AtomicUsize::new(0),
                reader: thread::current(),
            });
            let read = |from: &mut BufReader<UnixStream>, bytes: &mut usize| {
                let message = read_frame_within::<M>(from, |length| {
                    *bytes += length as usize;
                    length <= now_largest.load(Ordering::Relaxed)
                });
                message.unwrap_or_else(|e| {
                    if e.kind() == io::ErrorKind::InvalidData {
                        let _ = found.set(e.to_string());
                    }
                    None
                })
            };
            let mut open = true;
            // a channel that carries nonsense is as good as closed
            while open {
                let mut bytes = 0;
                let mut messages = Vec::new();
                messages.extend(read(&mut from, &mut bytes));
                open = !messages.is_empty();
                // whatever has come meanwhile is worth no waking of its own; what comes now is
                while open && !from.buffer().is_empty() {
                    let there = from.buffer().len();
                    let message = read(&mut from, &mut bytes);
                    open = message.is_some();
                    messages.extend(message);
                    if from.buffer().len() >= there {
                        break;
                    }
                }
                if !messages.is_empty() {
                    unheard.bytes.fetch_add(bytes, Ordering::SeqCst);
                    on_messages(Some(Heard {
                        messages,
                        bytes,
                        unheard: unheard.clone(),
                    }));
                    unheard.wait();
                }
            }
            // whoever hears of the end need not wait for it
            if let Some(watched) = watched {
                watched.end_within(match found.get() {
                    None => LEAVING,
                    // it is not listened to any more
                    Some(_) => Duration::ZERO,
                });
            }
            on_messages(None);
        })?;
        Ok(Peer {
            role,
            to: ours,
            body,
            nonsense,
            largest,
        })
    }

    /// Whether it was asked for a list, which may be long.
    pub fn may_list(&mut self, may: bool) {
        let largest = if may { MAX_FRAME } else { MAX_RESULT };
        self.largest.store(largest, Ordering::Relaxed);
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
        let sent = write_within(&self.to, &bytes, PATIENCE);
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
        if let Body::Process { process, .. } = &self.body {
            process.kill();
        }
    }

    /// The process, where it is one.
    pub fn process(&self) -> Option<libc::pid_t> {
        match &self.body {
            Body::Process { process, .. } => Some(process.number()),
            Body::Thread => None,
        }
    }

    /// Asks it to end, without waiting.
    pub fn close(&mut self) {
        let _ = self.to.shutdown(Shutdown::Write);
    }

    /// Sees to it that one that was asked to end has by then.
    pub fn end_by(&mut self, until: Instant) {
        if let Body::Process { process, .. } = &mut self.body {
            process.reap(until.saturating_duration_since(Instant::now()));
        }
    }

    /// The signal that ended it, once its end was seen to.
    pub fn signal(&mut self) -> Option<i32> {
        match &mut self.body {
            Body::Process { process, .. } => process.signal(),
            Body::Thread => None,
        }
    }

    /// Sees to its end and says how it came about and what it wrote to stderr last.
    pub fn post_mortem(&mut self) -> String {
        let nonsense = self.nonsense.get();
        let Body::Process { process, stderr } = &mut self.body else {
            return match nonsense {
                Some(why) => format!("it sent what makes no sense: {why}"),
                None => "its thread ended".to_owned(),
            };
        };
        if let Some(why) = nonsense {
            process.reap(Duration::ZERO);
            return format!("it sent what makes no sense: {why}");
        }
        let how = process.how_it_ended(LEAVING);
        let last = last_words(stderr);
        match last.is_empty() {
            true => how,
            false => format!("{how}\n{last}"),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // a compiler ends by itself, and would leave undone what comes after its last answer
        if self.role != Role::Compiler {
            self.close();
        }
        if let Body::Process { process, .. } = &mut self.body {
            match self.role {
                // what it guards would be left to itself
                Role::Guardian => process.let_go(AT_THE_END),
                _ => process.reap(AT_THE_END),
            }
        }
    }
}

/// Writes all of it in so much time altogether, however little the other end takes at once. The
/// channel's own limit, the same, is of each piece that the system copies.
fn write_within(to: &UnixStream, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    const PIECE: usize = 1 << 15;
    // most of what is sent is one piece, and goes at once
    let mut until = None;
    while !bytes.is_empty() {
        match (&*to).write(&bytes[..bytes.len().min(PIECE)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if !bytes.is_empty() {
            let until = *until.get_or_insert_with(|| Instant::now() + patience);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            to.set_write_timeout(Some(left))?;
        }
    }
    match until {
        Some(_) => to.set_write_timeout(Some(patience)),
        None => Ok(()),
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

fn last_words(stderr: &mut File) -> String {
    const KEPT: u64 = 4096;
    let mut bytes = Vec::new();
    let length = stderr.metadata().map_or(0, |m| m.len());
    let _ = stderr.seek(SeekFrom::Start(length.saturating_sub(KEPT)));
    let _ = stderr.take(KEPT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_a_part_that_is_known_at_its_start() {
        use crate::cli::{Cli, Command};
        use clap::Parser as _;
        for role in [
            Role::Worker,
            Role::Compiler,
            Role::FixtureHost,
            Role::Guardian,
        ] {
            let word = role.subcommand();
            let known = Command::part(word).expect("it is known");
            let typed = Cli::parse_from(["wasmtest", word]).command;
            assert_eq!(format!("{known:?}"), format!("{typed:?}"));
        }
        assert!(Command::part("run").is_none());
    }

    #[test]
    fn who_takes_what_is_sent_by_and_by_has_no_more_time_than_who_takes_nothing() {
        let patience = Duration::from_millis(200);
        let (to, mut from) = UnixStream::pair().expect("a channel");
        to.set_write_timeout(Some(patience)).expect("set");
        thread::spawn(move || {
            let mut some = vec![0; 1 << 16];
            while from.read(&mut some).is_ok_and(|read| read > 0) {
                thread::park_timeout(patience / 2);
            }
        });
        let sent = write_within(&to, &vec![0; 64 << 20], patience);
        let kind = sent.expect_err("too slow").kind();
        assert!(
            [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock].contains(&kind),
            "{kind:?}"
        );
    }
}
