//! Signals that end a run, on their way to its loop.

use super::held::Held;
use super::{Message, child};
use crate::event::Interrupt;
use crate::signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

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
        let mut seen = 0;
        for signal in &mut signals {
            seen += 1;
            let interrupt = match signal {
                SIGHUP => Interrupt::HungUp,
                SIGTERM => Interrupt::Terminated,
                _ => Interrupt::Interrupted,
            };
            // at the third the loop itself seems to be stuck
            let is_heard = listening.load(Ordering::SeqCst) && seen < 3;
            if !is_heard || tx.send(Message::Signal(interrupt)).is_err() {
                child::kill_bound();
                held.exit(128 + signal);
            }
        }
    })?;
    Ok(())
}
