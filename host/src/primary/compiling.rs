//! The stage that compiles: a process for each job that there is, and what comes of it.
//!
//! What is compiled, and when, says [`Forms`](crate::module::forms::Forms); here its jobs are
//! given to compiler processes and their answers dealt with. Should a compiler die, what it
//! left undone is tried again one module at a time.

use super::peer::{Peer, Role};
use super::pipeline::ModulePhase;
use super::{Goal, Message, Run};
use crate::event::{Cause, Event, Progress};
use crate::module::forms::{Answer, JobNumber};
use crate::protocol::{CompileResult, Compiled, LoadError, ModuleNumber};
use crate::settings::Verbosity;

/// The compilers that run, and what was said of them.
#[derive(Default)]
pub(super) struct Compilers {
    running: Vec<(JobNumber, Peer)>,
    /// Modules that were compiled, not counting again.
    compiled: usize,
    said: bool,
}

impl Compilers {
    /// Ends them by force: nothing that they make is wanted any more.
    pub(super) fn end(&mut self, jobs: &[JobNumber]) {
        for (_, peer) in self.running.extract_if(.., |(job, _)| jobs.contains(job)) {
            let mut peer = peer;
            peer.kill();
            peer.post_mortem();
        }
    }
}

impl Run<'_> {
    /// Has all compiled that can be now.
    pub(super) fn compile(&mut self) {
        while let Some((job, jobs)) = self.forms.next_job() {
            let tx = self.tx.clone();
            let started =
                Peer::start::<CompileResult>(Role::Compiler, self.home, move |messages| {
                    let _ = tx.send(match messages {
                        Some(results) => Message::Compiled(job, results),
                        None => Message::CompilerEnded(job),
                    });
                });
            let of_state = jobs.states.first().map(|state| state.number);
            match started.and_then(|mut peer| peer.send(&[jobs]).map(|()| peer)) {
                Ok(peer) => self.compilers.running.push((job, peer)),
                Err(e) => {
                    let why = format!("no compiler process can be started: {e}");
                    match of_state {
                        Some(number) => {
                            self.forms.ended(job);
                            self.not_shared(number, &why);
                        }
                        None => {
                            self.fatal = Some(anyhow::anyhow!(why));
                            return;
                        }
                    }
                }
            }
        }
    }

    /// A compiler is done with something.
    pub(super) fn compiled(&mut self, job: JobNumber, result: CompileResult) {
        match self.forms.answered(job, &result) {
            Answer::Stale => return,
            Answer::Unasked => {
                let what = "the compiler reported what it was not given";
                return self.ledger.internal_error(what.into());
            }
            Answer::Expected => {}
        }
        match result.of {
            Compiled::State(number) => self.state_compiled(number, result.result),
            Compiled::Module(number) => self.module_compiled(number, result.result),
        }
    }

    fn module_compiled(&mut self, number: ModuleNumber, result: Result<(), Cause>) {
        match result {
            Ok(()) => {
                self.settle_form(number);
                if !self.forms.was_rebuilt(number) {
                    self.compilers.compiled += 1;
                }
                let module = &mut self.modules[number.0];
                if module.phase == ModulePhase::CompilingAgain {
                    module.phase = ModulePhase::Ready;
                    let held = std::mem::take(&mut module.held);
                    for task in held {
                        self.enqueue(task);
                    }
                } else {
                    self.ready_to_list(number);
                }
            }
            Err(why) => self.module_failed(number, LoadError::Module(why)),
        }
        let left = self.forms.modules_left();
        if left > 0 {
            self.ledger.emit(&Event::Compiling { left });
        } else if !self.compilers.said {
            self.compilers.said = true;
            let (compiled, elapsed) = (self.compilers.compiled, self.ledger.began().elapsed());
            let cached = self.modules.len() - compiled;
            self.ledger
                .progress(Progress::compiled(compiled, cached, elapsed));
        }
    }

    /// A compiler has ended: as it should, or it died.
    pub(super) fn compiler_ended(&mut self, job: JobNumber) {
        let running = &mut self.compilers.running;
        let Some(at) = running.iter().position(|(of, _)| *of == job) else {
            return;
        };
        let (_, mut peer) = running.swap_remove(at);
        let end = peer.post_mortem();
        match self.forms.ended(job) {
            Some(Compiled::Module(number)) => {
                let why = format!("the compiler process died on it: {end}");
                self.module_failed(number, LoadError::Module(Cause::new(why)));
            }
            Some(Compiled::State(number)) => {
                self.not_shared(number, &format!("the compiler died on it: {end}"));
            }
            None => {}
        }
        self.compile();
    }

    /// Which of a module's compiled forms is used, now that they are there.
    pub(super) fn settle_form(&mut self, number: ModuleNumber) {
        let module = &mut self.modules[number.0];
        if let Some(best) = self.forms.best(number) {
            module.spec.artefact = best.artefact;
            module.spec.replay = best.replay;
            module.why_plain = best.why_plain;
            if let Some(facts) = best.facts {
                module.spec.offsets = facts.offsets;
                module.spec.gaps = facts.gaps;
            }
        }
        let verbose = self.settings.verbosity == Verbosity::Verbose;
        if verbose && self.goal == Goal::Run && !self.forms.was_rebuilt(number) {
            let told = format!("{}: {}", module.spec.name, module.spec.gaps.told());
            self.ledger.note(told);
        }
    }

    /// A worker refused a module's compiled form: it is made once more, then never again.
    pub(super) fn compile_again(&mut self, number: ModuleNumber, why: String) {
        let phase = self.modules[number.0].phase;
        if matches!(phase, ModulePhase::CompilingAgain | ModulePhase::Compiling) {
            return;
        }
        if !self.forms.rebuild(number) {
            let cause = Cause::new(format!("its compiled form is refused: {why}"));
            return self.module_failed(number, LoadError::Module(cause));
        }
        self.modules[number.0].phase = match phase {
            ModulePhase::Listing => ModulePhase::Compiling,
            _ => ModulePhase::CompilingAgain,
        };
        for slot in &mut self.workers {
            slot.forget(number);
        }
        let waiting = self.take_waiting(number);
        self.modules[number.0].held.extend(waiting);
        self.compile();
    }
}
