//! A worker: takes tasks from the primary, runs each in an instance of its own, reports.
//!
//! One thread reads messages as they come, so that tasks can wait here and be
//! taken back; another, whose stack exceeds the guests', runs them in order.
//! The channel is this process's stdin, a socket: neither a guest nor a library
//! that prints can reach it by accident. The worker ends when the primary's end
//! of the socket closes, for whatever reason.

mod calibrate;
mod current;
mod execute;
mod fixture_instance;
mod judge;
mod making;
mod modules;
mod results;
mod set_up;
mod shared;
mod snapshots;
mod unit;

use current::Current;
use execute::Executor;
use results::Results;

use crate::protocol::{
    FromWorker, Place, ResultWriter, Task, TaskNumber, ToWorker, WorkerSetup, read_frame,
    write_frame_within,
};
use crate::sandbox::deadline::Deadline;
use crate::sandbox::engine::HOST_STACK;
use crate::sandbox::file_length;
use anyhow::Context as _;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What is still to be done, shared by the two threads.
#[derive(Default)]
struct Queue {
    messages: Mutex<Messages>,
    arrived: Condvar,
}

#[derive(Default)]
struct Messages {
    waiting: VecDeque<ToWorker>,
    closed: bool,
    /// Whether somebody waits for the next.
    wanted: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Messages> {
        self.messages
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn push(&self, message: ToWorker) {
        let mut messages = self.lock();
        match message {
            // worth more before the tests that wait than after them
            ToWorker::Snapshot(..) => messages.waiting.push_front(message),
            _ => messages.waiting.push_back(message),
        }
        let wanted = messages.wanted;
        drop(messages);
        // a call of the system, which most messages do without
        if wanted {
            self.arrived.notify_one();
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// The next message; `None` once the primary is gone.
    fn next(&self) -> Option<ToWorker> {
        let mut messages = self.lock();
        loop {
            if messages.closed {
                return None;
            }
            if let Some(message) = messages.waiting.pop_front() {
                return Some(message);
            }
            messages.wanted = true;
            messages = self
                .arrived
                .wait(messages)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            messages.wanted = false;
        }
    }

    /// How much waits.
    fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Takes back up to `count` tasks that have not begun, the last first.
    fn revoke(&self, count: usize) -> Vec<TaskNumber> {
        let mut messages = self.lock();
        let mut revoked = Vec::new();
        let mut i = messages.waiting.len();
        while i > 0 && revoked.len() < count {
            i -= 1;
            match &messages.waiting[i] {
                ToWorker::Run(Task { number, .. }) => revoked.push(*number),
                // a unit goes back as a whole
                ToWorker::Unit(tasks) => revoked.extend(tasks.iter().map(|t| t.number)),
                _ => continue,
            }
            messages.waiting.remove(i);
        }
        revoked
    }
}

/// Serves one primary until it closes the channel. Results that need no message go to `results`,
/// where there is that. `on_death` is called if the thread that runs guests panics, and has to
/// make the channel end.
///
/// # Errors
/// If the channel breaks in the middle of a message or carries nonsense.
pub fn serve(
    (mut from, to): (impl Read, impl Write + Send + 'static),
    results: Option<ResultWriter>,
    on_death: impl FnOnce() + Send + 'static,
    place: Place,
) -> anyhow::Result<()> {
    if place == Place::OwnProcess {
        file_length::limit();
    }
    let Some(first) = read_frame::<ToWorker>(&mut from)? else {
        return Ok(());
    };
    let ToWorker::Setup(setup) = first else {
        anyhow::bail!("the first message is no set-up");
    };
    let queue = Arc::new(Queue::default());
    let to = Arc::new(Sender::new(to));
    let current = {
        let to = to.clone();
        let here = setup.current_dir.clone();
        Arc::new(Current::new(move |message| to.send(&message), here))
    };
    let deadline = {
        let (to, current) = (to.clone(), current.clone());
        Deadline::default().on_stuck(move |stack| {
            if let Some(stopped) = current.stop_at_limit(stack) {
                // the primary ends this process then, as it does when it has asked for it
                to.send(&FromWorker::Stopped(Box::new(stopped)));
            }
        })
    };
    let guard = deadline.guard();
    {
        let (queue, to, current) = (queue.clone(), to.clone(), current.clone());
        thread::Builder::new()
            .name("guest".to_owned())
            .stack_size(setup.wasm_stack + HOST_STACK)
            .spawn(move || {
                let results = Results::new(results);
                let all = AssertUnwindSafe(|| {
                    execute_all(&setup, deadline, &queue, to, &current, place, results);
                });
                if catch_unwind(all).is_err() {
                    // the primary must not wait for a thread that is gone
                    on_death();
                }
            })
            .context("the thread for guests")?;
    }
    let result = loop {
        match read_frame::<ToWorker>(&mut from) {
            Ok(Some(ToWorker::Revoke(count))) => {
                let revoked = queue.revoke(count);
                to.send(&FromWorker::Revoked(revoked));
            }
            Ok(Some(ToWorker::Interrupt)) => {
                guard.interrupt();
                current.interrupted();
                let revoked = queue.revoke(usize::MAX);
                to.send(&FromWorker::Revoked(revoked));
            }
            Ok(Some(ToWorker::Stop { task, why })) => {
                if let Some(stopped) = current.stop(task, why) {
                    to.send(&FromWorker::Stopped(Box::new(stopped)));
                    // its thread may be blocked for ever: it ends with the process
                    break Ok(());
                }
            }
            Ok(Some(message)) => message.each(|message| queue.push(message)),
            // the primary wants no more, or is gone: nothing here is worth finishing
            Ok(None) => break Ok(()),
            Err(e) => break Err(e.into()),
        }
    };
    queue.close();
    result
}

fn execute_all(
    setup: &WorkerSetup,
    deadline: Deadline,
    queue: &Queue,
    to: Arc<Sender<impl Write + Send + 'static>>,
    current: &Current,
    place: Place,
    mut results: Results,
) {
    let tell = {
        let to = to.clone();
        Box::new(move |message: &FromWorker| to.send(message))
    };
    let to = &to;
    let mut executor = match Executor::new(setup, deadline, tell, place) {
        Ok(executor) => executor,
        Err(e) => return to.send(&FromWorker::SetupFailed(format!("{e:#}"))),
    };
    to.send(&FromWorker::Ready);
    while let Some(message) = queue.next() {
        match message {
            ToWorker::Module(spec) => {
                let (module, spec) = (spec.number, Arc::new(spec));
                current.knows(spec.clone());
                executor.add_module(spec);
                if queue.waiting() == 0 {
                    // what is wrong with it is told when it is needed
                    let _ = executor.program(module);
                }
            }
            ToWorker::Fixture(grant) => executor.add_fixture(grant),
            ToWorker::List { module, timeout } => {
                let tests = executor.list(module, timeout);
                to.send(&FromWorker::Listed { module, tests });
            }
            ToWorker::Run(task) => {
                results.begins(task.number, to.sent());
                // given up meanwhile: somebody else has answered for it
                let Some(done) = executor.run(&Arc::new(task), current) else {
                    return;
                };
                let gives_back = done.gives_back(setup.after_failure);
                if let Some(message) = results.tell(done, queue.waiting(), to.sent()) {
                    to.send(&message);
                }
                if gives_back {
                    to.send(&FromWorker::Revoked(queue.revoke(usize::MAX)));
                }
            }
            ToWorker::Unit(tasks) => {
                let tell = |message| to.send(&message);
                let waiting = || queue.revoke(usize::MAX);
                if executor
                    .run_unit(tasks, setup.after_failure, current, &tell, &waiting)
                    .is_none()
                {
                    return;
                }
            }
            ToWorker::Value(number, value) => {
                executor.values.insert(number, value);
            }
            ToWorker::Snapshot(number, file, beside, wrote) => {
                executor.snapshots.told(number, file, beside, wrote);
            }
            ToWorker::SetUp(shared) => {
                let number = shared.number;
                let Some(result) = executor.set_up(*shared, current) else {
                    return;
                };
                to.send(&FromWorker::SetUp(number, Box::new(result)));
            }
            ToWorker::TearDown(number) => {
                let Some(failures) = executor.tear_down(number, current) else {
                    return;
                };
                to.send(&FromWorker::TornDown(number, failures));
            }
            // those that stand for several were taken apart
            ToWorker::Setup(_)
            | ToWorker::Runs(_)
            | ToWorker::Revoke(_)
            | ToWorker::Interrupt
            | ToWorker::Stop { .. } => {}
        }
    }
}

/// The way to the primary, of both threads.
struct Sender<W> {
    to: Mutex<W>,
    sent: AtomicU64,
}

impl<W: Write> Sender<W> {
    fn new(to: W) -> Self {
        Sender {
            to: Mutex::new(to),
            sent: AtomicU64::new(0),
        }
    }

    /// How many messages went.
    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn send(&self, message: &FromWorker) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = write_frame_within(&mut *to, message, message.largest());
        if let (Err(e), FromWorker::Done(done)) = (&written, message)
            && e.kind() == ErrorKind::InvalidData
        {
            let less = FromWorker::Done(Box::new(done.without_output()));
            written = write_frame_within(&mut *to, &less, less.largest());
        }
        match written {
            // what a guest hands over is bounded, so this is a fault of the runner's;
            // the primary must not wait for the rest, and blames the test that ran
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                let _ = writeln!(std::io::stderr(), "a result cannot be sent: {e}");
                std::process::exit(1);
            }
            // a primary that is gone needs no answer; the reading thread ends the process
            _ => {}
        }
    }
}
