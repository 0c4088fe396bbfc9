//! The plan: what is done with each test of a module, in order. Pure.
//!
//! Takes what a module was found to hold and what was asked for; gives the
//! tasks to dispatch and the tests to skip, in the order in which the module lists
//! them. `suites` knows where a test goes by the fixtures around it.

pub mod filter;
mod suites;
pub mod tree;

pub use suites::{Placement, PlannedShared, reached};

use self::filter::Filter;
use crate::event::{Cause, Format, InUnit, Outcome, TestId, TestInfo};
use crate::protocol::suites::{Distribution, ModuleFixtures, without_crate};
use crate::protocol::{Benchmarks, Compiler, Expect, ListedTest, ModuleNumber};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use suites::Suites;

/// What is done about tests marked as ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ignored {
    /// They are skipped.
    #[default]
    Skip,
    /// They are run like the others.
    Include,
    /// They alone are run.
    Only,
    /// They alone are run; tests that cannot run here count as ignored too.
    OnlyAndUnable,
}

/// What is done with the tests that the filter means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// About those that are marked as ignored.
    pub ignored: Ignored,
    /// About benchmarks, and about tests beside them.
    pub benchmarks: Benchmarks,
}

/// What becomes of suites that may be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splitting {
    /// Their tests go singly, with their fixtures replayed for each.
    Singly,
    /// They stay whole: nothing is gained where everything runs in one process.
    Whole,
}

/// What the plan has to know of a module.
#[derive(Clone, Debug)]
pub struct PlannedModule {
    /// Its number in the run.
    pub number: ModuleNumber,
    /// Its name in the run.
    pub name: Arc<str>,
    /// Its place among the modules of the run.
    pub order: usize,
    /// What the file is.
    pub format: Format,
    /// The command that runs one of its tests again, as far as the test's own part.
    pub rerun: Arc<str>,
    /// What becomes of its suites that may be split.
    pub splitting: Splitting,
}

/// One test of the plan.
#[derive(Clone, Debug)]
pub struct PlannedTest {
    /// What is known of it.
    pub info: Arc<TestInfo>,
    pub module: ModuleNumber,
    /// What its harness says of it.
    pub listed: Arc<ListedTest>,
    /// Its place in the plan.
    pub order: (usize, usize),
    /// What is done with it.
    pub action: Action,
    /// Where it goes.
    pub place: Arc<Placement>,
    /// Whether it was reported as started: it may be taken back and given to another.
    pub announced: bool,
    /// What compiled the code that runs it, once a worker was given it.
    pub compiler: Option<Compiler>,
}

impl PlannedTest {
    /// What to say if its worker was given up: nothing could be taken down in it.
    pub fn left_standing(&self) -> Vec<String> {
        let steps = self.place.around.steps.iter().rev();
        steps
            .filter(|s| s.teardown.is_some())
            .map(|s| format!("the teardown of `{}` could not run", s.of()))
            .collect()
    }

    /// How it ended, if it was given up at its limit without its harness's judgement.
    pub fn given_up(&self, cause: Cause) -> Outcome {
        match self.listed.expect() {
            Expect::Failure(reason) => Outcome::ExpectedFailure { reason, cause },
            Expect::Pass | Expect::Panic(_) => Outcome::TimedOut(cause),
        }
    }
}

/// What is done with a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Run {
        /// Whether its harness has to be told to run it although it is marked as ignored.
        ignored: bool,
    },
    /// It is skipped.
    Skip { reason: String },
}

/// What is dispatched to a worker at once.
#[derive(Clone, Debug)]
pub enum PlannedTask {
    /// One test.
    Test(PlannedTest),
    /// A suite with fixtures, whole.
    Unit(PlannedUnit),
}

/// A suite that goes to one worker as a whole.
#[derive(Clone, Debug)]
pub struct PlannedUnit {
    /// Its path, the crate's name first.
    pub suite: String,
    /// Its tests, in declaration order.
    pub tests: Vec<PlannedTest>,
}

impl PlannedTask {
    /// Its tests.
    pub fn tests(&self) -> &[PlannedTest] {
        match self {
            PlannedTask::Test(test) => std::slice::from_ref(test),
            PlannedTask::Unit(unit) => &unit.tests,
        }
    }

    /// Its tests, on their own.
    pub fn into_tests(self) -> Vec<PlannedTest> {
        match self {
            PlannedTask::Test(test) => vec![test],
            PlannedTask::Unit(unit) => unit.tests,
        }
    }

    /// The module that it is of.
    pub fn module(&self) -> Option<ModuleNumber> {
        self.tests().first().map(|t| t.module)
    }

    /// Whether it runs alone, once everything parallel has drained.
    pub fn is_serial(&self) -> bool {
        self.tests().iter().any(|t| t.place.serial)
    }
}

/// A module's part of the plan.
#[derive(Clone, Debug, Default)]
pub struct ModulePlan {
    /// What is to be dispatched.
    pub tasks: Vec<PlannedTask>,
    /// The tests that are meant and not run.
    pub skipped: Vec<PlannedTest>,
    /// What is set up beside the workers.
    pub shared: Vec<PlannedShared>,
    /// How many tests are not meant.
    pub filtered_out: usize,
}

impl ModulePlan {
    /// Puts the tasks into an order that follows from the seed alone.
    pub fn shuffle(&mut self, seed: u64) {
        // splitmix64: its outputs are even enough to put tests in order
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        for at in (1..self.tasks.len()).rev() {
            let other = next() % (at as u64 + 1);
            self.tasks.swap(at, other as usize);
        }
    }

    /// Leaves out what the filter's last test, if it names one, does not need before it.
    fn keep_up_to(&mut self, filter: &Filter) {
        let all = self.tests();
        self.skipped.retain(|test| filter.reaches(&test.info.id));
        self.tasks.retain_mut(|task| match task {
            PlannedTask::Test(test) => filter.reaches(&test.info.id),
            PlannedTask::Unit(unit) => {
                let reached = |test: &PlannedTest| filter.reaches(&test.info.id);
                let last = unit.tests.iter().rposition(reached);
                unit.tests.truncate(last.map_or(0, |at| at + 1));
                last.is_some()
            }
        });
        self.filtered_out += all - self.tests();
    }

    /// The suites that are marked `split` and are whole all the same, for people.
    pub fn kept_whole(&self, module_fixtures: &ModuleFixtures) -> Vec<&str> {
        let units = self.tasks.iter().filter_map(|task| match task {
            PlannedTask::Unit(unit) => Some(unit),
            PlannedTask::Test(_) => None,
        });
        let suites = module_fixtures.suites.iter();
        let split = suites.filter(|s| s.distribution == Some(Distribution::Split));
        let split: HashSet<&str> = split.map(|s| s.path.as_str()).collect();
        units
            .filter(|unit| split.contains(unit.suite.as_str()))
            .map(PlannedUnit::name)
            .collect()
    }

    /// How many tests are meant.
    pub fn tests(&self) -> usize {
        self.skipped.len() + self.tasks.iter().map(|t| t.tests().len()).sum::<usize>()
    }
}

/// Plans one module; its first shared fixture gets the number `first_value`.
pub fn plan_module(
    module: &PlannedModule,
    listed: Vec<ListedTest>,
    module_fixtures: &ModuleFixtures,
    first_value: usize,
    filter: &Filter,
    choice: Choice,
) -> ModulePlan {
    let mut plan = ModulePlan::default();
    let mut suites = Suites::new(module_fixtures, first_value, module.splitting);
    let plain = Arc::new(Placement::default());
    let mut units: HashMap<String, usize> = HashMap::new();
    // of what is not meant nothing is set up
    let mut elsewhere = Suites::new(module_fixtures, 0, module.splitting);
    let mut left_out: HashMap<String, Vec<Arc<str>>> = HashMap::new();
    for (i, test) in listed.into_iter().enumerate() {
        let id = TestId {
            module: module.name.clone(),
            path: test.path.as_str().into(),
        };
        let wanted = match choice.ignored {
            Ignored::Skip | Ignored::Include => true,
            Ignored::Only => test.ignored.is_some(),
            Ignored::OnlyAndUnable => test.ignored.is_some() || test.unable.is_some(),
        };
        if !wanted || !filter.matches(&id, &test) {
            plan.filtered_out += 1;
            if !module_fixtures.is_empty()
                && let Some(unit) = elsewhere.place(&test).unit
            {
                left_out.entry(unit).or_default().push(id.path);
            }
            continue;
        }
        let action = action(&test, choice);
        let skipped = matches!(action, Action::Skip { .. });
        let place = match skipped || module_fixtures.is_empty() {
            true => plain.clone(),
            false => Arc::new(suites.place(&test)),
        };
        let test = PlannedTest {
            info: Arc::new(TestInfo {
                id,
                harness: test.harness,
                format: module.format,
                source: test.file.as_ref().map(|file| match test.line {
                    Some(line) => format!("{file}:{line}"),
                    None => file.clone(),
                }),
                rerun: module.rerun.clone(),
                unit: None,
                ignored: action == (Action::Run { ignored: true }),
                ignore_reason: test.ignored.clone(),
                should_panic: test.should_panic.is_some(),
                unable: test.unable.clone(),
                benchmark: test.benchmark,
                tags: test.tags.clone(),
                description: test.description.clone(),
                timeout: test.timeout,
                max_memory: test.max_memory,
            }),
            module: module.number,
            listed: Arc::new(test),
            order: (module.order, i),
            action,
            place,
            announced: false,
            compiler: None,
        };
        match &test.place.unit {
            _ if skipped => plan.skipped.push(test),
            None => plan.tasks.push(PlannedTask::Test(test)),
            Some(suite) => match units.get(suite).map(|at| &mut plan.tasks[*at]) {
                Some(PlannedTask::Unit(unit)) => unit.tests.push(test),
                _ => {
                    units.insert(suite.clone(), plan.tasks.len());
                    plan.tasks.push(PlannedTask::Unit(PlannedUnit {
                        suite: suite.clone(),
                        tests: vec![test],
                    }));
                }
            },
        }
    }
    for task in &mut plan.tasks {
        if let PlannedTask::Unit(unit) = task {
            in_declaration_order(&mut unit.tests);
            unit.tell_places(left_out.remove(&unit.suite).unwrap_or_default());
        }
    }
    plan.keep_up_to(filter);
    plan.shared = suites.into_shared();
    plan
}

/// Sorts a unit's tests as they stand in their source, each suite's together.
fn in_declaration_order(tests: &mut [PlannedTest]) {
    type Declared = (Option<String>, Option<u64>, u64, usize);
    let declared = |t: &PlannedTest| -> Declared {
        let listed = &t.listed;
        (listed.file.clone(), listed.line, listed.case, t.order.1)
    };
    // where each suite begins
    let mut begins: HashMap<String, Declared> = HashMap::new();
    for test in tests.iter() {
        for suite in &test.place.suites {
            let begin = begins
                .entry(suite.clone())
                .or_insert_with(|| declared(test));
            *begin = declared(test).min(begin.clone());
        }
    }
    tests.sort_by_cached_key(|test| {
        let suites = test.place.suites.iter().map(|s| begins[s].clone());
        suites.chain([declared(test)]).collect::<Vec<_>>()
    });
}

impl PlannedUnit {
    /// Its name for people.
    pub fn name(&self) -> &str {
        without_crate(&self.suite)
    }

    /// Has each test know what runs before it in the unit's instance, for the command that
    /// runs it again; these of the unit are not meant.
    fn tell_places(&mut self, left_out: Vec<Arc<str>>) {
        let paths = self.tests.iter().map(|t| t.info.id.path.clone());
        let (tests, left_out): (Arc<[_]>, Arc<[_]>) = (paths.collect(), left_out.into());
        let mut ignored = false;
        for (at, test) in self.tests.iter_mut().enumerate() {
            ignored |= test.info.ignored;
            // nothing ran before the first
            Arc::make_mut(&mut test.info).unit = (at > 0).then(|| InUnit {
                tests: tests.clone(),
                at,
                left_out: left_out.clone(),
                ignored,
            });
        }
    }
}

fn action(test: &ListedTest, choice: Choice) -> Action {
    match &test.ignored {
        Some(reason) if choice.ignored == Ignored::Skip => Action::Skip {
            reason: match reason.is_empty() {
                true => "ignored".to_owned(),
                false => format!("ignored: {reason}"),
            },
        },
        _ if let Some(reason) = &test.unable => Action::Skip {
            reason: reason.clone(),
        },
        _ if choice.benchmarks == Benchmarks::Alone && !test.benchmark => Action::Skip {
            reason: "no benchmark".to_owned(),
        },
        marked => Action::Run {
            ignored: marked.is_some(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{libtest, sdk};
    use crate::protocol::suites::ListedSuite;
    use wasmtest_section::EXPORT_PREFIX;

    fn listed(path: &str, ignored: Option<&str>, should_panic: bool) -> ListedTest {
        ListedTest {
            ignored: ignored.map(str::to_owned),
            should_panic: should_panic.then(String::new),
            unable: should_panic.then(|| libtest::SHOULD_PANIC.to_owned()),
            ..ListedTest::named(path, libtest::NAME)
        }
    }

    fn module() -> PlannedModule {
        PlannedModule {
            number: ModuleNumber(0),
            name: "m.wasm".into(),
            order: 0,
            format: Format::Core,
            rerun: "wasmtest run m.wasm".into(),
            splitting: Splitting::Singly,
        }
    }

    fn plan(ignored: Ignored) -> Vec<(String, Action)> {
        let module = module();
        let tests = [
            listed("a", None, false),
            listed("b", Some("slow"), false),
            listed("c", None, true),
            listed("d", Some(""), true),
        ];
        let nothing = ModuleFixtures::default();
        let plan = plan_module(
            &module,
            tests.into(),
            &nothing,
            0,
            &Filter::default(),
            Choice {
                ignored,
                ..Choice::default()
            },
        );
        let tasks = plan.tasks.into_iter().flat_map(PlannedTask::into_tests);
        let mut tests: Vec<PlannedTest> = tasks.chain(plan.skipped).collect();
        tests.sort_by_key(|t| t.order);
        tests
            .into_iter()
            .map(|t| (t.info.id.path.to_string(), t.action))
            .collect()
    }

    fn skip(reason: &str) -> Action {
        Action::Skip {
            reason: reason.into(),
        }
    }

    #[test]
    fn ignored_tests_are_skipped_with_their_reason() {
        assert_eq!(
            plan(Ignored::Skip),
            [
                ("a".into(), Action::Run { ignored: false }),
                ("b".into(), skip("ignored: slow")),
                ("c".into(), skip(libtest::SHOULD_PANIC)),
                ("d".into(), skip("ignored")),
            ]
        );
    }

    #[test]
    fn ignored_tests_are_run_when_asked_for_but_should_panic_never_is() {
        let run = Action::Run { ignored: true };
        assert_eq!(plan(Ignored::Include)[1], ("b".into(), run.clone()));
        assert_eq!(
            plan(Ignored::Only),
            [("b".into(), run), ("d".into(), skip(libtest::SHOULD_PANIC))]
        );
    }

    /// The commands that run the tests of a unit again, by their paths.
    fn again_in_a_unit(filter: &Filter) -> Vec<(String, String)> {
        let module_fixtures = ModuleFixtures {
            suites: vec![ListedSuite {
                path: "c::unit".to_owned(),
                distribution: Some(Distribution::Unit),
            }],
            functions: Vec::new(),
        };
        let paths = ["unit::a", "unit::it's b", "unit::c", "unit::d", "single"];
        let listed = paths.iter().map(|path| ListedTest {
            export: Some(format!("{EXPORT_PREFIX}c::{path}")),
            ..ListedTest::named(*path, sdk::NAME)
        });
        let plan = plan_module(
            &module(),
            listed.collect(),
            &module_fixtures,
            0,
            filter,
            Choice::default(),
        );
        let tests = plan.tasks.iter().flat_map(PlannedTask::tests);
        let rerun = |t: &PlannedTest| (t.info.id.path.to_string(), t.info.rerun());
        tests.map(rerun).collect()
    }

    #[test]
    fn a_test_of_a_unit_is_run_again_after_those_before_it() {
        let commands = |filter: &Filter| -> Vec<String> {
            let all = again_in_a_unit(filter).into_iter();
            all.map(|(_, command)| command).collect()
        };
        assert_eq!(
            commands(&Filter::default()),
            [
                "wasmtest run m.wasm --exact -- unit::a",
                r"wasmtest run m.wasm --up-to 'unit::it'\''s b'",
                "wasmtest run m.wasm --up-to unit::c",
                "wasmtest run m.wasm --up-to unit::d",
                "wasmtest run m.wasm --exact -- single",
            ]
        );
        let skipping = |skip: &[&str]| Filter {
            skip: skip.iter().map(|s| (*s).to_owned()).collect(),
            ..Filter::default()
        };
        // whatever is shorter: what is run, or what is not
        assert_eq!(
            commands(&skipping(&["unit::a", "single"])),
            [
                r"wasmtest run m.wasm --exact -- 'unit::it'\''s b'",
                "wasmtest run m.wasm --exact --skip unit::a --up-to unit::c",
                "wasmtest run m.wasm --exact --skip unit::a --up-to unit::d",
            ]
        );
        assert_eq!(
            commands(&skipping(&["unit::a", "unit::c", "single"]))[1],
            r"wasmtest run m.wasm --exact -- 'unit::it'\''s b' unit::d"
        );
    }

    #[test]
    fn up_to_a_test_its_unit_is_run_and_nothing_else() {
        let paths = |up_to: &str| -> Vec<String> {
            let filter = Filter {
                up_to: Some(up_to.to_owned()),
                ..Filter::default()
            };
            let all = again_in_a_unit(&filter).into_iter();
            all.map(|(path, _)| path).collect()
        };
        assert_eq!(paths("unit::it's b"), ["unit::a", "unit::it's b"]);
        assert_eq!(paths("m.wasm unit::a"), ["unit::a"]);
        assert_eq!(paths("single"), ["single"]);
        assert_eq!(paths("unit"), [""; 0]);
    }

    #[test]
    fn what_cannot_run_can_count_as_ignored() {
        let planned = plan(Ignored::OnlyAndUnable);
        let paths: Vec<&str> = planned.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["b", "c", "d"]);
        assert_eq!(planned[1].1, skip(libtest::SHOULD_PANIC));
    }
}
