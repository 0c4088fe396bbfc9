//! Finds out how a libtest binary's tests can be called past libtest's start-up.

use super::execute::Executor;
use super::modules;
use crate::harness;
use crate::harness::listing::Question;
use crate::harness::termination::Termination;
use crate::protocol::{Holds, Listing, ModuleNumber, ModuleSpec};
use crate::sandbox::program::Program;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

impl Executor {
    /// Adds to a module's list how its tests are called directly, or why they are not, where the
    /// module is prepared for that.
    pub(super) fn calibrate(
        &mut self,
        module: ModuleNumber,
        of: &(Arc<ModuleSpec>, Rc<Program>),
        listing: &mut Listing,
        timeout: Duration,
    ) {
        if of.0.calls_from().is_none() || listing.tests.is_empty() {
            return;
        }
        // what is cut short may come to its end when the machine is less busy
        let mut in_time = true;
        let mut ask = |question: &Question<'_>| {
            let (answer, _) = self.ask(module, of, question, timeout);
            in_time = in_time && answer.ending != Termination::DeadlinePassed;
            answer
        };
        let harness = harness::of(of.0.harness);
        let calibrated = modules::original(&of.0)
            .map_err(|_| "its file cannot be read any more".to_owned())
            .and_then(|original| harness.calibrate(&mut listing.tests, &original, &mut ask));
        listing.plain = calibrated.err();
        if listing.plain.is_some() && !in_time {
            listing.holds = Holds::ForTheRun;
        }
    }
}
