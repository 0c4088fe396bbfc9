//! A module's way from file to plan: compiled, listed, planned.
//!
//! The compiler process is started for what the cache does not have. Should it
//! die, what it left undone is tried again one module at a time, so that the
//! one that kills it is found and the others still run.

use super::discover::{self, Discovered};
use super::peer::{Peer, Role};
use super::{Goal, Happened, Run};
use crate::event::{
    Captured, Cause, Event, ModuleError, Outcome, SuiteFailure, SuitePart, TestOutput,
};
use crate::harness::sdk::{self, HostNeeds};
use crate::instrument::OffsetMap;
use crate::instrument::gaps::{self, Gaps};
use crate::module::cache::{Cache, Compiler, Part};
use crate::module::compile;
use crate::plan::tree::WHOLE;
use crate::plan::{Action, PlannedModule, PlannedTask, PlannedTest, Splitting, plan_module};
use crate::protocol::{
    CompileJob, CompileJobs, CompileResult, Compiled, Form, Found, Holds, ListedTest, Listing,
    LoadError, ModuleNumber, ModuleSpec, ReplaySpec, StdGaps,
};
use crate::settings::{Processes, Silence, Snapshots, Verbosity};
use crate::text::shell_quote;
use std::collections::VecDeque;
use std::sync::Arc;

/// A module of the run.
pub(super) struct Module {
    file: discover::Module,
    pub(super) spec: ModuleSpec,
    planned: PlannedModule,
    /// Why there are no snapshots of it, if it could not be rewritten.
    pub(super) why_plain: Option<String>,
    has_fixtures: bool,
    /// What tests of its that are libtest's ask of the host.
    pub(super) host_needs: HostNeeds,
    phase: Phase,
    /// Its tests, while it is being compiled a second time.
    pub(super) held: Vec<PlannedTask>,
    compiled_again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Compiling,
    /// Compiled; its list is asked for.
    Listing,
    Ready,
    /// As ready, but its compiled form was refused.
    CompilingAgain,
    Failed,
}

impl Module {
    /// What it is compiled into: where there are fixtures, states are worth keeping.
    fn form(&self) -> Form {
        match self.has_fixtures {
            true => Form::Replayable,
            false => Form::Plain,
        }
    }

    /// Whether nothing more will be learned of it.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Failed)
    }

    /// Whether its tests are known.
    pub(super) fn is_listed(&self) -> bool {
        !matches!(self.phase, Phase::Compiling | Phase::Listing)
    }
}

/// The compiler and what it has to do.
#[derive(Default)]
pub(super) struct Compiling {
    peer: Option<Peer>,
    life: u64,
    /// Given to the compiler that runs.
    given: Vec<ModuleNumber>,
    /// For compilers to come, one at a time.
    waiting: VecDeque<ModuleNumber>,
    done: usize,
    said: bool,
}

impl Compiling {
    /// Ends the compiler: nothing that it makes is wanted any more.
    pub(super) fn stop(&mut self) {
        self.given.clear();
        self.waiting.clear();
        self.life += 1;
        if let Some(mut peer) = self.peer.take() {
            peer.kill();
        }
    }
}

/// What is said of a module whose form was found without what was learned when it was made.
const UNKNOWN: &str = "nothing is known of it";

impl Run<'_> {
    /// Finds the modules and sets each on its way.
    pub(super) fn discover(&mut self) {
        let Discovered {
            modules,
            unusable,
            notes,
            details,
        } = discover::discover(&self.settings.selection);
        for note in notes {
            self.ledger.note(note);
        }
        if self.settings.verbosity == Verbosity::Verbose {
            for detail in details {
                self.ledger.note(detail);
            }
        }
        for file in unusable {
            self.ledger.module_failed(ModuleError {
                module: file.name.into(),
                file: Some(file.file.display().to_string()),
                order: file.order,
                what: "cannot be loaded",
                cause: file.cause,
                output: TestOutput::default(),
            });
        }
        for file in modules {
            self.add_module(file);
        }
        let to_compile: Vec<ModuleNumber> = self
            .modules
            .iter()
            .filter(|m| self.has_to_be_compiled(m))
            .map(|m| m.spec.number)
            .collect();
        for i in 0..self.modules.len() {
            let number = ModuleNumber(i);
            if !to_compile.contains(&number) {
                self.settle_form(number);
                self.ready_to_list(number);
            }
        }
        if !to_compile.is_empty() {
            self.ledger.say(&Event::Compiling {
                left: to_compile.len(),
            });
            self.compile(to_compile);
        }
        self.check_max_fail();
    }

    /// Whether a compiled form is needed and not there: not for a list that the
    /// file itself holds.
    fn has_to_be_compiled(&self, module: &Module) -> bool {
        let listed = module.file.harness.is_none() && self.goal == Goal::List;
        !listed
            && !compile::is_compiled(
                &self.cache,
                module.file.content,
                module.form(),
                self.settings.std_gaps,
            )
    }

    /// Which of a module's compiled forms is used, now that they are there.
    fn settle_form(&mut self, number: ModuleNumber) {
        let module = &mut self.modules[number.0];
        let content = module.file.content;
        let std_gaps = self.settings.std_gaps;
        let name = |part| Cache::artefact_name(content, Compiler::Cranelift, part, std_gaps);
        if module.form() == Form::Replayable {
            match self.cache.rewrite_facts(content) {
                Some(Ok(facts)) => {
                    module.spec.artefact = name(Part::Rewritten);
                    module.spec.replay = Some(ReplaySpec {
                        pristine: name(Part::Pristine),
                        facts,
                    });
                }
                Some(Err(why)) => module.why_plain = Some(why),
                None => module.why_plain = Some(UNKNOWN.to_owned()),
            }
        }
        if let Some(facts) = self.cache.pass_facts(&module.spec.artefact) {
            module.spec.offsets = facts.offsets;
            module.spec.gaps = facts.gaps;
        }
        let verbose = self.settings.verbosity == Verbosity::Verbose;
        if verbose && self.goal == Goal::Run && !module.compiled_again {
            let told = format!("{}: {}", module.spec.name, module.spec.gaps.told());
            self.ledger.note(told);
        }
    }

    fn add_module(&mut self, file: discover::Module) {
        let number = ModuleNumber(self.modules.len());
        let named = file.named.map(|at| &self.settings.selection.files[at]);
        let again = match named {
            Some(named) => named.again.clone(),
            None => format!(
                "wasmtest run {}{}",
                shell_quote(&file.file.display().to_string()),
                self.settings.again
            ),
        };
        self.modules.push(Module {
            spec: ModuleSpec {
                number,
                name: file.name.clone(),
                file: file.file.clone(),
                content: file.content,
                format: file.format,
                harness: file.harness.unwrap_or(sdk::NAME),
                grants: named.map(|n| n.grants.clone()).unwrap_or_default(),
                unknown_imports: named.map_or(self.settings.unknown_imports, |n| n.unknown_imports),
                artefact: Cache::artefact_name(
                    file.content,
                    Compiler::Cranelift,
                    Part::Plain,
                    self.settings.std_gaps,
                ),
                offsets: OffsetMap::default(),
                gaps: Gaps::left(match self.settings.std_gaps {
                    StdGaps::Left => gaps::NOT_WANTED,
                    StdGaps::Filled => UNKNOWN,
                }),
                replay: None,
            },
            planned: PlannedModule {
                number,
                name: Arc::from(file.name.as_str()),
                order: file.order,
                format: file.format,
                again: again.into(),
                splitting: match self.settings.processes {
                    Processes::Primary => Splitting::Whole,
                    Processes::Workers(_) => Splitting::Singly,
                },
            },
            why_plain: None,
            host_needs: HostNeeds::default(),
            has_fixtures: !file.sdk.furniture.functions.is_empty(),
            phase: Phase::Compiling,
            held: Vec::new(),
            compiled_again: false,
            file,
        });
    }

    fn compile(&mut self, modules: Vec<ModuleNumber>) {
        let jobs = CompileJobs {
            cache: self.cache.dir().to_owned(),
            jobs: modules
                .iter()
                .map(|number| {
                    let form = self.modules[number.0].form();
                    let file = &self.modules[number.0].file;
                    CompileJob {
                        form,
                        std_gaps: self.settings.std_gaps,
                        module: *number,
                        file: file.file.clone(),
                        content: file.content,
                        format: file.format,
                        found: match self.modules[number.0].compiled_again {
                            true => Found::Refused,
                            false => Found::Nothing,
                        },
                    }
                })
                .collect(),
            states: Vec::new(),
        };
        self.compiler.life += 1;
        self.compiler.given = modules;
        let (life, tx) = (self.compiler.life, self.tx.clone());
        let started = Peer::start::<CompileResult>(Role::Compiler, self.home, move |messages| {
            let _ = tx.send(match messages {
                Some(results) => Happened::Compiled(life, results),
                None => Happened::CompilerEnded(life),
            });
        });
        match started.and_then(|mut peer| peer.send(&[jobs]).map(|()| peer)) {
            Ok(peer) => self.compiler.peer = Some(peer),
            Err(e) => self.fatal = Some(anyhow::anyhow!("no compiler process can be started: {e}")),
        }
    }

    /// The compiler is done with a module.
    pub(super) fn compiled(&mut self, life: u64, result: CompileResult) {
        if life != self.compiler.life {
            return;
        }
        let given = match result.of {
            Compiled::Module(number) => {
                let at = self.compiler.given.iter().position(|m| *m == number);
                at.map(|at| self.compiler.given.swap_remove(at))
            }
            Compiled::State(_) => None,
        };
        let Some(number) = given else {
            return self
                .ledger
                .internal_error("the compiler reported a module that it was not given".into());
        };
        match result.result {
            Ok(()) => {
                self.settle_form(number);
                let module = &mut self.modules[number.0];
                if !module.compiled_again {
                    self.compiler.done += 1;
                }
                if module.phase == Phase::CompilingAgain {
                    module.phase = Phase::Ready;
                    let held = std::mem::take(&mut module.held);
                    for task in held {
                        self.enqueue(task);
                    }
                } else {
                    self.ready_to_list(number);
                }
            }
            Err(why) => self.module_failed(number, LoadError::Module(Cause::new(why))),
        }
        let left = self.compiler.given.len() + self.compiler.waiting.len();
        if left > 0 {
            self.ledger.say(&Event::Compiling { left });
        } else if !self.compiler.said {
            self.compiler.said = true;
            let compiled = Event::Compiled {
                compiled: self.compiler.done,
                cached: self.modules.len() - self.compiler.done,
                elapsed: self.ledger.began().elapsed(),
            };
            self.ledger.say(&compiled);
        }
    }

    /// The compiler has ended: as it should, or it died.
    pub(super) fn compiler_ended(&mut self, life: u64) {
        if life != self.compiler.life {
            return;
        }
        let end = self.compiler.peer.take().map(|mut peer| peer.post_mortem());
        let undone = std::mem::take(&mut self.compiler.given);
        match undone.as_slice() {
            [] => {}
            [module] => self.module_failed(
                *module,
                LoadError::Module(Cause::new(format!(
                    "the compiler process died on it: {}",
                    end.unwrap_or_default()
                ))),
            ),
            // one at a time, so that the one that kills it is found
            _ => self.compiler.waiting.extend(undone),
        }
        if let Some(next) = self.compiler.waiting.pop_front() {
            self.compile(vec![next]);
        }
    }

    fn ready_to_list(&mut self, number: ModuleNumber) {
        let module = &mut self.modules[number.0];
        module.phase = Phase::Listing;
        if module.file.harness.is_none() {
            // all its tests are in its section
            return self.listed(number, Vec::new());
        }
        let named = module.file.named;
        let named = named.map(|at| &self.settings.selection.files[at]);
        if let Some(listed) = named.and_then(|n| n.listed.clone()) {
            return self.listed(number, listed);
        }
        match self.cache.listing(
            module.spec.content,
            module.spec.harness,
            self.settings.std_gaps,
        ) {
            Some(tests) => self.listed(number, tests),
            None => self.to_list.push_back(number),
        }
    }

    /// A worker has answered for a module's list.
    pub(super) fn listing_came(&mut self, number: ModuleNumber, tests: Result<Listing, LoadError>) {
        match tests {
            Ok(Listing { tests, holds }) => {
                let spec = &self.modules[number.0].spec;
                if holds == Holds::ForTheModule {
                    let std_gaps = self.settings.std_gaps;
                    self.cache
                        .store_listing(spec.content, spec.harness, std_gaps, &tests);
                }
                self.listed(number, tests);
            }
            Err(LoadError::Artefact(why)) => self.compile_again(number, why),
            Err(e) => self.module_failed(number, e),
        }
    }

    /// A module's tests are known.
    fn listed(&mut self, number: ModuleNumber, tests: Vec<ListedTest>) {
        let module = &mut self.modules[number.0];
        module.phase = Phase::Ready;
        let sdk::Contents {
            tests: mut all,
            furniture,
            host_needs,
        } = std::mem::take(&mut module.file.sdk);
        module.host_needs = host_needs;
        sdk::tell_apart(&mut all, &tests);
        all.extend(tests);
        let none = all.is_empty();
        let selection = &self.settings.selection;
        let mut plan = plan_module(
            &module.planned,
            all,
            &furniture,
            self.shared.len(),
            &selection.filter,
            selection.choice,
        );
        if let Some(seed) = self.settings.shuffle {
            plan.shuffle(seed);
        }
        self.ledger.filtered_out(plan.filtered_out);
        let named = self.modules[number.0].file.named;
        let named = named.map(|at| &selection.files[at]);
        let is_usual = named.is_some_and(|n| n.without_tests == Silence::Usual)
            && self.settings.verbosity != Verbosity::Verbose;
        if none && self.goal == Goal::Run && !is_usual {
            let module = &self.modules[number.0];
            let note = match named {
                Some(_) => format!("{} holds no tests", module.planned.name),
                None => format!("{} holds no tests", module.file.file.display()),
            };
            self.ledger.note(note);
        }
        if self.goal == Goal::Run && self.settings.verbosity == Verbosity::Verbose {
            let name = &self.modules[number.0].spec.name;
            for suite in plan.kept_whole(&furniture) {
                let note = format!("{name} {suite} is marked `split` and stays whole: {WHOLE}");
                self.ledger.note(note);
            }
        }
        self.ledger.planned += plan.tests();
        if self.goal == Goal::List {
            let tasks = plan.tasks.into_iter().flat_map(PlannedTask::into_tests);
            let mut found: Vec<PlannedTest> = tasks.chain(plan.skipped).collect();
            found.sort_by_key(|t| t.order);
            self.found.extend(found);
            return;
        }
        if self.goal == Goal::Plan {
            let host_fixtures = self.bound_of(&plan);
            let module = &self.modules[number.0];
            self.plans.push(super::Plan {
                module: module.planned.name.clone(),
                order: module.planned.order,
                plan,
                furniture,
                no_snapshots: match self.settings.snapshots {
                    Snapshots::Off => Some("--no-snapshot".to_owned()),
                    Snapshots::On => module.why_plain.clone(),
                },
                splitting: module.planned.splitting,
                host_fixtures,
            });
            return;
        }
        for test in plan.skipped {
            if let Action::Skip { reason } = &test.action {
                let outcome = Outcome::Skipped {
                    reason: reason.clone(),
                };
                self.ledger.ended_as(&test, outcome, None);
            }
        }
        if self.stopping {
            for task in plan.tasks {
                self.never_begun(task.tests());
            }
            return;
        }
        self.add_shared(number, plan.shared);
        for test in plan.tasks.iter().flat_map(PlannedTask::tests) {
            for fixture in self.fixtures_of(test) {
                self.ledger.watch(fixture.0, &test.info.id);
            }
        }
        self.plan_snapshots(&plan.tasks);
        for task in plan.tasks {
            self.enqueue(task);
        }
    }

    /// Keeps a task until its module is compiled again; gives it back if it can run.
    pub(super) fn hold(&mut self, number: ModuleNumber, task: PlannedTask) -> Option<PlannedTask> {
        let module = &mut self.modules[number.0];
        match module.phase {
            Phase::CompilingAgain => module.held.push(task),
            Phase::Failed => self.ledger.not_run(task.tests().len()),
            Phase::Compiling | Phase::Listing | Phase::Ready => return Some(task),
        }
        None
    }

    /// A suite or fixture of a module's could not be set up or taken down: an error,
    /// once; what needs it and waits is not run.
    pub(super) fn suite_failed(&mut self, number: ModuleNumber, failure: SuiteFailure) {
        let key = (number, failure.path.clone(), failure.part);
        if !self.failed_suites.insert(key) {
            return;
        }
        let module = &self.modules[number.0];
        let (order, name) = (module.planned.order, module.planned.name.clone());
        self.ledger.suite_failed(ModuleError {
            module: format!("{name} {}", failure.of).into(),
            file: None,
            order,
            what: match failure.part {
                SuitePart::Setup => "could not be set up",
                SuitePart::Teardown => "could not be torn down",
            },
            cause: failure.cause,
            output: failure.output,
        });
        if failure.part == SuitePart::Teardown {
            return;
        }
        let reason = format!("`{}` could not be set up", failure.of);
        let tasks = self.queue.extract(|task| {
            let mut steps = task.tests().iter().flat_map(|t| &t.place.around.steps);
            task.module() == Some(number)
                && matches!(task, PlannedTask::Test(_))
                && steps.any(|s| s.path == failure.path)
        });
        for test in tasks.into_iter().flat_map(PlannedTask::into_tests) {
            let outcome = Outcome::NotRun {
                reason: reason.clone(),
            };
            self.ledger.ended_as(&test, outcome, None);
        }
    }

    /// A worker refused a module's compiled form: it is made once more, then never again.
    pub(super) fn compile_again(&mut self, number: ModuleNumber, why: String) {
        let module = &mut self.modules[number.0];
        if matches!(module.phase, Phase::CompilingAgain | Phase::Compiling) {
            return;
        }
        if module.compiled_again {
            let cause = Cause::new(format!("its compiled form is refused: {why}"));
            return self.module_failed(number, LoadError::Module(cause));
        }
        module.compiled_again = true;
        module.phase = match module.phase {
            Phase::Listing => Phase::Compiling,
            _ => Phase::CompilingAgain,
        };
        for slot in &mut self.slots {
            slot.forget(number);
        }
        let waiting = self.take_waiting(number);
        self.modules[number.0].held.extend(waiting);
        match self.compiler.peer.is_some() {
            true => self.compiler.waiting.push_back(number),
            false => self.compile(vec![number]),
        }
    }

    /// A module cannot be run; its tests, if they are known, are not run.
    pub(super) fn module_failed(&mut self, number: ModuleNumber, error: LoadError) {
        let module = &mut self.modules[number.0];
        if module.phase == Phase::Failed {
            return;
        }
        module.phase = Phase::Failed;
        let (order, name) = (module.planned.order, module.planned.name.clone());
        let mut dropped = std::mem::take(&mut module.held);
        self.forget_shared(number);
        dropped.extend(self.take_waiting(number));
        for task in dropped {
            self.ledger.not_run(task.tests().len());
        }
        let (what, cause, stderr) = match error {
            LoadError::List(cause, stderr) => ("cannot be listed", cause, *stderr),
            LoadError::Module(cause) => ("cannot be loaded", cause, Captured::default()),
            LoadError::Artefact(why) => ("cannot be loaded", Cause::new(why), Captured::default()),
        };
        self.ledger.module_failed(ModuleError {
            module: name,
            file: Some(self.modules[number.0].file.file.display().to_string()),
            order,
            what,
            cause,
            output: TestOutput::of_stderr(stderr),
        });
        self.check_max_fail();
    }
}
