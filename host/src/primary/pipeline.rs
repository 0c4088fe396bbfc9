//! A module's way from file to plan: found, compiled (`compiling.rs`), listed, planned.

use super::better::Pace;
use super::discover::{self, Discovered};
use super::{Goal, Run};
use crate::event::{
    Captured, Cause, Format, Level, ModuleError, Outcome, Progress, SuiteFailure, SuitePart,
    TestOutput,
};
use crate::harness::sdk::{self, HostNeeds};
use crate::harness::{libtest, listing};
use crate::instrument::OffsetMap;
use crate::instrument::direct::Prepared;
use crate::instrument::gaps::{self, Gaps};
use crate::module::cache::Listed;
use crate::module::forms::{ModuleSource, UNKNOWN};
use crate::plan::tree::WHOLE;
use crate::plan::{Action, PlannedModule, PlannedTask, PlannedTest, Splitting, plan_module};
use crate::protocol::{
    ArtefactForm, DirectCalls, Holds, LibtestCalls, ListedTest, Listing, LoadError, ModuleNumber,
    ModuleSpec, StdGaps,
};
use crate::settings::{Processes, Silence, Snapshots, Verbosity};
use crate::text::shell_quote;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

/// Why a test is not run whose module, it turns out, cannot be used; that is an error of its own.
pub(super) const NO_MODULE: &str = "its module cannot be used";

/// A module of the run.
pub(super) struct Module {
    file: discover::DiscoveredModule,
    pub(super) spec: ModuleSpec,
    planned: PlannedModule,
    /// Why there are no snapshots of it, if it could not be rewritten.
    pub(super) why_plain: Option<String>,
    /// What tests of its that are libtest's ask of the host.
    pub(super) host_needs: HostNeeds,
    pub(super) phase: ModulePhase,
    /// Whether a worker has died on its list, and not at a limit.
    pub(super) listed_again: bool,
    /// How long its tests take.
    pub(super) pace: Pace,
    /// Its tests, while it is being compiled a second time.
    pub(super) held: Vec<PlannedTask>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModulePhase {
    Compiling,
    /// Compiled; its list is asked for.
    Listing,
    Ready,
    /// As ready, but its compiled form was refused.
    CompilingAgain,
    Failed,
}

impl Module {
    /// Whether nothing more will be learned of it.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.phase, ModulePhase::Ready | ModulePhase::Failed)
    }

    /// Whether its tests are known.
    pub(super) fn is_listed(&self) -> bool {
        !matches!(self.phase, ModulePhase::Compiling | ModulePhase::Listing)
    }
}

impl Run<'_> {
    /// Finds the modules and sets each on its way; gives those that have to be compiled.
    pub(super) fn discover(&mut self) -> Vec<ModuleNumber> {
        let cache = self.cache.clone();
        let (selection, to_look) = (&self.settings.selection, &cache);
        let look = || discover::discover(selection, to_look);
        let found = thread::scope(|scope| {
            // a worker's start and its engine take about as long as files are looked at
            let looking = thread::Builder::new().spawn_scoped(scope, look);
            self.start_workers();
            let found = looking.ok().map(ScopedJoinHandle::join);
            found.unwrap_or_else(|| Ok(look()))
        });
        let Discovered {
            modules,
            unusable,
            notes,
            details,
            remembered,
        } = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // where no thread can be started another run does it
        let _ = thread::Builder::new().spawn(move || cache.sweep());
        self.to_remember = remembered;
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
        let all = (0..self.modules.len()).map(ModuleNumber);
        let (to_compile, there): (Vec<_>, Vec<_>) =
            all.partition(|number| self.has_to_be_compiled(*number));
        for number in there {
            self.settle_form(number);
            self.tell_form(number);
            self.ready_to_list(number);
        }
        self.check_max_fail();
        to_compile
    }

    /// Whether a compiled form is needed and not there: not for a list that is known without it.
    fn has_to_be_compiled(&mut self, number: ModuleNumber) -> bool {
        let file = &self.modules[number.0].file;
        let is_known = file.harness.is_none() || file.listed.is_some();
        let listed = is_known && self.goal == Goal::List;
        !listed && !self.forms.find(number)
    }

    fn add_module(&mut self, file: discover::DiscoveredModule) {
        let number = ModuleNumber(self.modules.len());
        let named = file.named.map(|at| &self.settings.selection.files[at]);
        let rerun = match named {
            Some(named) => named.rerun.clone(),
            None => format!(
                "wasmtest run {}{}",
                shell_quote(&file.file.display().to_string()),
                self.settings.rerun
            ),
        };
        let source = ModuleSource {
            file: file.file.clone(),
            content: file.content,
            format: file.format,
            size: file.size,
        };
        // where there are fixtures, states are worth keeping
        let form = match file.sdk.module_fixtures.functions.is_empty() {
            true => ArtefactForm::Plain,
            false => ArtefactForm::Replayable,
        };
        // what is set up before a test is nothing of libtest's
        let direct = match (form, file.format, file.harness) {
            (ArtefactForm::Plain, Format::Core, Some(libtest::NAME)) => {
                self.settings.libtest.wanted()
            }
            _ => DirectCalls::Left,
        };
        self.forms.add(source, form, direct);
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
                // until its form is settled
                artefact: String::new(),
                compiler: self.settings.compilers.first(),
                offsets: OffsetMap::default(),
                gaps: Gaps::left(match self.settings.std_gaps {
                    StdGaps::Left => gaps::NOT_WANTED,
                    StdGaps::Filled => UNKNOWN,
                }),
                direct: Prepared::Unwanted,
                replay: None,
            },
            planned: PlannedModule {
                number,
                name: Arc::from(file.name.as_str()),
                order: file.order,
                format: file.format,
                rerun: rerun.into(),
                splitting: match self.settings.processes {
                    Processes::Primary => Splitting::Whole,
                    Processes::Workers(_) => Splitting::Singly,
                },
            },
            why_plain: None,
            host_needs: HostNeeds::default(),
            phase: ModulePhase::Compiling,
            listed_again: false,
            pace: Pace::default(),
            held: Vec::new(),
            file,
        });
    }

    /// Its form is there.
    pub(super) fn ready_to_list(&mut self, number: ModuleNumber) {
        let module = &mut self.modules[number.0];
        module.phase = ModulePhase::Listing;
        if module.file.harness.is_none() {
            // all its tests are in its section
            return self.listed(number, Vec::new());
        }
        if let Some(listed) = module.file.listed.clone() {
            return self.listed(number, listed);
        }
        match self.cache.listing(self.list_of(number)) {
            Some(listing) => {
                self.tell_early(number);
                self.has_listed(number, listing);
            }
            None => self.to_list.push_back(number),
        }
    }

    fn list_of(&self, number: ModuleNumber) -> Listed {
        let spec = &self.modules[number.0].spec;
        Listed {
            content: spec.content,
            harness: spec.harness,
            std_gaps: self.settings.std_gaps,
            direct: match spec.direct {
                Prepared::Yes { .. } => DirectCalls::Prepared,
                Prepared::Unwanted | Prepared::No(_) => DirectCalls::Left,
            },
        }
    }

    /// A module that starts with its tests has told them.
    fn has_listed(&mut self, number: ModuleNumber, listing: Listing) {
        if let Err(why) = self.tell_calls(number, &listing) {
            return self.module_failed(number, LoadError::Module(why));
        }
        self.listed(number, listing.tests);
    }

    /// Tells how libtest's tests are called in a module.
    ///
    /// # Errors
    /// If that has to be directly and cannot.
    fn tell_calls(&mut self, number: ModuleNumber, listing: &Listing) -> Result<(), Cause> {
        let spec = &self.modules[number.0].spec;
        if spec.harness != libtest::NAME || listing.tests.is_empty() {
            return Ok(());
        }
        let why = match (&spec.direct, &listing.plain) {
            (Prepared::Yes { .. }, None) => None,
            (Prepared::Yes { .. }, Some(why)) | (Prepared::No(why), _) => Some(why.as_str()),
            (Prepared::Unwanted, _) => Some(match self.settings.libtest {
                LibtestCalls::Plainly => "--libtest plain was given",
                LibtestCalls::WhereProved | LibtestCalls::Directly => match spec.format {
                    Format::Component => "it is a component",
                    Format::Core => "it has fixtures of its own",
                },
            }),
        };
        if let (LibtestCalls::Directly, Some(why)) = (self.settings.libtest, why) {
            let why =
                format!("its tests cannot be called directly, as --libtest direct asks: {why}");
            let hint = "without --libtest direct each is started through libtest";
            return Err(Cause::new(why).hint(hint));
        }
        // rustc lays them out in another way than it did
        let level = match spec.direct {
            Prepared::No(_) => Level::Normal,
            Prepared::Yes { .. } | Prepared::Unwanted => Level::Verbose,
        };
        let progress = Progress::calls(&spec.name, level, why);
        self.ledger.progress(progress);
        Ok(())
    }

    /// A worker has answered for a module's list.
    pub(super) fn listing_came(&mut self, number: ModuleNumber, tests: Result<Listing, LoadError>) {
        match tests {
            Ok(listing) => {
                if listing.holds == Holds::ForTheModule {
                    self.cache.store_listing(self.list_of(number), &listing);
                }
                self.has_listed(number, listing);
            }
            Err(LoadError::Artefact(why)) => self.compile_again(number, why),
            Err(e) => self.module_failed(number, e),
        }
    }

    /// A module's tests are known.
    fn listed(&mut self, number: ModuleNumber, tests: Vec<ListedTest>) {
        let module = &mut self.modules[number.0];
        module.phase = ModulePhase::Ready;
        let sdk::Contents {
            tests: mut all,
            module_fixtures,
            host_needs,
        } = std::mem::take(&mut module.file.sdk);
        module.host_needs = host_needs;
        sdk::tell_apart(&mut all, &tests);
        all.extend(tests);
        let again = listing::once_each(&mut all);
        if let Some((path, times)) = again.first() {
            let others = match again.len() - 1 {
                0 => String::new(),
                1 => ", and another one too".to_owned(),
                n => format!(", and {n} others too"),
            };
            let name = &module.spec.name;
            let note = format!("{name} lists `{path}` {times} times{others}: each is one test");
            self.ledger.note(note);
        }
        let none = all.is_empty();
        let selection = &self.settings.selection;
        let mut plan = plan_module(
            &module.planned,
            all,
            &module_fixtures,
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
            for suite in plan.kept_whole(&module_fixtures) {
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
                module_fixtures,
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
        self.begin_pace(number, &plan.tasks);
        for task in plan.tasks {
            self.enqueue(task);
        }
    }

    /// Keeps a task until its module is compiled again; gives it back if it can run.
    pub(super) fn hold(&mut self, number: ModuleNumber, task: PlannedTask) -> Option<PlannedTask> {
        let module = &mut self.modules[number.0];
        match module.phase {
            ModulePhase::CompilingAgain => module.held.push(task),
            ModulePhase::Failed => self.ledger.never_begun(task.tests(), NO_MODULE),
            ModulePhase::Compiling | ModulePhase::Listing | ModulePhase::Ready => {
                return Some(task);
            }
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

    /// A module cannot be run; its tests, if they are known, are not run.
    pub(super) fn module_failed(&mut self, number: ModuleNumber, error: LoadError) {
        let module = &mut self.modules[number.0];
        if module.phase == ModulePhase::Failed {
            return;
        }
        module.phase = ModulePhase::Failed;
        let (order, name) = (module.planned.order, module.planned.name.clone());
        let mut dropped = std::mem::take(&mut module.held);
        self.forget_shared(number);
        dropped.extend(self.take_waiting(number));
        for task in dropped {
            self.ledger.never_begun(task.tests(), NO_MODULE);
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
