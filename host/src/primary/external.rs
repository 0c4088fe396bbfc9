//! Results of tests that somebody else runs: of doctests, which rustdoc has run.

use super::Message;
use super::ledger::Ledger;
use crate::event::{Event, Interrupt, LeftOut, ModuleError, NotBuilt, TestEnd};
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// Takes the results of tests that somebody else runs, at the end of a run.
pub struct ExternalResults<'a, 'b> {
    pub(super) ledger: &'a mut Ledger<'b>,
    pub(super) rx: &'a Receiver<Message>,
    /// When the run has taken as long as it may.
    pub(super) until: Option<Instant>,
    /// Whether nothing new is to be started.
    pub stopping: bool,
}

impl ExternalResults<'_, '_> {
    /// A test has ended.
    pub fn ended(&mut self, end: TestEnd) {
        self.ledger.ended(end);
    }

    /// A module could not be run.
    pub fn module_failed(&mut self, error: ModuleError) {
        self.ledger.module_failed(error);
    }

    /// A target did not build.
    pub fn not_built(&mut self, target: NotBuilt) {
        self.ledger.not_built(target);
    }

    /// A dependency was left out.
    pub fn left_out(&mut self, dependency: LeftOut) {
        self.ledger.left_out(dependency);
    }

    /// Something that a user should know.
    pub fn note(&mut self, note: impl Into<String>) {
        self.ledger.note(note);
    }

    /// As many tests more were left out by the filters.
    pub fn filtered_out(&mut self, count: usize) {
        self.ledger.filtered_out(count);
    }

    /// Whether the run was interrupted meanwhile or has run out of time, which is then recorded:
    /// whoever runs tests elsewhere has to end them.
    pub fn interrupted(&mut self) -> bool {
        while let Ok(message) = self.rx.try_recv() {
            if let Message::Signal(interrupt, _) = message {
                self.ledger.interrupted(interrupt);
            }
        }
        let is_over = self.until.is_some_and(|until| until <= Instant::now());
        if is_over && self.ledger.interrupt().is_none() {
            self.ledger.interrupted(Interrupt::OutOfTime);
        }
        self.ledger.interrupt().is_some()
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        self.ledger.emit(&Event::Tick);
    }
}
