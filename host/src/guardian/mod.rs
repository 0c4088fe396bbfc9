//! A guardian: the process between the primary and one host fixture.
//!
//! It starts the fixture's command in a process group of its own, keeps what it
//! writes, finds out when it is ready, and ends the whole group when it is told
//! to, or when the primary's end of the channel closes, for whatever reason: it
//! is in another group than the primary, so that no Ctrl-C reaches it, and it
//! outlives a primary that is killed. It says little: started, ready, ended.

mod group;
mod lines;
mod probe;

use crate::config::fixture::ReadyWhen;
use crate::event::{Capture, Captured};
use crate::paths::path_bytes;
use crate::protocol::{read_frame, write_frame};
use group::Group;
use lines::Lines;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether a group that is being ended is gone; the end
/// of a child is noticed at once.
const LOOK: Duration = Duration::from_millis(50);
/// What even SIGKILL does not end in this time is left alone.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Of a fixture's lines of JSON so many bytes are values; more are passed over.
const MOST_PRINTED: usize = 1 << 20;

/// What is to be started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables beside those of this process.
    pub env: Vec<(String, String)>,
    /// The working folder.
    #[serde(with = "path_bytes")]
    pub dir: PathBuf,
    /// How it is known to be ready.
    pub ready: ReadyWhen,
    /// The port that it was given.
    pub port: Option<u16>,
    /// How long it has to become ready.
    pub timeout: Duration,
    /// How long it has to end after SIGTERM.
    pub stop_timeout: Duration,
    /// How many bytes of each stream are kept at its head, and again at its tail.
    pub capture: usize,
}

/// From the primary to a guardian.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToGuardian {
    /// The first message: start this.
    Start(Box<Spec>),
    /// End it: SIGTERM, and SIGKILL once its time is over.
    Stop,
    /// End it at once.
    Kill,
}

/// From a guardian to the primary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromGuardian {
    /// The command runs, as the leader of this process group.
    Started(i32),
    /// It is ready; the members of the JSON objects that it has printed.
    Ready(Map<String, Value>),
    /// It has ended, and its group with it; the guardian ends too.
    Ended(Box<Ended>),
}

/// How a fixture came to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    pub why: Why,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
}

/// Why a fixture is not there any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Why {
    /// Its command could not be started.
    CannotStart(String),
    /// It ended by itself, with this wait status.
    ByItself(i32),
    /// It was not ready in time; what the last look at its port gave.
    TooLate(Option<String>),
    /// It was told to end.
    Stopped(Force),
}

/// What it took to end a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Force {
    /// SIGTERM, if anything.
    Terminated,
    /// SIGKILL.
    Killed,
}

/// Something that the guardian's one loop has to deal with.
enum Did {
    /// A child has ended: its process and its wait status.
    Reaped(i32, i32),
    /// The fixture's port answers as it should.
    Answered,
    Told(ToGuardian),
    /// The primary is gone.
    Alone,
}

/// Tells the loop, from other threads.
#[derive(Clone)]
struct Teller {
    tx: Sender<Did>,
    wake: Arc<UnixStream>,
}

impl Teller {
    fn tell(&self, did: Did) {
        let _ = self.tx.send(did);
        // a full channel wakes the loop as well
        let _ = (&*self.wake).write(&[0]);
    }
}

/// Serves one primary: guards one fixture until that has ended.
///
/// # Errors
/// If the first message is not understood or the machine has no thread left.
pub fn serve(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
) -> anyhow::Result<()> {
    let spec = match read_frame::<ToGuardian>(&mut from)? {
        Some(ToGuardian::Start(spec)) => *spec,
        Some(_) => anyhow::bail!("the first message says not what to start"),
        None => return Ok(()),
    };
    let (tx, rx) = mpsc::channel();
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    let teller = Teller {
        tx,
        wake: Arc::new(wake),
    };
    watch_signals(teller.clone())?;
    group::adopt_orphans();
    let started = match group::start(&spec) {
        Ok(started) => started,
        Err(e) => {
            let ended = Ended {
                why: Why::CannotStart(e),
                stdout: Captured::default(),
                stderr: Captured::default(),
            };
            // a primary that is gone does not care
            let _ = write_frame(&mut to, &FromGuardian::Ended(Box::new(ended)));
            return Ok(());
        }
    };
    let (group, stdout, stderr) = started;
    let _ = write_frame(&mut to, &FromGuardian::Started(group.leader()));
    let reaper = teller.clone();
    group::reap(move |process, status| reaper.tell(Did::Reaped(process, status)))?;
    let listener = teller.clone();
    thread::Builder::new().spawn(move || {
        while let Ok(Some(message)) = read_frame::<ToGuardian>(&mut from) {
            listener.tell(Did::Told(message));
        }
        listener.tell(Did::Alone);
    })?;
    let answers = match spec.port {
        Some(port) => probe::start(&spec.ready, port, move || teller.tell(Did::Answered))?,
        None => probe::Answers::default(),
    };
    let mut guardian = Guardian {
        to,
        group,
        sources: [
            Source::new(stdout, spec.capture),
            Source::new(stderr, spec.capture),
        ],
        rx,
        woken,
        printed: Some(Map::new()),
        printed_bytes: 0,
        spec,
    };
    let why = guardian.watch(&answers);
    guardian.drain();
    let [mut stdout, mut stderr] = guardian.sources;
    let ended = Ended {
        why,
        stdout: stdout.output.take(),
        stderr: stderr.output.take(),
    };
    let _ = write_frame(&mut guardian.to, &FromGuardian::Ended(Box::new(ended)));
    Ok(())
}

/// A guardian that is asked to end ends its fixture first.
fn watch_signals(teller: Teller) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::Builder::new().spawn(move || {
        for _ in &mut signals {
            teller.tell(Did::Alone);
        }
    })?;
    Ok(())
}

/// One stream of the fixture's.
struct Source {
    pipe: Option<Box<dyn Pipe>>,
    output: Capture,
    lines: Lines,
}

trait Pipe: Read + AsRawFd {}
impl<T: Read + AsRawFd> Pipe for T {}

impl Source {
    fn new(pipe: impl Pipe + 'static, cap: usize) -> Source {
        Source {
            pipe: Some(Box::new(pipe)),
            output: Capture::new(cap),
            lines: Lines::default(),
        }
    }
}

struct Guardian<W> {
    to: W,
    spec: Spec,
    group: Group,
    /// stdout and stderr.
    sources: [Source; 2],
    rx: Receiver<Did>,
    woken: UnixStream,
    /// What it has printed as JSON, until it is ready, and how long the lines of that were.
    printed: Option<Map<String, Value>>,
    printed_bytes: usize,
}

impl<W: Write> Guardian<W> {
    /// Until the fixture has ended, and its whole group with it.
    fn watch(&mut self, answers: &probe::Answers) -> Why {
        let late = Instant::now() + self.spec.timeout;
        if self.spec.ready == ReadyWhen::Started {
            self.ready();
        }
        loop {
            let until = self.printed.is_some().then_some(late);
            match self.next(until) {
                None => {
                    // asked before it ends: an answer that is cut short says nothing
                    let last = answers.last();
                    self.end_group(Force::Terminated);
                    return Why::TooLate(last);
                }
                Some(Did::Answered) => {
                    // what it wrote before it answered is there by now
                    self.drain();
                    self.ready();
                }
                Some(Did::Reaped(process, status)) => {
                    if process == self.group.leader() {
                        self.drain();
                        self.end_group(Force::Terminated);
                        return Why::ByItself(status);
                    }
                }
                Some(Did::Told(ToGuardian::Kill)) => {
                    return Why::Stopped(self.end_group(Force::Killed));
                }
                Some(Did::Told(_) | Did::Alone) => {
                    return Why::Stopped(self.end_group(Force::Terminated));
                }
            }
        }
    }

    /// It is ready, as of now.
    fn ready(&mut self) {
        if let Some(printed) = self.printed.take() {
            let _ = write_frame(&mut self.to, &FromGuardian::Ready(printed));
        }
    }

    /// Ends the group; `force` is what to begin with.
    fn end_group(&mut self, force: Force) -> Force {
        if self.group.is_gone() {
            return Force::Terminated;
        }
        let began = Instant::now();
        let mut killed: Option<Instant> = None;
        let mut kill = force == Force::Killed;
        if !kill {
            self.group.signal(libc::SIGTERM);
        }
        loop {
            kill |= began.elapsed() >= self.spec.stop_timeout;
            if kill && killed.is_none() {
                self.group.signal(libc::SIGKILL);
                killed = Some(Instant::now());
            }
            let hopeless = killed.is_some_and(|at| at.elapsed() >= LAST_PATIENCE);
            if hopeless || self.group.is_gone() {
                break;
            }
            if let Some(Did::Told(ToGuardian::Kill)) = self.next(Some(Instant::now() + LOOK)) {
                kill = true;
            }
        }
        match killed {
            Some(_) => Force::Killed,
            None => Force::Terminated,
        }
    }

    /// The next thing to deal with; what the fixture writes meanwhile is kept.
    fn next(&mut self, until: Option<Instant>) -> Option<Did> {
        loop {
            if let Ok(did) = self.rx.try_recv() {
                return Some(did);
            }
            let wait = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return None,
                wait => wait,
            };
            let fds = [self.fd(0), self.fd(1), self.woken.as_raw_fd()];
            let [stdout, stderr, woken] = group::readable(fds, wait);
            for (i, readable) in [stdout, stderr].into_iter().enumerate() {
                if readable {
                    self.read(i);
                }
            }
            if woken {
                // the bytes say nothing: what there is to know is in the queue
                let _ = (&self.woken).read(&mut [0; 64]);
            }
        }
    }

    /// Keeps what is in the pipes just now.
    fn drain(&mut self) {
        // who writes without end is not waited for
        const MOST: usize = 1 << 10;
        for _ in 0..MOST {
            let [stdout, stderr, _] =
                group::readable([self.fd(0), self.fd(1), -1], Some(Duration::ZERO));
            if stdout {
                self.read(0);
            }
            if stderr {
                self.read(1);
            }
            if !(stdout || stderr) {
                return;
            }
        }
    }

    /// A stream's descriptor; negative once it is closed.
    fn fd(&self, source: usize) -> RawFd {
        self.sources[source]
            .pipe
            .as_ref()
            .map_or(-1, |p| p.as_raw_fd())
    }

    /// Reads from a stream that has something to be read, or has ended.
    fn read(&mut self, source: usize) {
        let mut bytes = [0; 1 << 14];
        let Source {
            pipe,
            output,
            lines,
        } = &mut self.sources[source];
        let bytes = match pipe.as_mut().map(|p| p.read(&mut bytes)) {
            Some(Ok(n)) if n > 0 => &bytes[..n],
            Some(Err(e)) if e.kind() == std::io::ErrorKind::Interrupted => return,
            _ => {
                *pipe = None;
                return;
            }
        };
        output.push(bytes);
        let Some(printed) = &mut self.printed else {
            return;
        };
        let mut ready = false;
        lines.feed(bytes, |line| {
            // stdout's; what comes after the line that makes it ready is none of the values
            let has_room = self.printed_bytes + line.len() <= MOST_PRINTED;
            if source == 0 && !ready && has_room && line.starts_with('{') {
                self.printed_bytes += line.len();
                printed.extend(serde_json::from_str::<Map<_, _>>(line).unwrap_or_default());
            }
            ready |=
                matches!(&self.spec.ready, ReadyWhen::Line(part) if line.contains(part.as_str()));
        });
        if ready {
            self.ready();
        }
    }
}
