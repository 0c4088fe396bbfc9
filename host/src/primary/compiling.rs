//! The stage that compiles: a process for each job that there is, and what comes of it.
//!
//! What is compiled, and when, says [`Forms`](crate::module::forms::Forms); here each of its
//! jobs goes its way. It waits for another run that makes the same just now; a compiler makes
//! its parts, within the limits that it is given; once that is gone, a thread takes them over
//! into the cache. A compiler that dies or is too late has cost its own module alone.

use super::peer::{Peer, Role};
use super::pipeline::ModulePhase;
use super::{Goal, Message, Run};
use crate::event::{Cause, Event, Progress};
use crate::module::cache::{ArtefactPart, Cache, MAX_AGE, MAX_BYTES, NewParts};
use crate::module::compile;
use crate::module::forms::{DoneJob, JobNumber, Made, NextJob, Urgency};
use crate::protocol::{
    CompileJob, CompileLimits, CompileResult, CompileSource, Compiled, Compiler, LoadError,
    ModuleNumber,
};
use crate::settings::Verbosity;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long the end of a run waits for what a thread is just taking over into the cache.
const TAKING_OVER: Duration = Duration::from_secs(5);

/// The compilers that run, and what was said of them.
#[derive(Default)]
pub(super) struct Compilers {
    jobs: Vec<Job>,
    /// Modules whose forms were not there.
    wanted: usize,
    /// Those of them that were compiled, not counting again.
    compiled: usize,
    said: bool,
}

/// A job under way.
struct Job {
    number: JobNumber,
    source: CompileSource,
    threads: usize,
    urgency: Urgency,
    stage: Stage,
    /// Held until its result is kept: who wants the same waits for it.
    lock: Option<File>,
    /// Whether a compiler has died on it, and not at a limit.
    again: bool,
}

enum Stage {
    /// Another run has the lock.
    Waiting { _until_gone: Wanted },
    /// A compiler is at work.
    Compiling(Compiling),
    /// What it made is taken over, by a thread that lives as long as the other end of this.
    Keeping(Option<Receiver<()>>),
}

struct Compiling {
    peer: Peer,
    parts: NewParts,
    /// When it has to be done.
    due: Instant,
    said: Option<Result<(), Cause>>,
}

/// Whether somebody still waits; no more once this is gone.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Drop for Compilers {
    fn drop(&mut self) {
        for job in &mut self.jobs {
            if let Stage::Compiling(compiling) = &mut job.stage {
                compiling.peer.kill();
            }
        }
    }
}

impl Compilers {
    /// Ends them by force: nothing that they make is wanted any more. Of what is just being
    /// taken over the end is waited for, unless the disk does not answer.
    pub(super) fn end(&mut self, jobs: &[JobNumber]) {
        let unwanted = self.jobs.extract_if(.., |job| jobs.contains(&job.number));
        for job in unwanted {
            match job.stage {
                Stage::Compiling(mut compiling) => {
                    compiling.peer.kill();
                    compiling.peer.post_mortem();
                }
                Stage::Keeping(Some(until_kept)) => {
                    let _ = until_kept.recv_timeout(TAKING_OVER);
                }
                Stage::Waiting { .. } | Stage::Keeping(None) => {}
            }
        }
    }

    /// When one of them has to be done.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = self.jobs.iter().filter_map(|job| match &job.stage {
            Stage::Compiling(compiling) if compiling.said.is_none() => Some(compiling.due),
            _ => None,
        });
        due.min()
    }

    /// Ends those that are too late.
    pub(super) fn end_late(&mut self, limits: CompileLimits) {
        let now = Instant::now();
        for job in &mut self.jobs {
            if let Stage::Compiling(compiling) = &mut job.stage
                && compiling.due <= now
                && compiling.said.is_none()
            {
                compiling.said = Some(Err(limits.not_done()));
                compiling.peer.kill();
            }
        }
    }

    fn job(&mut self, number: JobNumber) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.number == number)
    }
}

impl Run<'_> {
    /// Has these modules compiled, whose forms are not there.
    pub(super) fn compile_modules(&mut self, modules: Vec<ModuleNumber>) {
        self.compilers.wanted = modules.len();
        // a file that is none may have been one too many
        if modules.is_empty() || self.stopping {
            return;
        }
        let left = modules.len();
        self.ledger.emit(&Event::Compiling { left });
        for number in modules {
            self.forms.want(number);
        }
        self.compile();
    }

    /// Has all compiled that can be now.
    pub(super) fn compile(&mut self) {
        while let Some(next) = self.forms.next_job() {
            let NextJob {
                number,
                threads,
                urgency,
                source,
            } = next;
            let locked = match &source {
                CompileSource::State(_) => Ok(None),
                CompileSource::Module(job) => {
                    let part = ArtefactPart::Plain;
                    let name = Cache::artefact_name(job.content, job.form, part);
                    match self.cache.try_lock(&name) {
                        Ok(None) => Err(name),
                        Ok(lock) => Ok(lock),
                        // what is written is whole all the same
                        Err(_) => Ok(None),
                    }
                }
            };
            let waits = locked.is_err();
            let (lock, stage) = match locked {
                Ok(lock) => (lock, Stage::Keeping(None)),
                Err(name) => {
                    let _until_gone = self.wait_for(number, name);
                    (None, Stage::Waiting { _until_gone })
                }
            };
            self.compilers.jobs.push(Job {
                number,
                source,
                threads,
                urgency,
                stage,
                lock,
                again: false,
            });
            if !waits && let Some(result) = self.begin(number) {
                self.settle_job(number, result);
            }
        }
    }

    /// Waits, elsewhere, until another run is done with this, or has had the time for it.
    fn wait_for(&self, number: JobNumber, name: String) -> Wanted {
        let wanted = Arc::new(AtomicBool::new(true));
        let (cache, tx, is_wanted) = (self.cache.clone(), self.tx.clone(), wanted.clone());
        let patience = self.settings.compile.lock_patience();
        let waits = thread::Builder::new().spawn(move || {
            let is_wanted = || is_wanted.load(Ordering::Relaxed);
            let lock = cache.lock_within(&name, patience, is_wanted);
            let _ = tx.send(Message::Locked(number, lock));
        });
        if waits.is_err() {
            // what is compiled twice is written twice
            let _ = self.tx.send(Message::Locked(number, None));
        }
        Wanted(wanted)
    }

    /// Another run is done with what a job is to make, or was waited for long enough.
    pub(super) fn locked(&mut self, number: JobNumber, lock: Option<File>) {
        if let Some(job) = self.compilers.job(number) {
            job.lock = lock;
            if let Some(result) = self.begin(number) {
                self.job_done(number, result);
            }
        }
    }

    /// Has a job's compiler do its work; gives what comes of it where that is known at once, as
    /// where another run has done it by now.
    fn begin(&mut self, number: JobNumber) -> Option<Result<(), Cause>> {
        let job = self.compilers.job(number)?;
        if let CompileSource::Module(module) = &job.source
            && self.forms.is_made(module)
        {
            return Some(Ok(()));
        }
        let (source, threads, urgency) = (job.source.clone(), job.threads, job.urgency);
        let parts = match self.cache.new_parts() {
            Ok(parts) => parts,
            Err(e) => {
                let dir = self.cache.dir().display();
                let why = format!("the cache folder {dir} cannot be used: {e}");
                let why = Cause::new(why).hint("--cache-dir names another place");
                return Some(Err(why));
            }
        };
        let limits = self.settings.compile;
        let order = CompileJob {
            parts: parts.path().to_owned(),
            threads,
            in_background: urgency == Urgency::Background,
            limits,
            source,
        };
        let tx = self.tx.clone();
        let started =
            Peer::start::<CompileResult>(Role::Compiler, self.home, None, move |messages| {
                let _ = tx.send(match messages {
                    Some(results) => Message::Compiled(number, results),
                    None => Message::CompilerEnded(number),
                });
            });
        match started {
            Ok(mut peer) => {
                // one that died already is noticed by its end of the channel
                let _ = peer.send(&[order]);
                if let Some(job) = self.compilers.job(number) {
                    job.stage = Stage::Compiling(Compiling {
                        peer,
                        parts,
                        due: Instant::now() + limits.patience(),
                        said: None,
                    });
                }
                None
            }
            Err(e) => {
                let why = format!("no compiler process can be started: {e}");
                Some(Err(Cause::new(why)))
            }
        }
    }

    /// A compiler has said what became of its job.
    pub(super) fn compiled(&mut self, number: JobNumber, mut result: CompileResult) {
        if let Err(cause) = &result.result
            && self.admit_cause(cause).is_err()
        {
            result.result = Err(Cause::new("the compiler said more than it can have to say"));
        }
        let Some(job) = self.compilers.job(number) else {
            return;
        };
        let asked = job.source.of();
        let Stage::Compiling(compiling) = &mut job.stage else {
            return;
        };
        // its first word counts, and is all that is wanted of it
        if compiling.said.is_none() {
            compiling.said = Some(match result.of == asked {
                true => result.result,
                false => Err(Cause::new(
                    "the compiler reported what it was not given: this is a bug in wasmtest",
                )),
            });
            compiling.peer.kill();
        }
    }

    /// A compiler has ended: as it should, or it died.
    pub(super) fn compiler_ended(&mut self, number: JobNumber) {
        let limits = self.settings.compile;
        let Some(job) = self.compilers.job(number) else {
            return;
        };
        let Stage::Compiling(compiling) = std::mem::replace(&mut job.stage, Stage::Keeping(None))
        else {
            return;
        };
        let source = job.source.clone();
        let Compiling {
            mut peer,
            parts,
            said,
            ..
        } = compiling;
        let end = peer.post_mortem();
        match said {
            Some(Ok(())) => self.keep(number, source, parts),
            Some(Err(cause)) => self.job_done(number, Err(cause)),
            None => match limit_that_killed(&end, peer.signal(), limits) {
                Some(limit) => self.job_done(number, Err(limit)),
                None => self.compiler_died(number, &end),
            },
        }
    }

    /// A compiler has died without a word, by nobody knows whose fault: of a module that is at fault
    /// the next will, too.
    fn compiler_died(&mut self, number: JobNumber, how: &str) {
        let Some(job) = self.compilers.job(number) else {
            return;
        };
        if std::mem::replace(&mut job.again, true) {
            let why = Cause::new(format!("the compiler process died on it: {how}"));
            return self.job_done(number, Err(why));
        }
        let of = match &job.source {
            CompileSource::Module(module) => &self.modules[module.module.0].spec.name,
            CompileSource::State(_) => "a state",
        };
        let how = how.lines().next().unwrap_or_default();
        let note = format!("the compiler process of {of} died, and is started once more: {how}");
        self.ledger.note(note);
        if let Some(result) = self.begin(number) {
            self.job_done(number, result);
        }
    }

    /// Has the cache take over what a compiler made, while the loop goes on.
    fn keep(&mut self, number: JobNumber, source: CompileSource, parts: NewParts) {
        let (cache, tx) = (self.cache.clone(), self.tx.clone());
        let state = match &source {
            CompileSource::State(job) => self.state_artefact(job.number),
            CompileSource::Module(_) => None,
        };
        let (keeping, until_kept) = mpsc::channel();
        if let Some(job) = self.compilers.job(number) {
            job.stage = Stage::Keeping(Some(until_kept));
        }
        let keeps = thread::Builder::new().spawn(move || {
            // never used: its end is what is waited for
            let _keeping: Sender<()> = keeping;
            let kept = match &source {
                CompileSource::Module(job) => cache.admit_module(&parts, job.content, job.form),
                CompileSource::State(_) => match state {
                    Some(name) => cache.admit_state(&parts, &name),
                    None => Err(io::Error::other("nobody wants it any more")),
                },
            };
            drop(parts);
            let kept = kept.map_err(|e| {
                let dir = cache.dir().display();
                Cause::new(format!("its compiled form cannot be kept in {dir}: {e}"))
            });
            let _ = tx.send(Message::Kept(number, kept));
        });
        if let Err(e) = keeps {
            let why = format!("no thread can be started to keep its compiled form: {e}");
            let kept = Err(Cause::new(why));
            let _ = self.tx.send(Message::Kept(number, kept));
        }
    }

    /// A job is over: there is room for another.
    pub(super) fn job_done(&mut self, number: JobNumber, result: Result<(), Cause>) {
        self.settle_job(number, result);
        self.compile();
    }

    fn settle_job(&mut self, number: JobNumber, result: Result<(), Cause>) {
        // with it goes its lock
        self.compilers.jobs.retain(|job| job.number != number);
        let made = match &result {
            Ok(()) => Made::Whole,
            Err(_) => Made::Nothing,
        };
        let Some(done) = self.forms.done(number, made) else {
            return;
        };
        match (done.of, done.urgency) {
            (Compiled::State(number), _) => self.state_compiled(number, result),
            (Compiled::Module(number), Urgency::Background) => self.better_came(number, result),
            (Compiled::Module(number), Urgency::Awaited) => {
                self.module_compiled(number, done, result);
            }
        }
    }

    fn module_compiled(&mut self, number: ModuleNumber, done: DoneJob, result: Result<(), Cause>) {
        match result {
            Ok(()) => {
                self.settle_form(number);
                self.tell_form(number);
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
            Err(why) => match self.forms.want_of_another(number) {
                Some(other) => self.tell_refused(number, done.compiler, other, &why),
                None => self.module_failed(number, LoadError::Module(why)),
            },
        }
        let left = self.forms.modules_left();
        if left > 0 {
            self.ledger.emit(&Event::Compiling { left });
        } else if !self.compilers.said {
            self.compilers.said = true;
            let (compiled, elapsed) = (self.compilers.compiled, self.ledger.began().elapsed());
            let cached = self.modules.len() - self.compilers.wanted;
            self.ledger
                .progress(Progress::compiled(compiled, cached, elapsed));
            let cache = self.cache.clone();
            // where no thread can be started the next run does it
            let _ = thread::Builder::new().spawn(move || cache.prune(MAX_BYTES, MAX_AGE));
        }
    }

    /// Which of a module's compiled forms is used, now that they are there.
    pub(super) fn settle_form(&mut self, number: ModuleNumber) {
        let module = &mut self.modules[number.0];
        if let Some(best) = self.forms.best(number) {
            module.spec.artefact = best.artefact;
            module.spec.compiler = best.compiler;
            module.spec.replay = best.replay;
            module.why_plain = best.why_plain;
            if let Some(facts) = best.facts {
                module.spec.offsets = facts.offsets;
                module.spec.gaps = facts.gaps;
                module.spec.direct = facts.direct;
            }
        }
    }

    /// Tells of a module's form, where everything is to be told.
    pub(super) fn tell_form(&mut self, number: ModuleNumber) {
        let spec = &self.modules[number.0].spec;
        let verbose = self.settings.verbosity == Verbosity::Verbose;
        if verbose && self.goal == Goal::Run && !self.forms.was_rebuilt(number) {
            let (by, gaps) = (spec.compiler.name(), spec.gaps.told());
            let told = format!("{}: compiled by {by}; {gaps}", spec.name);
            self.ledger.note(told);
        }
    }

    /// Tells that one compiler has failed on a module, and another is asked.
    fn tell_refused(
        &mut self,
        number: ModuleNumber,
        compiler: Compiler,
        other: Compiler,
        why: &Cause,
    ) {
        if self.settings.verbosity == Verbosity::Verbose {
            let name = &self.modules[number.0].spec.name;
            let (compiler, other) = (compiler.name(), other.name());
            let why = &why.message;
            let told = format!("{name}: not compiled by {compiler}, and so by {other}: {why}");
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

/// How many modules are compiled at once, and on how many threads in all.
pub(super) fn at_once() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What std says where there is no memory, or the end of its backtrace, of which one stays.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of ", "handle_alloc_error"];

/// Which limit a compiler passed that died without a word, if it was one.
fn limit_that_killed(end: &str, signal: Option<i32>, limits: CompileLimits) -> Option<Cause> {
    match signal {
        Some(libc::SIGXCPU) => Some(limits.too_slow()),
        Some(libc::SIGXFSZ) => Some(compile::too_large_to_keep()),
        Some(libc::SIGABRT) if OUT_OF_MEMORY.iter().any(|mark| end.contains(mark)) => {
            Some(limits.too_large())
        }
        _ => None,
    }
}
