//! Exit codes: decided here and nowhere else.
//!
//! Part of the interface: documented in the README, covered by tests.

use crate::event::{Interrupt, Summary};

/// All tests passed or were skipped.
pub const OK: u8 = 0;
/// Some test did not pass.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// Some module could not be loaded or listed, or the runner itself failed.
pub const LOAD: u8 = 3;
/// There was nothing to run, or nothing was run: all was skipped.
pub const NOTHING: u8 = 4;
/// Something could not be built.
pub const NOT_BUILT: u8 = 5;
/// cargo's runner: some test did not pass, as libtest reports it.
pub const LIBTEST_FAILED: u8 = 101;
/// `exec`: the program was stopped at its limit, as `timeout` reports it.
pub const TIMED_OUT: u8 = 124;
/// `exec`: the program cannot be run, as a shell reports it.
pub const CANNOT_RUN: u8 = 126;
/// `exec`: the program is not there, as a shell reports it.
pub const NOT_THERE: u8 = 127;
/// `exec`: the program trapped, as a shell reports SIGABRT.
pub const TRAPPED: u8 = 134;
/// The terminal is gone, as a shell reports SIGHUP.
pub const HUNG_UP: u8 = 129;
/// Interrupted, as a shell reports SIGINT.
pub const INTERRUPTED: u8 = 130;
/// Terminated, as a shell reports SIGTERM.
pub const TERMINATED: u8 = 143;

/// The exit code of a run: an interrupt, or the end of its time, over a module that could not be
/// loaded, over a test that did not pass, over a target that was not built, over
/// nothing to run.
pub fn of(summary: &Summary) -> u8 {
    match summary.interrupt {
        Some(Interrupt::Interrupted) => INTERRUPTED,
        Some(Interrupt::HungUp) => HUNG_UP,
        Some(Interrupt::Terminated) => TERMINATED,
        Some(Interrupt::OutOfTime) => FAILED,
        None if summary.modules_failed > 0 => LOAD,
        None if summary.is_green() && summary.ran() == summary.skipped => NOTHING,
        None if summary.is_green() => OK,
        None if only_missed(summary) => NOT_BUILT,
        None => FAILED,
    }
}

/// The exit code of a list, or of a plan: one that was interrupted is not whole.
pub fn of_list(summary: &Summary, is_empty: bool) -> u8 {
    match summary.interrupt {
        Some(_) => of(summary),
        None if summary.modules_failed > 0 => LOAD,
        None if is_empty => NOTHING,
        None => OK,
    }
}

/// Whether nothing is wrong but that something was not built.
fn only_missed(summary: &Summary) -> bool {
    let all_there = Summary {
        missed: 0,
        ..summary.clone()
    };
    all_there.is_green()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_thing_decides() {
        let of = |f: fn(&mut Summary)| {
            let mut summary = Summary {
                passed: 1,
                ..Summary::default()
            };
            f(&mut summary);
            super::of(&summary)
        };
        assert_eq!(of(|_| ()), 0);
        assert_eq!(of(|s| s.passed = 0), 4);
        assert_eq!(of(|s| (s.passed, s.skipped) = (0, 3)), 4);
        assert_eq!(of(|s| (s.passed, s.expected_failures) = (0, 1)), 0);
        assert_eq!(of(|s| s.failures = 1), 1);
        assert_eq!(of(|s| s.timeouts = 1), 1);
        assert_eq!(of(|s| s.not_run = 1), 1);
        assert_eq!(of(|s| (s.missed, s.passed) = (1, 0)), 5);
        assert_eq!(of(|s| s.not_built = 1), 0);
        assert_eq!(of(|s| (s.missed, s.failures) = (1, 1)), 1);
        assert_eq!(
            of(|s| (s.failures, s.errors, s.modules_failed) = (1, 1, 1)),
            3
        );
        assert_eq!(
            of(|s| (s.modules_failed, s.interrupt) = (1, Some(Interrupt::Interrupted))),
            130
        );
        assert_eq!(of(|s| s.interrupt = Some(Interrupt::HungUp)), 129);
        assert_eq!(of(|s| s.interrupt = Some(Interrupt::Terminated)), 143);
        assert_eq!(
            of(|s| (s.modules_failed, s.interrupt) = (1, Some(Interrupt::OutOfTime))),
            1
        );
    }
}
