//! The test that runs just now, as the thread that listens to the primary sees it.
//!
//! A guest that is blocked in the host cannot be stopped, but what it has
//! written can be told, and somebody has to answer for its test: exactly one of
//! the two threads does, whoever takes it from here first.

use crate::event::{FixtureKind, SetupOutput, TestOutput};
use crate::harness;
use crate::harness::termination::StackFrame;
use crate::protocol::suites::FixtureStep;
use crate::protocol::{FromWorker, ModuleNumber, ModuleSpec, Stop, Stopped, Task, TaskNumber};
use crate::sandbox::capture::Stream;
use crate::sandbox::symbols::Symbols;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time since the Unix epoch.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The test that runs, if one does, and the teardown.
pub struct Current {
    running: Mutex<Option<Running>>,
    /// What was written before the test that runs.
    setups: Mutex<Vec<SetupOutput>>,
    teardown: Mutex<Teardown>,
    /// The modules that tests are of.
    modules: Mutex<HashMap<ModuleNumber, Arc<ModuleSpec>>>,
    /// The folder that the run was started in.
    current_dir: Option<PathBuf>,
    tell: Box<dyn Fn(FromWorker) + Send + Sync>,
}

/// Whose teardown runs: told as soon as the run is interrupted, since somebody waits then.
#[derive(Default)]
struct Teardown {
    of: Option<(String, FixtureKind)>,
    is_told: bool,
}

struct Running {
    task: Arc<Task>,
    start: Duration,
    began: Instant,
    streams: (Stream, Stream),
}

impl Running {
    fn is_late(&self) -> bool {
        self.began.elapsed() >= self.task.timeout
    }
}

impl Current {
    /// Nothing runs yet; `tell` sends to the primary, and the run was started in this folder.
    pub fn new(
        tell: impl Fn(FromWorker) + Send + Sync + 'static,
        current_dir: Option<PathBuf>,
    ) -> Self {
        Current {
            running: Mutex::default(),
            setups: Mutex::default(),
            teardown: Mutex::default(),
            modules: Mutex::default(),
            current_dir,
            tell: Box::new(tell),
        }
    }

    /// Tests may be of this module.
    pub fn knows(&self, module: Arc<ModuleSpec>) {
        lock(&self.modules).insert(module.number, module);
    }

    /// This was written before the test that begins now.
    pub fn begins_after(&self, setups: Vec<SetupOutput>) {
        *lock(&self.setups) = setups;
    }

    /// A teardown begins.
    pub fn takes_down(&self, step: &FixtureStep) {
        let of = (step.of().to_owned(), step.kind());
        let mut teardown = lock(&self.teardown);
        if teardown.is_told {
            (self.tell)(FromWorker::TakingDown(of.0.clone(), of.1));
        }
        teardown.of = Some(of);
    }

    /// It has come back.
    pub fn took_down(&self) {
        lock(&self.teardown).of = None;
    }

    /// The run is interrupted: from now on teardowns are told.
    pub fn interrupted(&self) {
        let mut teardown = lock(&self.teardown);
        teardown.is_told = true;
        if let Some((of, kind)) = teardown.of.clone() {
            (self.tell)(FromWorker::TakingDown(of, kind));
        }
    }

    /// A test begins; gives the time, since the Unix epoch.
    pub fn begin(&self, task: &Arc<Task>, streams: &(Stream, Stream)) -> Duration {
        let start = now();
        *self.lock() = Some(Running {
            task: task.clone(),
            start,
            began: Instant::now(),
            streams: streams.clone(),
        });
        start
    }

    /// What the test writes from now on goes there, and what it wrote counts no more.
    pub fn writes_to(&self, streams: &(Stream, Stream)) {
        if let Some(running) = &mut *self.lock() {
            running.streams = streams.clone();
        }
    }

    /// The test has come back; `None` if it was given up meanwhile.
    pub fn end(&self) -> Option<()> {
        self.lock().take().map(|_| ())
    }

    /// Gives the test up, if it is this one and the reason holds.
    pub fn stop(&self, task: TaskNumber, why: Stop) -> Option<Stopped> {
        let is_to_stop = |running: &Running| {
            running.task.number == task && (why != Stop::Limit || running.is_late())
        };
        self.give_up(is_to_stop, &[])
    }

    /// Gives up whichever test runs, if it has passed its limit; it was found here, innermost
    /// first.
    pub fn stop_at_limit(&self, stack: &[StackFrame]) -> Option<Stopped> {
        self.give_up(Running::is_late, stack)
    }

    fn give_up(
        &self,
        is_to_stop: impl Fn(&Running) -> bool,
        stack: &[StackFrame],
    ) -> Option<Stopped> {
        let mut current = self.lock();
        current.as_ref().filter(|running| is_to_stop(running))?;
        let running = current.take()?;
        let (mut stdout, stderr) = (running.streams.0.finish().0, running.streams.1.finish().0);
        harness::of(running.task.harness).clean(&mut stdout, &running.task.path, None);
        let module = lock(&self.modules).get(&running.task.module).cloned();
        let mut symbols = module
            .filter(|_| !stack.is_empty())
            .map(|spec| Symbols::new(&spec, self.current_dir.as_deref()));
        Some(Stopped {
            in_host: symbols.as_mut().and_then(|s| s.host_call(stack.first()?)),
            frames: symbols.map_or(Vec::new(), |mut s| s.backtrace(stack).shown),
            task: running.task.number,
            start: running.start,
            duration: running.began.elapsed(),
            output: TestOutput {
                stdout,
                stderr,
                setups: std::mem::take(&mut *lock(&self.setups)),
                ..TestOutput::default()
            },
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        lock(&self.running)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
