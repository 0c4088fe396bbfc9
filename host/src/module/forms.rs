//! Which compiled form of each module is the best that is there now, and what to compile next.
//!
//! Takes the modules of a run with what is wanted of each, states to compile, and what became
//! of the jobs that it gave out; gives a module's [`Best`] form and the next job. One queue for
//! all that is compiled; it looks into the cache and starts nothing. Another compiler is a
//! variant of [`Compiler`] with its engine's settings, and a rule here of when its turn comes.

use super::cache::{ArtefactPart, Cache};
use crate::event::Format;
use crate::instrument::PassFacts;
use crate::protocol::{
    ArtefactForm, CompileJob, CompileJobs, CompileResult, Compiled, Compiler, ContentHash, Form,
    ModuleNumber, Passes, Rebuild, ReplaySpec, StateJob, StdGaps,
};
use std::collections::VecDeque;
use std::path::PathBuf;

/// What is said of a module whose form was found without what was learned when it was made.
pub const UNKNOWN: &str = "nothing is known of it";

impl Form {
    /// A module with its memory its own, as its fastest code.
    pub fn plain(std_gaps: StdGaps) -> Form {
        Form {
            compiler: Compiler::BEST_FIRST[0],
            passes: Passes {
                form: ArtefactForm::Plain,
                std_gaps,
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
}

/// A compiled form that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Best {
    /// Its file name in the cache folder.
    pub artefact: String,
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

/// What an answer of a compiler's is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was waited for.
    Expected,
    /// Nobody wants it any more.
    Stale,
    /// It is of what was not given to it.
    Unasked,
}

/// The compiled forms of a run's modules.
pub struct Forms {
    cache: Cache,
    std_gaps: StdGaps,
    modules: Vec<Module>,
    waiting: VecDeque<Waiting>,
    given: Vec<GivenJob>,
    jobs: u64,
}

struct Module {
    source: ModuleSource,
    wanted: ArtefactForm,
    /// The compilers whose forms of it are there.
    there: Vec<Compiler>,
    rebuild: Rebuild,
}

enum Waiting {
    /// With all others that wait like this.
    Module(ModuleNumber),
    /// In a compiler of its own, after all others.
    Alone(ModuleNumber),
    State(StateJob),
}

struct GivenJob {
    number: JobNumber,
    kind: GivenKind,
    /// What compiles its modules.
    compiler: Compiler,
    undone: Vec<Compiled>,
}

/// What compiles what has no form that is there yet: that which is ready soonest.
const FIRST: Compiler = Compiler::BEST_FIRST[0];

#[derive(Clone, Copy, PartialEq, Eq)]
enum GivenKind {
    Modules,
    State,
}

impl Forms {
    /// For a run that has this cache, and this become of what std lacks.
    pub fn new(cache: Cache, std_gaps: StdGaps) -> Forms {
        Forms {
            cache,
            std_gaps,
            modules: Vec::new(),
            waiting: VecDeque::new(),
            given: Vec::new(),
            jobs: 0,
        }
    }

    /// Adds the module that is next in number.
    pub fn add(&mut self, source: ModuleSource, wanted: ArtefactForm) {
        self.modules.push(Module {
            source,
            wanted,
            there: Vec::new(),
            rebuild: Rebuild::IfAbsent,
        });
    }

    fn form(&self, module: &Module, compiler: Compiler) -> Form {
        Form {
            compiler,
            passes: Passes {
                form: module.wanted,
                std_gaps: self.std_gaps,
            },
        }
    }

    /// Looks whether the cache has a form of a module that can be run.
    pub fn find(&mut self, module: ModuleNumber) -> bool {
        let known = &self.modules[module.0];
        let there = Compiler::BEST_FIRST.into_iter().filter(|compiler| {
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
            replay,
            why_plain,
        })
    }

    /// Has a module compiled, with all others of which this is said before the next job.
    pub fn want(&mut self, module: ModuleNumber) {
        self.waiting.push_back(Waiting::Module(module));
    }

    /// Has a module compiled once more, since a worker refused its form; `false` if that
    /// was done before.
    pub fn rebuild(&mut self, module: ModuleNumber) -> bool {
        if self.was_rebuilt(module) {
            return false;
        }
        self.modules[module.0].there.clear();
        self.modules[module.0].rebuild = Rebuild::Refused;
        self.waiting.push_back(Waiting::Alone(module));
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
    pub fn next_job(&mut self) -> Option<(JobNumber, CompileJobs)> {
        let mut job = CompileJobs {
            cache: self.cache.dir().to_owned(),
            jobs: Vec::new(),
            states: Vec::new(),
        };
        let is_state = |w: &Waiting| matches!(w, Waiting::State(_));
        let busy = |g: &GivenJob| g.kind == GivenKind::Modules;
        let (kind, undone) = if let Some(at) = self.waiting.iter().position(is_state) {
            // it has no code, and workers set up again what they could begin from
            let Some(Waiting::State(state)) = self.waiting.remove(at) else {
                return None;
            };
            let undone = vec![Compiled::State(state.number)];
            job.states.push(state);
            (GivenKind::State, undone)
        } else if self.given.iter().any(busy) {
            // the one that runs uses all processors
            return None;
        } else {
            let modules = self.next_modules();
            if modules.is_empty() {
                return None;
            }
            let jobs = modules.iter().map(|module| self.job(*module, FIRST));
            job.jobs = jobs.collect();
            let undone = modules.into_iter().map(Compiled::Module).collect();
            (GivenKind::Modules, undone)
        };
        self.jobs += 1;
        let number = JobNumber(self.jobs);
        self.given.push(GivenJob {
            number,
            kind,
            compiler: FIRST,
            undone,
        });
        Some((number, job))
    }

    /// Where no state waits.
    fn next_modules(&mut self) -> Vec<ModuleNumber> {
        let mut together = Vec::new();
        self.waiting.retain(|waiting| match waiting {
            Waiting::Module(module) => {
                together.push(*module);
                false
            }
            Waiting::Alone(_) | Waiting::State(_) => true,
        });
        if together.is_empty()
            && let Some(Waiting::Alone(module)) = self.waiting.pop_front()
        {
            together.push(module);
        }
        together
    }

    fn job(&self, number: ModuleNumber, compiler: Compiler) -> CompileJob {
        let module = &self.modules[number.0];
        CompileJob {
            module: number,
            file: module.source.file.clone(),
            content: module.source.content,
            format: module.source.format,
            form: self.form(module, compiler),
            rebuild: module.rebuild,
        }
    }

    /// A compiler is done with something.
    pub fn answered(&mut self, job: JobNumber, result: &CompileResult) -> Answer {
        let Some(given) = self.given.iter_mut().find(|g| g.number == job) else {
            return Answer::Stale;
        };
        let Some(at) = given.undone.iter().position(|of| *of == result.of) else {
            return Answer::Unasked;
        };
        given.undone.swap_remove(at);
        if let (Compiled::Module(module), Ok(())) = (result.of, &result.result) {
            self.modules[module.0].there.push(given.compiler);
        }
        Answer::Expected
    }

    /// A compiler has ended. Gives what it died on, if that is known; where it can have been
    /// one of several, each will be compiled alone, so that the one that kills it is found
    /// and the others still run.
    pub fn ended(&mut self, job: JobNumber) -> Option<Compiled> {
        let at = self.given.iter().position(|g| g.number == job)?;
        let given = self.given.swap_remove(at);
        if let [alone] = given.undone.as_slice() {
            return Some(*alone);
        }
        let modules = given.undone.into_iter().filter_map(|of| match of {
            Compiled::Module(module) => Some(Waiting::Alone(module)),
            Compiled::State(_) => None,
        });
        self.waiting.extend(modules);
        None
    }

    /// How many modules are still to be compiled.
    pub fn modules_left(&self) -> usize {
        let is_module = |of: &&Compiled| matches!(of, Compiled::Module(_));
        let given = self.given.iter().flat_map(|g| &g.undone);
        let is_waiting = |w: &&Waiting| !matches!(w, Waiting::State(_));
        given.filter(is_module).count() + self.waiting.iter().filter(is_waiting).count()
    }

    /// No module is wanted any more; gives the jobs that are done in vain.
    pub fn forget_modules(&mut self) -> Vec<JobNumber> {
        self.waiting.retain(|w| matches!(w, Waiting::State(_)));
        self.forget(|given| given.kind == GivenKind::Modules)
    }

    /// No state is wanted any more; gives the jobs that are done in vain.
    pub fn forget_states(&mut self) -> Vec<JobNumber> {
        self.waiting.retain(|w| !matches!(w, Waiting::State(_)));
        self.forget(|given| given.kind == GivenKind::State && !given.undone.is_empty())
    }

    fn forget(&mut self, which: impl Fn(&GivenJob) -> bool) -> Vec<JobNumber> {
        let forgotten = self.given.extract_if(.., |given| which(given));
        forgotten.map(|given| given.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::SnapshotNumber;

    const M: [ModuleNumber; 3] = [ModuleNumber(0), ModuleNumber(1), ModuleNumber(2)];

    fn forms() -> (tempfile::TempDir, Forms) {
        let root = tempfile::tempdir().expect("a folder");
        let cache = Cache::open(root.path()).expect("a private folder");
        let mut forms = Forms::new(cache, StdGaps::Left);
        for module in M {
            let source = ModuleSource {
                file: PathBuf::from(format!("{}.wasm", module.0)),
                content: ContentHash::of(&[module.0 as u8]),
                format: Format::Core,
            };
            forms.add(source, ArtefactForm::Plain);
        }
        (root, forms)
    }

    fn state(number: usize) -> StateJob {
        StateJob {
            number: SnapshotNumber(number),
            state: "s.state".to_owned(),
            artefact: "s.cwasm".to_owned(),
        }
    }

    fn compiled(module: ModuleNumber) -> CompileResult {
        CompileResult {
            of: Compiled::Module(module),
            result: Ok(()),
        }
    }

    fn modules(jobs: &CompileJobs) -> Vec<ModuleNumber> {
        jobs.jobs.iter().map(|job| job.module).collect()
    }

    #[test]
    fn what_is_compiled_is_the_best_there_is_and_nothing_is_before() {
        let (_root, mut forms) = forms();
        assert!(!forms.find(M[0]));
        assert_eq!(forms.best(M[0]), None);
        forms.want(M[0]);
        let (job, jobs) = forms.next_job().expect("there is something to do");
        assert_eq!(modules(&jobs), [M[0]]);
        assert_eq!(jobs.jobs[0].rebuild, Rebuild::IfAbsent);
        assert!(forms.next_job().is_none());
        assert_eq!(forms.modules_left(), 1);
        assert_eq!(forms.answered(job, &compiled(M[0])), Answer::Expected);
        assert_eq!(forms.modules_left(), 0);
        let best = forms.best(M[0]).expect("it was compiled");
        assert_eq!((best.replay, best.why_plain), (None, None));
        assert_eq!(forms.answered(job, &compiled(M[0])), Answer::Unasked);
        assert_eq!(forms.ended(job), None);
        assert_eq!(forms.answered(job, &compiled(M[0])), Answer::Stale);
    }

    #[test]
    fn of_modules_on_which_a_compiler_dies_each_is_tried_alone() {
        let (_root, mut forms) = forms();
        for module in M {
            forms.want(module);
        }
        let (job, jobs) = forms.next_job().expect("there is something to do");
        assert_eq!(modules(&jobs), M);
        assert_eq!(forms.answered(job, &compiled(M[1])), Answer::Expected);
        assert_eq!(forms.ended(job), None);
        assert_eq!(forms.modules_left(), 2);
        let (first, jobs) = forms.next_job().expect("two are left");
        assert_eq!(modules(&jobs).len(), 1);
        assert!(forms.next_job().is_none());
        let died = forms.ended(first).expect("it was alone");
        assert_eq!(died, Compiled::Module(jobs.jobs[0].module));
        let (_, jobs) = forms.next_job().expect("one is left");
        assert_ne!(died, Compiled::Module(jobs.jobs[0].module));
    }

    #[test]
    fn a_state_waits_for_no_module_and_goes_down_alone() {
        let (_root, mut forms) = forms();
        forms.want(M[0]);
        let (module, _) = forms.next_job().expect("there is something to do");
        forms.want_state(state(0));
        forms.want_state(state(1));
        let (first, jobs) = forms.next_job().expect("states do not wait");
        assert_eq!(jobs.states, [state(0)]);
        let (second, _) = forms.next_job().expect("nor for each other");
        let died = Some(Compiled::State(SnapshotNumber(0)));
        assert_eq!(forms.ended(first), died);
        assert!(forms.next_job().is_none());
        // a run that stops compiles no more modules, and at its end no more states
        assert_eq!(forms.forget_modules(), [module]);
        assert_eq!(forms.answered(module, &compiled(M[0])), Answer::Stale);
        assert_eq!(forms.forget_states(), [second]);
        assert_eq!(forms.ended(second), None);
    }

    #[test]
    fn a_refused_form_is_made_again_once() {
        let (_root, mut forms) = forms();
        forms.want(M[2]);
        let (job, _) = forms.next_job().expect("there is something to do");
        forms.answered(job, &compiled(M[2]));
        forms.ended(job);
        assert!(forms.rebuild(M[2]));
        assert_eq!(forms.best(M[2]), None);
        let (job, jobs) = forms.next_job().expect("it is made again");
        assert_eq!(jobs.jobs[0].rebuild, Rebuild::Refused);
        forms.answered(job, &compiled(M[2]));
        assert!(forms.best(M[2]).is_some() && forms.was_rebuilt(M[2]));
        assert!(!forms.rebuild(M[2]));
    }
}
