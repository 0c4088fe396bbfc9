//! Where each test of a module goes, by the suites and fixtures around it. Pure.
//!
//! A suite with a setup or a teardown and no mark is a unit: its tests go whole to one worker.
//! A split suite's tests go singly, with its fixtures replayed for each; a shared
//! suite's go singly, after its setup has run once. Ancestors count, the outermost
//! first: under a unit everything is one unit. Serial suites run alone at the end.
//! Where there is one process for everything a split suite is a unit too.

use super::Splitting;
use crate::event::FixtureKind;
use crate::protocol::ListedTest;
use crate::protocol::suites::{
    Distribution, FixturePlan, FixtureStep, ListedFunction, ModuleFixtures, Role, StepAction,
    ValueNumber, module_of,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use wasmtest_section::{DROP_PREFIX, EXPORT_PREFIX, TEARDOWN_PREFIX};

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
    /// Whether a fixture in it that is marked `unit` keeps those of its tests together that need
    /// it.
    has_unit_fixture: bool,
}

impl Node<'_> {
    fn has_fixtures(&self) -> bool {
        self.setup.is_some() || self.teardown.is_some()
    }

    /// Whether it changes nothing about where its tests go.
    fn is_plain(&self) -> bool {
        self.distribution.is_none() && !self.has_fixtures()
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
    pub around: FixturePlan,
    /// What has to be set up before it.
    pub after: Vec<ValueNumber>,
    /// Whether it gives a value.
    pub travels: bool,
    /// The host fixture that it stands for.
    pub host: Option<String>,
}

impl PlannedShared {
    /// Whether it is a suite or a fixture.
    pub fn kind(&self) -> FixtureKind {
        let own = self.around.steps.last().filter(|_| self.host.is_none());
        own.map_or(FixtureKind::Fixture, FixtureStep::kind)
    }

    /// Whether anything in its instance has a teardown.
    pub fn tears_down(&self) -> bool {
        self.around.steps.iter().any(|s| s.teardown.is_some())
    }
}

/// What is shared and needed, by these or by what they need.
pub fn reached<'a>(
    needed: &[ValueNumber],
    after: impl Fn(ValueNumber) -> &'a [ValueNumber],
) -> Vec<ValueNumber> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    let mut new = |number: &ValueNumber| seen.insert(*number);
    all.extend(needed.iter().copied().filter(&mut new));
    let mut next = 0;
    while let Some(number) = all.get(next).copied() {
        next += 1;
        all.extend(after(number).iter().copied().filter(&mut new));
    }
    all
}

/// Where one test goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// What runs around it in its instance.
    pub around: FixturePlan,
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
    steps: Vec<FixtureStep>,
    shared: Vec<ValueNumber>,
}

impl<'a> Suites<'a> {
    /// The suites of a module whose first shared fixture would have this number.
    pub fn new(
        module_fixtures: &'a ModuleFixtures,
        first_value: usize,
        splitting: Splitting,
    ) -> Self {
        let mut nodes: BTreeMap<&str, Node<'_>> = BTreeMap::new();
        for suite in &module_fixtures.suites {
            nodes.entry(&suite.path).or_default().distribution = suite.distribution;
        }
        for function in &module_fixtures.functions {
            let module = module_of(&function.path);
            let slot = match function.role {
                Role::Fixture => {
                    // where it is asked for in its own module it keeps that together
                    if is_unit_fixture(function) {
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
        let functions = module_fixtures
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

    /// Whether a suite is a unit by itself.
    pub fn is_unit(&self, suite: &str) -> bool {
        self.nodes
            .get(suite)
            .is_some_and(|node| node.is_unit(self.splitting))
    }

    /// How a suite's tests are distributed, and why; `None` if it changes nothing.
    pub fn reason(&self, suite: &str) -> Option<(Distribution, &'static str)> {
        let node = self.nodes.get(suite)?;
        let has = match (node.setup, node.teardown) {
            (Some(_), _) => "it has a setup",
            (None, Some(_)) => "it has a teardown",
            (None, None) => "it is marked so",
        };
        match node.distribution {
            Some(mark) => Some((mark, has)),
            None if node.is_unit(self.splitting) => Some((Distribution::Unit, has)),
            None if node.has_unit_fixture => Some((
                Distribution::Unit,
                "for tests that need a fixture of its own that is marked so",
            )),
            None => None,
        }
    }

    /// What is set up beside the workers, for the tests that were placed.
    pub fn into_shared(self) -> Vec<PlannedShared> {
        self.shared
    }

    /// Where a test goes.
    pub fn place(&mut self, test: &ListedTest) -> Placement {
        let Some(path) = test.full_path() else {
            return Placement::default();
        };
        if self.nodes.is_empty() && self.functions.is_empty() {
            return Placement::default();
        }
        let ancestors = self.ancestors(path);
        let unit = ancestors
            .iter()
            .position(|a| self.nodes[a].is_unit(self.splitting))
            .or_else(|| self.kept_together(test, &ancestors));
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
        // nothing that lives longer stands on them: so a replayed state holds all of that
        let (of_one_test, mut steps): (Vec<FixtureStep>, Vec<FixtureStep>) =
            gathered.steps.into_iter().partition(|s| s.of_one_test);
        steps.extend(of_one_test);
        let paths = |hooks: Vec<&ListedFunction>| hooks.iter().map(|h| h.path.clone()).collect();
        Placement {
            around: FixturePlan {
                steps,
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

    /// A fixture that is marked `unit` keeps the tests of its module together that need
    /// it, where nothing between the two says otherwise: the module's place among these.
    fn kept_together(&self, test: &ListedTest, ancestors: &[&str]) -> Option<usize> {
        let mut needed: Vec<&str> = test.needs.iter().map(String::as_str).collect();
        let mut modules: Vec<&str> = Vec::new();
        let mut next = 0;
        while let Some(path) = needed.get(next).copied() {
            next += 1;
            let Some(function) = self.functions.get(path) else {
                continue;
            };
            if is_unit_fixture(function) {
                modules.push(module_of(path));
            }
            for need in &function.needs {
                if !needed.contains(&need.as_str()) {
                    needed.push(need);
                }
            }
        }
        let at = ancestors.iter().position(|a| modules.contains(a))?;
        let plain = |a: &&str| self.nodes[a].is_plain();
        let free = ancestors[at..].iter().all(plain);
        free.then_some(at)
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
                    let suite = self.nodes.get_key_value(module_of(path));
                    let (suite, node) = suite.expect("it has a hook");
                    let (suite, node) = (*suite, node.clone());
                    self.share_suite(suite, &node)
                }
                _ => self.share_fixture(function),
            };
            if !to.shared.contains(&number) {
                to.shared.push(number);
            }
            to.steps.push(FixtureStep {
                path: path.to_owned(),
                action: StepAction::Receive(number),
                suite: None,
                teardown: None,
                drops: None,
                needs: Vec::new(),
                fresh: false,
                of_one_test: false,
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
            of: crate::protocol::suites::without_crate(&of).to_owned(),
            around: FixturePlan {
                steps: gathered.steps,
                ..FixturePlan::default()
            },
            after: gathered.shared,
            travels,
            host,
        });
        number
    }
}

/// Whether it is made once in an instance, and asks for one for the tests of its module.
fn is_unit_fixture(function: &ListedFunction) -> bool {
    function.role == Role::Fixture
        && function.distribution == Some(Distribution::Unit)
        && !function.is_of_one_test()
}

fn drops(function: &ListedFunction) -> Option<String> {
    let drops = function.drops;
    drops.then(|| format!("{DROP_PREFIX}{}", function.path))
}

fn suite_step(suite: &str, node: &Node<'_>) -> FixtureStep {
    let hooks = [node.setup, node.teardown].into_iter().flatten();
    FixtureStep {
        path: node.setup.map_or(suite, |s| s.path.as_str()).to_owned(),
        action: match node.setup {
            Some(_) => StepAction::Run,
            None => StepAction::Nothing,
        },
        suite: Some(suite.to_owned()),
        teardown: node.teardown.map(|t| format!("{EXPORT_PREFIX}{}", t.path)),
        drops: node.setup.and_then(drops),
        needs: hooks.flat_map(|f| f.needs.iter().cloned()).collect(),
        of_one_test: false,
        fresh: node.setup.is_some_and(|s| s.fresh),
    }
}

fn value_step(function: &ListedFunction) -> FixtureStep {
    FixtureStep {
        path: function.path.clone(),
        action: StepAction::Run,
        suite: None,
        teardown: function
            .tears_down
            .then(|| format!("{TEARDOWN_PREFIX}{}", function.path)),
        drops: drops(function),
        needs: function.needs.clone(),
        fresh: function.is_of_one_test(),
        of_one_test: function.is_of_one_test(),
    }
}

#[cfg(test)]
mod tests;
