//! When a module whose tests run already is compiled once more, by the best compiler.
//!
//! Tests begin as soon as there is any code. Whether faster code is worth its making follows from
//! what still has to run: by what was kept of earlier runs, and by what was seen in this one. A
//! test that is known to be long waits for it, while short ones run.

use super::{Run, processor_time};
use crate::event::Cause;
use crate::module::cache::{Durations, WORTH_KEEPING};
use crate::plan::{PlannedTask, PlannedTest};
use crate::protocol::{Compiler, ModuleNumber};
use crate::settings::Verbosity;
use std::time::{Duration, Instant};

/// What the best compiler takes for a byte of a module's file, in nanoseconds of all processors
/// together: 1.1 to 1.4 s for debug binaries of 11 to 13 MB.
const NANOS_PER_BYTE: u64 = 120;
/// By how many times as long slower code takes, at the least where it matters: 2.6 was seen.
const SLOWER: u32 = 2;
/// What is likely still to run has to take so many times what its compiling takes, or there is
/// nothing to gain: much of it has run when that is done. What is known to takes as long is
/// enough, since it waits.
const WORTH_COMPILING: u32 = 3;

/// Nobody waits any longer for a compiler that takes so many times what is usual ...
const MOST_TIMES: u32 = 4;
/// ... and this, for a machine that is busy.
const AT_LEAST: Duration = Duration::from_secs(2);

/// How long a module's tests take, as far as that is known.
#[derive(Default)]
pub(super) struct Pace {
    /// In earlier runs.
    kept: Durations,
    /// Whether something of it has changed.
    is_new: bool,
    /// What those took in earlier runs that have not ended.
    left: Duration,
    /// How many others have not ended.
    others_left: u32,
    /// What others have taken in this run, and how many.
    others_ended: (Duration, u32),
    /// Until when tests wait for faster code.
    waits_until: Option<Instant>,
}

impl Pace {
    /// These tests are to be run.
    fn plan<'a>(&mut self, kept: Durations, tests: impl Iterator<Item = &'a PlannedTest>) {
        self.kept = kept;
        for test in tests {
            match self.known(test) {
                Some(took) => self.left = self.left.saturating_add(took),
                None => self.others_left = self.others_left.saturating_add(1),
            }
        }
    }

    /// What a test took in earlier runs, if it took long.
    fn known(&self, test: &PlannedTest) -> Option<Duration> {
        match self.kept.is_empty() {
            true => None,
            false => self.kept.of(&test.info.id.path),
        }
    }

    fn ended(&mut self, test: &PlannedTest, took: Duration) {
        match self.known(test) {
            Some(before) => self.left = self.left.saturating_sub(before),
            None => {
                self.others_left = self.others_left.saturating_sub(1);
                self.others_ended.0 = self.others_ended.0.saturating_add(took);
                self.others_ended.1 += 1;
            }
        }
        if took >= WORTH_KEEPING || !self.kept.is_empty() {
            self.is_new |= self.kept.note(&test.info.id.path, took);
        }
    }

    /// How long what is left takes on one processor.
    fn remaining(&self) -> Duration {
        let (total, count) = self.others_ended;
        let each = total.checked_div(count).unwrap_or_default();
        self.left
            .saturating_add(each.saturating_mul(self.others_left))
    }
}

impl Run<'_> {
    /// Tests of a module are about to be run.
    pub(super) fn begin_pace(&mut self, number: ModuleNumber, tasks: &[PlannedTask]) {
        let kept = self.cache.durations(&self.modules[number.0].spec.file);
        let tests = tasks.iter().flat_map(PlannedTask::tests);
        self.modules[number.0].pace.plan(kept, tests);
        self.improve(number);
    }

    /// A test of a worker's has taken so long.
    pub(super) fn note_pace(&mut self, number: usize, test: &PlannedTest, took: Duration) {
        let computed = match took < WORTH_KEEPING {
            true => took,
            false => self.computed(number).map_or(took, |busy| took.min(busy)),
        };
        // as faster code would have had it, so that both are told alike
        let took = match test.compiler {
            None | Some(Compiler::BEST) => computed,
            Some(Compiler::Winch) => computed / SLOWER,
        };
        self.modules[test.module.0].pace.ended(test, took);
        self.improve(test.module);
    }

    /// How long a worker has had a processor since this was asked last: of a test that took long, and
    /// most of which was waiting, no more than that counts.
    fn computed(&mut self, number: usize) -> Option<Duration> {
        let worker = self.workers[number].worker.as_mut()?;
        let own = || std::process::id().cast_signed();
        let now = processor_time::of(worker.peer.process().unwrap_or_else(own))?;
        let before = std::mem::replace(&mut worker.processor_time, now);
        Some(now.saturating_sub(before))
    }

    /// Has a module compiled by the best compiler, if that is worth it.
    fn improve(&mut self, number: ModuleNumber) {
        if self.stopping || !self.forms.can_be_better(number) || !self.may_change_form(number) {
            return;
        }
        let (pace, takes) = (&self.modules[number.0].pace, self.to_compile(number));
        if pace.left > takes || pace.remaining() > takes.saturating_mul(WORTH_COMPILING) {
            let patience = AT_LEAST + takes.saturating_mul(MOST_TIMES);
            self.modules[number.0].pace.waits_until = Instant::now().checked_add(patience);
            self.forms.want_better(number);
            self.compile();
        }
    }

    /// What the best compiler takes for a module.
    fn to_compile(&self, number: ModuleNumber) -> Duration {
        Duration::from_nanos(self.forms.size(number).saturating_mul(NANOS_PER_BYTE))
    }

    /// States fit the form in which they were taken: a module that has some keeps it.
    fn may_change_form(&self, number: ModuleNumber) -> bool {
        !self.snapshots.has_some_of(number)
    }

    /// Whether a task waits for faster code, which is on its way.
    pub(super) fn awaits_better(&self, task: &PlannedTask) -> bool {
        let Some(module) = task
            .module()
            .filter(|m| self.forms.is_better_on_its_way(*m))
        else {
            return false;
        };
        let pace = &self.modules[module.0].pace;
        if pace.waits_until.is_none_or(|until| until <= Instant::now()) {
            return false;
        }
        task.tests().iter().any(|test| pace.known(test).is_some())
    }

    /// When a test has waited long enough for faster code.
    pub(super) fn waited_until(&self) -> Option<Instant> {
        if self.queue.blocked.is_empty() {
            return None;
        }
        let waits = self.modules.iter().filter_map(|m| m.pace.waits_until);
        waits.min()
    }

    /// Lets those go on without it that have.
    pub(super) fn wait_no_longer(&mut self) {
        let now = Instant::now();
        if self.waited_until().is_none_or(|until| until > now) {
            return;
        }
        for module in &mut self.modules {
            module.pace.waits_until = module.pace.waits_until.filter(|until| *until > now);
        }
        self.unblock();
    }

    /// Faster code of a module is there, or will not be.
    pub(super) fn better_came(&mut self, number: ModuleNumber, result: Result<(), Cause>) {
        self.modules[number.0].pace.waits_until = None;
        let best = Compiler::BEST.name();
        let told = match result {
            Ok(()) if self.may_change_form(number) => {
                self.settle_form(number);
                for slot in &mut self.workers {
                    slot.forget(number);
                }
                format!("compiled by {best}, too: what begins from now on uses that")
            }
            // it is there for the next run
            Ok(()) => format!("compiled by {best}, too, which its states do not fit"),
            Err(why) => format!("not compiled by {best}: {}", why.message),
        };
        if self.settings.verbosity == Verbosity::Verbose {
            let name = &self.modules[number.0].spec.name;
            let note = format!("{name}: {told}");
            self.ledger.note(note);
        }
        self.unblock();
    }

    /// Keeps how long tests took.
    pub(super) fn keep_pace(&self) {
        for module in self.modules.iter().filter(|module| module.pace.is_new) {
            self.cache
                .store_durations(&module.spec.file, &module.pace.kept);
        }
    }
}
