//! How a run ends before its time: at an interrupt, out of time, after a test too many.
//!
//! Nothing new begins; what waits is not run, each test for the reason that the run was stopped.
//! What runs is waited for, or stopped, and then ended by force (`timeouts`).

use super::Run;
use crate::event::Interrupt;
use crate::harness::limit;
use crate::plan::PlannedTest;
use crate::settings::MaxFail;
use std::time::Instant;

impl Run<'_> {
    /// Nothing new is started any more; what waits is not run, for this reason.
    pub(super) fn stop(&mut self, why: String) {
        self.stopping = true;
        // whoever stopped it first is why
        self.stopped_since.get_or_insert(why);
        self.drop_waiting();
        for number in 0..self.modules.len() {
            for task in std::mem::take(&mut self.modules[number].held) {
                self.never_begun(task.tests());
            }
        }
        self.to_list.clear();
        self.say_unlisted();
        self.compilers.end(&self.forms.forget_modules());
        self.revoke_all();
    }

    /// Says of which modules it was not known yet what tests they hold, and will not be.
    fn say_unlisted(&mut self) {
        // each is an error by name there
        if self.ledger.interrupt() == Some(Interrupt::OutOfTime) {
            return;
        }
        let unlisted = self.modules.iter().filter(|module| !module.is_listed());
        let names: Vec<&str> = unlisted.map(|module| &*module.spec.name).collect();
        let modules = match names[..] {
            [] => return,
            [one] => one.to_owned(),
            [one, other] => format!("{one} and {other}"),
            [first, second, ..] => {
                format!("{first}, {second} and {} other modules", names.len() - 2)
            }
        };
        let why = self.stopped_since.as_deref().unwrap_or_default();
        self.ledger
            .note(format!("{why} before the tests of {modules} were known"));
    }

    /// These tests will not be begun, since the run was stopped.
    pub(super) fn never_begun(&mut self, tests: &[PlannedTest]) {
        let why = self.stopped_since.as_deref().unwrap_or_default();
        self.ledger.never_begun(tests, why);
    }

    /// After a test that did not pass: is it one too many?
    pub(super) fn check_max_fail(&mut self) {
        if let MaxFail::After(max) = self.settings.max_fail
            && self.ledger.bad() >= max
            && !self.stopping
        {
            self.stop(match max {
                1 => "the run was stopped at the first that did not pass (-x, --max-fail 1)"
                    .to_owned(),
                n => format!("the run was stopped after {n} that did not pass (--max-fail {n})"),
            });
        }
    }

    /// Nothing new begins; what is in flight is stopped and reported by name, with
    /// what it wrote; what was set up is taken down. A second interrupt does not wait.
    pub(super) fn interrupt(&mut self, interrupt: Interrupt) {
        if self.interrupted_at.is_some() {
            if self.ledger.interrupt() == Some(Interrupt::OutOfTime) {
                self.ledger.interrupted(interrupt);
            }
            self.host_fixtures.hurry();
            return self.abandon_all();
        }
        self.interrupted_at = Some(Instant::now());
        self.ledger.interrupted(interrupt);
        self.stop(match interrupt {
            Interrupt::Interrupted => "the run was interrupted (SIGINT)".to_owned(),
            Interrupt::HungUp => "the run's terminal is gone (SIGHUP)".to_owned(),
            Interrupt::Terminated => "the run was terminated (SIGTERM)".to_owned(),
            Interrupt::OutOfTime => {
                limit::of_the_run(self.settings.run_timeout.unwrap_or_default())
            }
        });
        self.interrupt_all();
        self.interrupt_fixture_host();
    }
}
