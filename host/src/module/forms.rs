//! Which compiled form of each module is the best that is there now, and what to compile next.
//!
//! Takes the modules of a run with what is wanted of each, states to compile, and what became
//! of the jobs that it gave out; gives a module's [`Best`] form and the next job. One queue for
//! all that is compiled; it looks into the cache and starts nothing. What is waited for comes
//! before what is compiled once more, by the best compiler, while tests run already.

use super::cache::{ArtefactPart, Cache};
use crate::event::Format;
use crate::instrument::PassFacts;
use crate::protocol::{
    ArtefactForm, CompileSource, Compiled, Compiler, Compilers, ContentHash, DirectCalls, Form,
    ModuleJob, ModuleNumber, Passes, ReplaySpec, StateJob, StdGaps,
};
use std::collections::VecDeque;
use std::path::PathBuf;

/// What is said of a module whose form was found without what was learned when it was made.
pub const UNKNOWN: &str = "nothing is known of it";

impl Form {
    /// A module with its memory its own, as its fastest code.
    pub fn plain(std_gaps: StdGaps) -> Form {
        Form {
            compiler: Compiler::BEST,
            passes: Passes {
                form: ArtefactForm::Plain,
                std_gaps,
                direct: DirectCalls::Left,
            },
        }
    }

    /// Whether the cache has all of it.
    pub fn is_there(self, cache: &Cache, content: ContentHash) -> bool {
        let has = |part| {
            let name = Cache::artefact_name(content, self, part);
            let facts = part == ArtefactPart::InitialMemory || cache.pass_facts(&name).is_some();
            facts && cache.has_artefact(&name)
        };
        match self.passes.form {
            ArtefactForm::Plain => has(ArtefactPart::Plain),
            ArtefactForm::Replayable => match cache.rewrite_facts(content) {
                None => false,
                Some(Ok(_)) => has(ArtefactPart::Rewritten) && has(ArtefactPart::InitialMemory),
                Some(Err(_)) => has(ArtefactPart::Plain),
            },
        }
    }
}

/// What is compiled: a module's file, as it was read.
#[derive(Clone, Debug)]
pub struct ModuleSource {
    pub file: PathBuf,
    /// What it held.
    pub content: ContentHash,
    pub format: Format,
    /// How long it was, in bytes.
    pub size: u64,
}

/// A compiled form that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Best {
    /// Its file name in the cache folder.
    pub artefact: String,
    /// What compiled it.
    pub compiler: Compiler,
    /// What its passes told, if that is there still.
    pub facts: Option<PassFacts>,
    /// What it takes to replay its states, if that can be.
    pub replay: Option<ReplaySpec>,
    /// Why it cannot, if it should.
    pub why_plain: Option<String>,
}

/// A job that was given out: for one compiler process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobNumber(u64);

/// What came of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// The cache has all of it.
    Whole,
    Nothing,
}

/// Whether somebody waits for what is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// There is no form yet.
    Awaited,
    /// There is one; this will be better.
    Background,
}

/// A job that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoneJob {
    pub of: Compiled,
    /// What compiled it, or did not.
    pub compiler: Compiler,
    pub urgency: Urgency,
}

/// The compiled forms of a run's modules.
pub struct Forms {
    cache: Cache,
    std_gaps: StdGaps,
    compilers: Compilers,
    /// How many modules are compiled at once, and on how many threads in all.
    at_once: usize,
    modules: Vec<Module>,
    waiting: VecDeque<Waiting>,
    given: Vec<GivenJob>,
    jobs: u64,
}

struct Module {
    source: ModuleSource,
    wanted: ArtefactForm,
    direct: DirectCalls,
    /// The compilers whose forms of it are there.
    there: Vec<Compiler>,
    /// Those that have failed on it.
    failed: Vec<Compiler>,
    rebuild: Rebuild,
    better: Better,
}

/// What became of a form of the best compiler's, where tests began with another's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Unwanted,
    OnItsWay,
    /// It is there, or will never be.
    Settled,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rebuild {
    /// Not if it fits: another process may have made it by now.
    IfAbsent,
    /// A worker refused it.
    Refused,
}

enum Waiting {
    Module(ModuleNumber, Compiler, Urgency),
    State(StateJob),
}

struct GivenJob {
    number: JobNumber,
    done: DoneJob,
}

/// A job that is given out.
#[derive(Clone, Debug)]
pub struct NextJob {
    pub number: JobNumber,
    /// How many threads it may take.
    pub threads: usize,
    pub urgency: Urgency,
    pub source: CompileSource,
}

impl Forms {
    /// For a run that has this cache, this become of what std lacks, these compilers, and so
    /// many modules compiled at once.
    pub fn new(cache: Cache, std_gaps: StdGaps, compilers: Compilers, at_once: usize) -> Forms {
        Forms {
            cache,
            std_gaps,
            compilers,
            at_once,
            modules: Vec::new(),
            waiting: VecDeque::new(),
            given: Vec::new(),
            jobs: 0,
        }
    }

    /// Adds the module that is next in number.
    pub fn add(&mut self, source: ModuleSource, wanted: ArtefactForm, direct: DirectCalls) {
        self.modules.push(Module {
            source,
            wanted,
            direct,
            there: Vec::new(),
            failed: Vec::new(),
            rebuild: Rebuild::IfAbsent,
            better: Better::Unwanted,
        });
    }

    fn form(&self, module: &Module, compiler: Compiler) -> Form {
        Form {
            compiler,
            passes: Passes {
                form: module.wanted,
                std_gaps: self.std_gaps,
                direct: module.direct,
            },
        }
    }

    /// Looks whether the cache has a form of a module that can be run.
    pub fn find(&mut self, module: ModuleNumber) -> bool {
        let known = &self.modules[module.0];
        let allowed = Compiler::BEST_FIRST.into_iter();
        let allowed = allowed.filter(|compiler| self.compilers.may_use(*compiler));
        let there = allowed.filter(|compiler| {
            let form = self.form(known, *compiler);
            form.is_there(&self.cache, known.source.content)
        });
        let there: Vec<Compiler> = there.collect();
        let found = !there.is_empty();
        self.modules[module.0].there = there;
        found
    }

    /// The best form of a module that is there now.
    pub fn best(&self, module: ModuleNumber) -> Option<Best> {
        let module = &self.modules[module.0];
        let mut compilers = Compiler::BEST_FIRST.into_iter();
        let compiler = compilers.find(|compiler| module.there.contains(compiler))?;
        let form = self.form(module, compiler);
        let content = module.source.content;
        let name = |part| Cache::artefact_name(content, form, part);
        let mut part = ArtefactPart::Plain;
        let (mut replay, mut why_plain) = (None, None);
        if module.wanted == ArtefactForm::Replayable {
            match self.cache.rewrite_facts(content) {
                Some(Ok(facts)) => {
                    part = ArtefactPart::Rewritten;
                    let initial_memory = name(ArtefactPart::InitialMemory);
                    replay = Some(ReplaySpec {
                        initial_memory,
                        facts,
                    });
                }
                Some(Err(why)) => why_plain = Some(why),
                None => why_plain = Some(UNKNOWN.to_owned()),
            }
        }
        let artefact = name(part);
        Some(Best {
            facts: self.cache.pass_facts(&artefact),
            artefact,
            compiler,
            replay,
            why_plain,
        })
    }

    /// Has a module compiled that has no form, after those of which this was said before.
    pub fn want(&mut self, module: ModuleNumber) {
        self.want_by(module, self.compilers.first(), Urgency::Awaited);
    }

    fn want_by(&mut self, module: ModuleNumber, compiler: Compiler, urgency: Urgency) {
        self.waiting
            .push_back(Waiting::Module(module, compiler, urgency));
    }

    /// Has a module compiled by a compiler that has not failed on it; gives which, if one is left.
    pub fn want_of_another(&mut self, module: ModuleNumber) -> Option<Compiler> {
        let failed = &self.modules[module.0].failed;
        let soonest_first = Compiler::BEST_FIRST.into_iter().rev();
        let is_left = |c: &Compiler| {
            // the best takes what another that was asked for refuses
            let allowed = self.compilers.may_use(*c) || *c == Compiler::BEST;
            allowed && !failed.contains(c)
        };
        let mut left = soonest_first.filter(is_left);
        let other = left.next()?;
        self.want_by(module, other, Urgency::Awaited);
        Some(other)
    }

    /// Whether a module's code could be faster than it is.
    pub fn can_be_better(&self, module: ModuleNumber) -> bool {
        let module = &self.modules[module.0];
        module.better == Better::Unwanted
            && self.compilers.may_use(Compiler::BEST)
            && !module.there.is_empty()
            && !module.there.contains(&Compiler::BEST)
            && !module.failed.contains(&Compiler::BEST)
    }

    /// Has a module compiled once more by the best compiler, while its tests run.
    pub fn want_better(&mut self, module: ModuleNumber) {
        self.modules[module.0].better = Better::OnItsWay;
        self.want_by(module, Compiler::BEST, Urgency::Background);
    }

    /// Whether that is under way.
    pub fn is_better_on_its_way(&self, module: ModuleNumber) -> bool {
        self.modules[module.0].better == Better::OnItsWay
    }

    /// How long a module's file is, in bytes.
    pub fn size(&self, module: ModuleNumber) -> u64 {
        self.modules[module.0].source.size
    }

    /// Has a module compiled once more, since a worker refused its form; `false` if that
    /// was done before.
    pub fn rebuild(&mut self, module: ModuleNumber) -> bool {
        if self.was_rebuilt(module) {
            return false;
        }
        self.modules[module.0].there.clear();
        self.modules[module.0].rebuild = Rebuild::Refused;
        self.want(module);
        true
    }

    /// Whether a worker has refused a module's form before.
    pub fn was_rebuilt(&self, module: ModuleNumber) -> bool {
        self.modules[module.0].rebuild == Rebuild::Refused
    }

    /// Has a state compiled.
    pub fn want_state(&mut self, job: StateJob) {
        self.waiting.push_back(Waiting::State(job));
    }

    /// What is to be compiled next, in a process of its own beside those that run.
    pub fn next_job(&mut self) -> Option<NextJob> {
        let at = self.next_waiting()?;
        let waiting = self.waiting.remove(at)?;
        let (threads, urgency, compiler, source) = match waiting {
            Waiting::State(state) => {
                let compiler = state.compiler;
                let source = CompileSource::State(state);
                (1, Urgency::Awaited, compiler, source)
            }
            Waiting::Module(module, compiler, urgency) => {
                let threads = match urgency {
                    Urgency::Awaited => self.threads(module),
                    Urgency::Background => self.at_once,
                };
                let source = CompileSource::Module(self.job(module, compiler));
                (threads, urgency, compiler, source)
            }
        };
        self.jobs += 1;
        let number = JobNumber(self.jobs);
        self.given.push(GivenJob {
            number,
            done: DoneJob {
                of: source.of(),
                compiler,
                urgency,
            },
        });
        Some(NextJob {
            number,
            threads,
            urgency,
            source,
        })
    }

    /// The place of what is next among what waits.
    fn next_waiting(&self) -> Option<usize> {
        let is_state = |w: &Waiting| matches!(w, Waiting::State(_));
        let is_of = |w: &Waiting, urgency| matches!(w, Waiting::Module(.., u) if *u == urgency);
        // a state has no code, and workers set up again what they could begin from
        let state = self.waiting.iter().position(is_state);
        if state.is_some() && self.given_of(|job| is_state_of(job.of)) < self.at_once {
            return state;
        }
        let awaits = |w: &Waiting| is_of(w, Urgency::Awaited);
        let awaited = self.waiting.iter().position(awaits);
        let given = self.given_of(|job| is_module_of(job.of) && job.urgency == Urgency::Awaited);
        if awaited.is_some() {
            return awaited.filter(|_| given < self.at_once);
        }
        // one has all threads, which the tests leave to it
        let background = |w: &Waiting| is_of(w, Urgency::Background);
        let next = self.waiting.iter().position(background)?;
        let given = self.given_of(|job| is_module_of(job.of));
        (given == 0).then_some(next)
    }

    fn given_of(&self, which: impl Fn(DoneJob) -> bool) -> usize {
        self.given.iter().filter(|g| which(g.done)).count()
    }

    /// A module's share of all threads, by its size among all that is still waited for: so
    /// there are about as many as fit, and one that is large does not come last on one alone.
    fn threads(&self, module: ModuleNumber) -> usize {
        let size = |module: ModuleNumber| u128::from(self.modules[module.0].source.size).max(1);
        let waiting = self.waiting.iter().filter_map(|waiting| match waiting {
            Waiting::Module(module, _, Urgency::Awaited) => Some(*module),
            Waiting::Module(.., Urgency::Background) | Waiting::State(_) => None,
        });
        let given =
            self.given
                .iter()
                .filter_map(|given| match (given.done.of, given.done.urgency) {
                    (Compiled::Module(module), Urgency::Awaited) => Some(module),
                    (Compiled::Module(_), Urgency::Background) | (Compiled::State(_), _) => None,
                });
        let own = size(module);
        let all = waiting.chain(given).map(size).sum::<u128>() + own;
        let share = (own * self.at_once as u128).div_ceil(all);
        usize::try_from(share).unwrap_or(1).clamp(1, self.at_once)
    }

    fn job(&self, number: ModuleNumber, compiler: Compiler) -> ModuleJob {
        let module = &self.modules[number.0];
        ModuleJob {
            module: number,
            file: module.source.file.clone(),
            content: module.source.content,
            format: module.source.format,
            form: self.form(module, compiler),
        }
    }

    /// Whether another run has made by now what this job is to make.
    pub fn is_made(&self, job: &ModuleJob) -> bool {
        !self.was_rebuilt(job.module) && job.form.is_there(&self.cache, job.content)
    }

    /// A job is over; gives what it was of, if that is still wanted.
    pub fn done(&mut self, job: JobNumber, made: Made) -> Option<DoneJob> {
        let at = self.given.iter().position(|g| g.number == job)?;
        let done = self.given.swap_remove(at).done;
        if let Compiled::Module(module) = done.of {
            let module = &mut self.modules[module.0];
            match made {
                Made::Whole => module.there.push(done.compiler),
                Made::Nothing => module.failed.push(done.compiler),
            }
            if done.urgency == Urgency::Background {
                module.better = Better::Settled;
            }
        }
        Some(done)
    }

    /// How many modules that have no form yet are still to be compiled.
    pub fn modules_left(&self) -> usize {
        let waits = |w: &&Waiting| matches!(w, Waiting::Module(.., Urgency::Awaited));
        let given = |job: DoneJob| is_module_of(job.of) && job.urgency == Urgency::Awaited;
        self.given_of(given) + self.waiting.iter().filter(waits).count()
    }

    /// No module is wanted any more; gives the jobs that are done in vain.
    pub fn forget_modules(&mut self) -> Vec<JobNumber> {
        self.waiting.retain(|w| matches!(w, Waiting::State(_)));
        self.forget(is_module_of)
    }

    /// No state is wanted any more; gives the jobs that are done in vain.
    pub fn forget_states(&mut self) -> Vec<JobNumber> {
        self.waiting.retain(|w| matches!(w, Waiting::Module(..)));
        self.forget(is_state_of)
    }

    fn forget(&mut self, which: fn(Compiled) -> bool) -> Vec<JobNumber> {
        let forgotten = self.given.extract_if(.., |given| which(given.done.of));
        forgotten.map(|given| given.number).collect()
    }
}

fn is_module_of(of: Compiled) -> bool {
    matches!(of, Compiled::Module(_))
}

fn is_state_of(of: Compiled) -> bool {
    matches!(of, Compiled::State(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SnapshotNumber;

    const M: [ModuleNumber; 3] = [ModuleNumber(0), ModuleNumber(1), ModuleNumber(2)];

    /// Three modules, of which each is as large as all before it and a bit, on two processors.
    fn forms() -> (tempfile::TempDir, Forms) {
        let root = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(root.path()).expect("a private folder");
        let mut forms = Forms::new(cache, StdGaps::Left, Compilers::Auto, 2);
        for module in M {
            let source = ModuleSource {
                file: PathBuf::from(format!("{}.wasm", module.0)),
                content: ContentHash::of(&[module.0 as u8]),
                format: Format::Core,
                size: 10 << module.0,
            };
            forms.add(source, ArtefactForm::Plain, DirectCalls::Left);
        }
        (root, forms)
    }

    fn state(number: usize) -> StateJob {
        StateJob {
            number: SnapshotNumber(number),
            compiler: Compiler::Winch,
            state: "s.state".into(),
        }
    }

    fn next(forms: &mut Forms) -> NextJob {
        forms.next_job().expect("there is something to do")
    }

    #[test]
    fn what_is_compiled_is_the_best_there_is_and_nothing_is_before() {
        let (_root, mut forms) = forms();
        assert!(!forms.find(M[0]));
        assert_eq!(forms.best(M[0]), None);
        forms.want(M[0]);
        let job = next(&mut forms);
        assert_eq!(job.source.of(), Compiled::Module(M[0]));
        assert!(forms.next_job().is_none());
        assert_eq!(forms.modules_left(), 1);
        let done = forms.done(job.number, Made::Whole);
        assert_eq!(done.map(|done| done.of), Some(Compiled::Module(M[0])));
        assert_eq!(forms.modules_left(), 0);
        let best = forms.best(M[0]).expect("it was compiled");
        assert_eq!((best.replay, best.why_plain), (None, None));
        assert_eq!(forms.done(job.number, Made::Whole), None);
    }

    #[test]
    fn as_many_are_compiled_at_once_as_there_are_processors_and_one_that_fails_is_alone() {
        let (_root, mut forms) = forms();
        for module in M {
            forms.want(module);
        }
        let (first, second) = (next(&mut forms), next(&mut forms));
        assert!(forms.next_job().is_none());
        // of all that is left the large one has the larger share
        assert_eq!((first.threads, second.threads), (1, 1));
        let done = forms.done(first.number, Made::Nothing);
        assert_eq!(done.map(|done| done.of), Some(Compiled::Module(M[0])));
        assert_eq!(forms.best(M[0]), None);
        let third = next(&mut forms);
        assert_eq!(
            (third.source.of(), third.threads),
            (Compiled::Module(M[2]), 2)
        );
        assert_eq!(forms.modules_left(), 2);
        for job in [second, third] {
            forms.done(job.number, Made::Whole);
        }
        assert!(forms.best(M[1]).is_some() && forms.best(M[2]).is_some());
    }

    #[test]
    fn a_state_waits_for_no_module_and_goes_down_alone() {
        let (_root, mut forms) = forms();
        for module in M {
            forms.want(module);
        }
        let modules = [next(&mut forms).number, next(&mut forms).number];
        forms.want_state(state(0));
        forms.want_state(state(1));
        let first = next(&mut forms);
        let of = Compiled::State(SnapshotNumber(0));
        assert_eq!(first.source.of(), of);
        let second = next(&mut forms);
        let done = forms.done(first.number, Made::Nothing);
        assert_eq!(done.map(|done| done.of), Some(of));
        assert!(forms.next_job().is_none());
        // a run that stops compiles no more modules, and at its end no more states
        assert_eq!(forms.forget_modules(), modules);
        assert_eq!(forms.done(modules[0], Made::Whole), None);
        assert_eq!(forms.forget_states(), [second.number]);
        assert_eq!(forms.done(second.number, Made::Whole), None);
    }

    fn compiler(job: &NextJob) -> Compiler {
        match &job.source {
            CompileSource::Module(module) => module.form.compiler,
            CompileSource::State(state) => state.compiler,
        }
    }

    #[test]
    fn a_better_form_is_made_when_nothing_is_waited_for_and_used_once_it_is_there() {
        let (_root, mut forms) = forms();
        let first = Compilers::Auto.first();
        for module in [M[0], M[1]] {
            forms.want(module);
        }
        let (one, other) = (next(&mut forms), next(&mut forms));
        assert_eq!((compiler(&one), compiler(&other)), (first, first));
        assert!(!forms.can_be_better(M[0]));
        forms.done(one.number, Made::Whole);
        if first == Compiler::BEST {
            return assert!(!forms.can_be_better(M[0]));
        }
        assert!(forms.can_be_better(M[0]));
        forms.want_better(M[0]);
        assert!(!forms.can_be_better(M[0]) && forms.is_better_on_its_way(M[0]));
        // the other module has no form at all yet
        assert_eq!(forms.modules_left(), 1);
        assert!(forms.next_job().is_none());
        forms.done(other.number, Made::Whole);
        let better = next(&mut forms);
        assert_eq!(compiler(&better), Compiler::BEST);
        assert_eq!((better.urgency, better.threads), (Urgency::Background, 2));
        assert_eq!(forms.modules_left(), 0);
        assert_eq!(forms.best(M[0]).map(|best| best.compiler), Some(first));
        forms.done(better.number, Made::Whole);
        let best = forms.best(M[0]).map(|best| best.compiler);
        assert_eq!(best, Some(Compiler::BEST));
        assert!(!forms.is_better_on_its_way(M[0]));
    }

    #[test]
    fn what_one_compiler_fails_on_another_compiles() {
        let (_root, mut forms) = forms();
        forms.want(M[0]);
        let mut tried = Vec::new();
        loop {
            let job = next(&mut forms);
            tried.push(compiler(&job));
            forms.done(job.number, Made::Nothing);
            if forms.want_of_another(M[0]).is_none() {
                break;
            }
        }
        assert_eq!(tried.last(), Some(&Compiler::BEST));
        assert!(forms.next_job().is_none());
        assert!(!forms.can_be_better(M[0]));
    }

    #[test]
    fn a_refused_form_is_made_again_once() {
        let (_root, mut forms) = forms();
        forms.want(M[2]);
        let job = next(&mut forms);
        forms.done(job.number, Made::Whole);
        assert!(forms.rebuild(M[2]));
        assert_eq!(forms.best(M[2]), None);
        let job = next(&mut forms);
        forms.done(job.number, Made::Whole);
        assert!(forms.best(M[2]).is_some() && forms.was_rebuilt(M[2]));
        assert!(!forms.rebuild(M[2]));
    }
}
