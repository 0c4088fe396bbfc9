//! Signals that end a run, on their way to its loop.

use super::held::Held;
use super::{Message, child};
use crate::event::Interrupt;
use crate::harness::limit;
use crate::text::tell;
use crate::{exit, signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// How long the loop may take to hear of the first signal, and of the second. It hears of neither
/// where nobody reads what it reports.
const PATIENCE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(2)];

/// Passes interrupts on to the loop, once it listens; before and after, they end the process.
pub(super) fn watch(
    tx: &Sender<Message>,
    listening: Arc<AtomicBool>,
    held: Held,
) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    // `nohup` has a run go on without its terminal
    let hang_up = (!signal::is_ignored(SIGHUP)).then_some(SIGHUP);
    let watched = [SIGINT, SIGTERM].into_iter().chain(hang_up);
    let mut signals = signal_hook::iterator::Signals::new(watched)?;
    let tx = tx.clone();
    thread::Builder::new().spawn(move || {
        let mut patience = PATIENCE.into_iter();
        for signal in &mut signals {
            let interrupt = match signal {
                SIGHUP => Interrupt::HungUp,
                SIGTERM => Interrupt::Terminated,
                _ => Interrupt::Interrupted,
            };
            let (heard, until_heard) = mpsc::channel();
            // at the third the loop itself seems to be stuck
            let patience = patience.next().filter(|_| listening.load(Ordering::SeqCst));
            let is_sent = patience.is_some() && tx.send(Message::Signal(interrupt, heard)).is_ok();
            let held = held.clone();
            let leave = move || {
                child::kill_bound();
                held.exit(128 + signal);
            };
            let Some(patience) = patience.filter(|_| is_sent) else {
                leave();
                return;
            };
            let waits = thread::Builder::new().spawn(move || {
                if until_heard.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                    leave();
                }
            });
            // then it is the third that ends it
            drop(waits);
        }
    })?;
    Ok(())
}

/// Ends the process where the run has taken so long, and the loop does not hear of that either;
/// until what this gives is gone.
pub(super) fn end_after(limit: Duration, held: Held) -> Option<Sender<()>> {
    let (in_time, until_over) = mpsc::channel();
    let waits = thread::Builder::new().spawn(move || {
        let patience = limit.saturating_add(PATIENCE[0]);
        if until_over.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            child::kill_bound();
            // nor may anybody read this
            let (told, until_told) = mpsc::channel::<()>();
            thread::spawn(move || {
                let limit = limit::of_the_run(limit);
                tell(&format!("error: {limit}, and nobody reads what it reports"));
                drop(told);
            });
            let _ = until_told.recv_timeout(Duration::from_secs(1));
            held.exit(exit::FAILED.into());
        }
    });
    waits.is_ok().then_some(in_time)
}
