//! Where each test of a module goes, by the suites and fixtures around it. Pure.
//!
//! A suite with fixtures and no mark is a unit: its tests go whole to one worker.
//! A split suite's tests go singly, with its fixtures replayed for each; a shared
//! suite's go singly, after its setup has run once. Ancestors count, the outermost
//! first: under a unit everything is one unit. Serial suites run alone at the end.
//! Where there is one process for everything a split suite is a unit too.

use super::Splitting;
use crate::protocol::ListedTest;
use crate::suite::{
    Around, Distribution, Furniture, ListedFunction, Role, Step, StepAction, ValueNumber,
};
use std::collections::{BTreeMap, HashMap};
use wasmtest_section::{EXPORT_PREFIX, TEARDOWN_PREFIX};

/// The suites of a module, ready to be asked.
pub struct Suites<'a> {
    nodes: BTreeMap<&'a str, Node<'a>>,
    functions: HashMap<&'a str, &'a ListedFunction>,
    /// The number of the module's first value in the run.
    first_value: usize,
    /// What is set up beside the workers, in the order in which it was asked for.
    shared: Vec<PlannedShared>,
    splitting: Splitting,
}

/// A suite: a module with a mark or a hook.
#[derive(Clone, Debug, Default)]
struct Node<'a> {
    distribution: Option<Distribution>,
    setup: Option<&'a ListedFunction>,
    teardown: Option<&'a ListedFunction>,
    before: Option<&'a ListedFunction>,
    after: Option<&'a ListedFunction>,
    /// Whether a fixture of its own makes it a unit.
    has_unit_fixture: bool,
}

impl Node<'_> {
    fn has_fixtures(&self) -> bool {
        self.setup.is_some() || self.teardown.is_some() || self.has_unit_fixture
    }

    fn is_unit(&self, splitting: Splitting) -> bool {
        match self.distribution {
            Some(Distribution::Unit) => true,
            Some(Distribution::Split) if splitting == Splitting::Whole => self.has_fixtures(),
            None | Some(Distribution::Serial) => self.has_fixtures(),
            // whoever marks it so has said that it can be split
            Some(Distribution::Split | Distribution::Shared) => false,
        }
    }
}

/// Something that is set up once, beside the workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedShared {
    /// Its number in the run, which is also that of its value.
    pub number: ValueNumber,
    /// The path of its function; that of its suite, if it has only a teardown.
    pub path: String,
    /// Its name for people.
    pub of: String,
    /// What runs in its instance, itself at the end.
    pub around: Around,
    /// What has to be set up before it.
    pub after: Vec<ValueNumber>,
    /// Whether it gives a value.
    pub travels: bool,
    /// The host fixture that it stands for.
    pub host: Option<String>,
}

/// Where one test goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What runs around it in its instance.
    pub around: Around,
    /// The suite that it has to stay together with; none if it goes singly.
    pub unit: Option<String>,
    /// What has to be set up before it, beside the workers.
    pub shared: Vec<ValueNumber>,
    /// Whether it runs alone, at the end.
    pub serial: bool,
    /// Its suites, the outermost first.
    pub suites: Vec<String>,
}

/// What is gathered while the steps of one instance are put in order.
#[derive(Default)]
struct Gathered {
    steps: Vec<Step>,
    shared: Vec<ValueNumber>,
}

impl<'a> Suites<'a> {
    /// The suites of a module whose first shared fixture would have this number.
    pub fn new(furniture: &'a Furniture, first_value: usize, splitting: Splitting) -> Self {
        let mut nodes: BTreeMap<&str, Node<'_>> = BTreeMap::new();
        for suite in &furniture.suites {
            nodes.entry(&suite.path).or_default().distribution = suite.distribution;
        }
        for function in &furniture.functions {
            let module = function.path.rsplit_once("::").map_or("", |(m, _)| m);
            let slot = match function.role {
                Role::Fixture => {
                    // where it is asked for in its own module it keeps that together
                    if function.distribution.unwrap_or(Distribution::Unit) == Distribution::Unit {
                        nodes.entry(module).or_default().has_unit_fixture = true;
                    }
                    continue;
                }
                Role::Setup => &mut nodes.entry(module).or_default().setup,
                Role::Teardown => &mut nodes.entry(module).or_default().teardown,
                Role::Before => &mut nodes.entry(module).or_default().before,
                Role::After => &mut nodes.entry(module).or_default().after,
            };
            *slot = Some(function);
        }
        let functions = furniture
            .functions
            .iter()
            .map(|f| (f.path.as_str(), f))
            .collect();
        Suites {
            nodes,
            functions,
            first_value,
            shared: Vec::new(),
            splitting,
        }
    }

    /// What is set up beside the workers, for the tests that were placed.
    pub fn into_shared(self) -> Vec<PlannedShared> {
        self.shared
    }

    /// Where a test goes.
    pub fn place(&mut self, test: &ListedTest) -> Place {
        let Some(path) = test.full_path() else {
            return Place::default();
        };
        if self.nodes.is_empty() && self.functions.is_empty() {
            return Place::default();
        }
        let ancestors = self.ancestors(path);
        let unit = ancestors
            .iter()
            .position(|a| self.nodes[a].is_unit(self.splitting));
        let mut gathered = Gathered::default();
        for (i, ancestor) in ancestors.iter().enumerate() {
            let local = unit.is_some_and(|unit| i >= unit);
            self.enter(ancestor, local, &mut gathered);
        }
        for need in &test.needs {
            self.need(need, &mut gathered);
        }
        let hooks = |pick: fn(&Node<'a>) -> Option<&'a ListedFunction>| {
            let all = ancestors.iter().filter_map(|a| pick(&self.nodes[a]));
            all.collect::<Vec<_>>()
        };
        let (before, mut after) = (hooks(|n| n.before), hooks(|n| n.after));
        after.reverse();
        for hook in before.iter().chain(&after) {
            for need in &hook.needs {
                self.need(need, &mut gathered);
            }
        }
        let paths = |hooks: Vec<&ListedFunction>| hooks.iter().map(|h| h.path.clone()).collect();
        Place {
            around: Around {
                steps: gathered.steps,
                before: paths(before),
                after: paths(after),
            },
            unit: unit.map(|i| ancestors[i].to_owned()),
            shared: gathered.shared,
            serial: ancestors
                .iter()
                .any(|a| self.nodes[a].distribution == Some(Distribution::Serial)),
            suites: ancestors.iter().map(|a| (*a).to_owned()).collect(),
        }
    }

    /// The suites that a path lies in, the outermost first.
    fn ancestors(&self, path: &str) -> Vec<&'a str> {
        let ends = path.match_indices("::").map(|(i, _)| i);
        ends.filter_map(|end| self.nodes.get_key_value(&path[..end]))
            .map(|(name, _)| *name)
            .collect()
    }

    /// What it takes to be in a suite. Inside a unit everything is local to its store.
    fn enter(&mut self, suite: &'a str, local: bool, to: &mut Gathered) {
        let node = self.nodes[suite].clone();
        if node.setup.is_none() && node.teardown.is_none() {
            return;
        }
        if node.distribution == Some(Distribution::Shared) && !local {
            let number = self.share_suite(suite, &node);
            if !to.shared.contains(&number) {
                to.shared.push(number);
            }
            return;
        }
        let teardown = node.teardown;
        let needs = [node.setup, teardown].into_iter().flatten();
        let needs: Vec<&str> = needs
            .flat_map(|f| f.needs.iter().map(String::as_str))
            .collect();
        for need in needs {
            self.need(need, to);
        }
        to.steps.push(suite_step(suite, &node));
    }

    /// What it takes to have a fixture's value.
    fn need(&mut self, path: &str, to: &mut Gathered) {
        if to.steps.iter().any(|s| s.path == path) {
            return;
        }
        let Some(function) = self.functions.get(path).copied() else {
            return;
        };
        let is_shared = function.distribution == Some(Distribution::Shared);
        if function.role == Role::Setup && !is_shared {
            // it stands where its suite was entered
            return;
        }
        if is_shared || function.host.is_some() {
            let number = match function.role {
                Role::Setup => {
                    let suite = path.rsplit_once("::").map_or("", |(m, _)| m);
                    let (suite, node) = self.nodes.get_key_value(suite).expect("it has a hook");
                    let (suite, node) = (*suite, node.clone());
                    self.share_suite(suite, &node)
                }
                _ => self.share_fixture(function),
            };
            if !to.shared.contains(&number) {
                to.shared.push(number);
            }
            to.steps.push(Step {
                path: path.to_owned(),
                action: StepAction::Receive(number),
                suite: None,
                teardown: None,
                fresh: false,
            });
            return;
        }
        for need in &function.needs {
            self.need(need, to);
        }
        to.steps.push(value_step(function));
    }

    /// The number of a shared suite, which is set up if it was not asked for before.
    fn share_suite(&mut self, suite: &'a str, node: &Node<'a>) -> ValueNumber {
        let path = node.setup.map_or(suite, |s| s.path.as_str());
        self.share(path, |suites, to| {
            let ancestors = suites.ancestors(suite);
            for ancestor in ancestors {
                suites.enter(ancestor, false, to);
            }
            let needs = [node.setup, node.teardown].into_iter().flatten();
            for need in needs.flat_map(|f| &f.needs) {
                // a teardown may take what its own setup gave
                if need != path {
                    suites.need(need, to);
                }
            }
            to.steps.push(suite_step(suite, node));
            (
                suite.to_owned(),
                node.setup.is_some_and(|s| s.travels),
                None,
            )
        })
    }

    fn share_fixture(&mut self, function: &'a ListedFunction) -> ValueNumber {
        self.share(&function.path, |suites, to| {
            for need in &function.needs {
                suites.need(need, to);
            }
            if function.host.is_none() {
                to.steps.push(value_step(function));
            }
            (
                function.path.clone(),
                function.travels,
                function.host.clone(),
            )
        })
    }

    fn share(
        &mut self,
        path: &str,
        gather: impl FnOnce(&mut Self, &mut Gathered) -> (String, bool, Option<String>),
    ) -> ValueNumber {
        if let Some(known) = self.shared.iter().find(|s| s.path == path) {
            return known.number;
        }
        let mut gathered = Gathered::default();
        let (of, travels, host) = gather(self, &mut gathered);
        // what it needs has its number by now
        let number = ValueNumber(self.first_value + self.shared.len());
        self.shared.push(PlannedShared {
            number,
            path: path.to_owned(),
            of: crate::suite::without_crate(&of).to_owned(),
            around: Around {
                steps: gathered.steps,
                ..Around::default()
            },
            after: gathered.shared,
            travels,
            host,
        });
        number
    }
}

fn suite_step(suite: &str, node: &Node<'_>) -> Step {
    Step {
        path: node.setup.map_or(suite, |s| s.path.as_str()).to_owned(),
        action: match node.setup {
            Some(_) => StepAction::Run,
            None => StepAction::Nothing,
        },
        suite: Some(suite.to_owned()),
        teardown: node.teardown.map(|t| format!("{EXPORT_PREFIX}{}", t.path)),
        fresh: node.setup.is_some_and(|s| s.fresh),
    }
}

fn value_step(function: &ListedFunction) -> Step {
    Step {
        path: function.path.clone(),
        action: StepAction::Run,
        suite: None,
        teardown: function
            .tears_down
            .then(|| format!("{TEARDOWN_PREFIX}{}", function.path)),
        fresh: function.fresh,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Ignored, ModulePlan, PlannedModule, PlannedTask, Splitting, plan_module};
    use super::*;
    use crate::event::{Format, Harness};
    use crate::filter::Filter;
    use crate::protocol::ModuleNumber;
    use crate::suite::ListedSuite;

    /// A test of this path, the crate's name first, in the order of the source.
    fn test(path: &str, case: u64) -> ListedTest {
        ListedTest {
            export: Some(format!("{EXPORT_PREFIX}{path}")),
            case,
            ..ListedTest::named(crate::suite::without_crate(path), Harness::Sdk)
        }
    }

    fn tests(paths: &[&str]) -> Vec<ListedTest> {
        paths.iter().map(|p| test(p, 0)).collect()
    }

    fn function(path: &str, role: Role) -> ListedFunction {
        ListedFunction {
            path: path.to_owned(),
            role,
            distribution: None,
            needs: Vec::new(),
            travels: false,
            tears_down: false,
            fresh: false,
            host: None,
        }
    }

    fn marked(path: &str, distribution: Distribution) -> ListedSuite {
        ListedSuite {
            path: path.to_owned(),
            distribution: Some(distribution),
        }
    }

    fn plan(tests: Vec<ListedTest>, furniture: &Furniture, splitting: Splitting) -> ModulePlan {
        let module = PlannedModule {
            number: ModuleNumber(0),
            name: "m.wasm".into(),
            order: 0,
            format: Format::Core,
            again: "wasmtest run m.wasm".into(),
            splitting,
        };
        let (filter, ignored) = (Filter::default(), Ignored::Skip);
        plan_module(&module, tests, furniture, 0, &filter, ignored)
    }

    fn functions(functions: Vec<ListedFunction>) -> Furniture {
        Furniture {
            functions,
            ..Furniture::default()
        }
    }

    #[test]
    fn case_15_a_class_with_a_fixture_is_one_unit_and_each_test_of_one_without_is_one() {
        let all = tests(&["c::with::a", "c::with::b", "c::without::a", "c::without::b"]);
        for role in [Role::Setup, Role::Teardown, Role::Fixture] {
            let furniture = functions(vec![function("c::with::f", role)]);
            let plan = plan(all.clone(), &furniture, Splitting::Singly);
            assert_eq!(plan.tasks.len(), 3, "{role:?}");
            assert_eq!(plan.tests(), 4);
            assert!(matches!(&plan.tasks[0], PlannedTask::Unit(u) if u.tests.len() == 2));
        }
    }

    #[test]
    fn case_16_a_module_with_a_teardown_alone_is_one_unit() {
        let all = tests(&["c::m::a", "c::m::b", "c::m::inner::c"]);
        let furniture = functions(vec![function("c::m::end", Role::Teardown)]);
        let plan = plan(all, &furniture, Splitting::Singly);
        assert_eq!(plan.tasks.len(), 1);
        assert_eq!(plan.tasks[0].tests().len(), 3);
    }

    #[test]
    fn case_17_each_test_of_a_module_without_fixtures_is_one_unit() {
        let all = tests(&["c::m::a", "c::m::b", "c::m::c"]);
        let nothing = Furniture::default();
        assert_eq!(
            plan(all.clone(), &nothing, Splitting::Singly).tasks.len(),
            3
        );
        // what runs around each test sets nothing up, and a mark alone neither
        let furniture = Furniture {
            suites: vec![ListedSuite {
                path: "c::m".to_owned(),
                distribution: None,
            }],
            functions: vec![function("c::m::before", Role::Before)],
        };
        assert_eq!(plan(all, &furniture, Splitting::Singly).tasks.len(), 3);
    }

    #[test]
    fn case_18_the_cases_of_a_suite_with_a_fixture_are_one_unit_in_their_order() {
        // as they are listed: by name
        let all = vec![
            test("c::m::t::one", 1),
            test("c::m::t::two", 2),
            test("c::m::t::zero", 0),
        ];
        let furniture = functions(vec![function("c::m::begin", Role::Setup)]);
        let plan = plan(all, &furniture, Splitting::Singly);
        assert_eq!(plan.tasks.len(), 1);
        let names = plan.tasks[0].tests().iter().map(|t| &*t.info.id.path);
        assert!(names.eq(["m::t::zero", "m::t::one", "m::t::two"]));
    }

    #[test]
    fn case_19_each_test_of_a_splittable_module_is_one_unit_where_there_are_workers() {
        let all = tests(&["c::m::a", "c::m::b", "c::m::c"]);
        let furniture = Furniture {
            suites: vec![marked("c::m", Distribution::Split)],
            functions: vec![function("c::m::begin", Role::Setup)],
        };
        let singly = plan(all.clone(), &furniture, Splitting::Singly);
        assert_eq!(singly.tasks.len(), 3);
        for task in &singly.tasks {
            let steps = &task.tests()[0].place.around.steps;
            assert_eq!(steps.len(), 1);
            assert_eq!(steps[0].path, "c::m::begin");
        }
        let whole = plan(all, &furniture, Splitting::Whole);
        assert_eq!(whole.tasks.len(), 1);
    }

    #[test]
    fn case_28_an_unmarked_ancestor_makes_one_unit_and_others_are_entered_outermost_first() {
        let all = tests(&["c::m::k::a", "c::m::k::b"]);
        let hooks = ["c::begin", "c::m::begin", "c::m::k::begin"];
        let hooks = hooks.map(|path| function(path, Role::Setup));
        let with = |marks: [Option<Distribution>; 3]| {
            let suites = ["c", "c::m", "c::m::k"].into_iter().zip(marks);
            let furniture = Furniture {
                suites: suites
                    .map(|(path, distribution)| ListedSuite {
                        path: path.to_owned(),
                        distribution,
                    })
                    .collect(),
                functions: hooks.to_vec(),
            };
            plan(all.clone(), &furniture, Splitting::Singly)
        };
        use Distribution::{Shared, Split};
        let steps = |plan: &ModulePlan| -> Vec<String> {
            let place = &plan.tasks[0].tests()[0].place;
            place.around.steps.iter().map(|s| s.path.clone()).collect()
        };
        let paths: Vec<String> = hooks.iter().map(|h| h.path.clone()).collect();
        let package = with([None, Some(Shared), Some(Split)]);
        assert_eq!(package.tasks.len(), 1);
        assert!(matches!(&package.tasks[0], PlannedTask::Unit(u) if u.suite == "c"));
        assert!(
            package.shared.is_empty(),
            "inside a unit everything is local"
        );
        assert_eq!(steps(&package), paths);
        let shared = with([Some(Shared), Some(Shared), Some(Split)]);
        assert_eq!(shared.tasks.len(), 2);
        let set_up: Vec<&str> = shared.shared.iter().map(|s| s.path.as_str()).collect();
        assert_eq!(set_up, paths[..2]);
        assert_eq!(steps(&shared), paths[2..]);
        let split = with([Some(Split); 3]);
        assert_eq!(split.tasks.len(), 2);
        assert_eq!(steps(&split), paths);
    }
}
