//! The plan as people read it: a tree of suites, what goes where, and why. Pure.

use super::suites::Suites;
use super::{ModulePlan, PlannedTask, PlannedTest, Splitting};
use crate::protocol::suites::{Distribution, ModuleFixtures, Role, without_crate};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A line of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// How deep it lies; 0 is the module.
    pub depth: usize,
    /// What it is of, and why it goes where it goes.
    pub text: String,
    /// Which tests go how; may be empty.
    pub tests: String,
}

/// Whether every test is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Suites alone.
    Suites,
    /// Their tests and fixtures too.
    Tests,
}

/// What it means that a split suite stays whole.
pub const WHOLE: &str = "with --processes 0 its tests share an instance, and verdicts can differ; --processes 1 replays";

/// Why states of a module's are not replayed, if they are not.
pub type NoSnapshots = Option<String>;

/// A module's plan as a tree.
pub fn tree(
    module: &str,
    plan: &ModulePlan,
    module_fixtures: &ModuleFixtures,
    no_snapshots: &NoSnapshots,
    splitting: Splitting,
    detail: Detail,
) -> Vec<PlanLine> {
    let suites = Suites::new(module_fixtures, 0, splitting);
    let tests = || plan.tasks.iter().flat_map(PlannedTask::tests);
    let mut nodes: BTreeSet<&str> = BTreeSet::new();
    let mut direct: BTreeMap<&str, Vec<&PlannedTest>> = BTreeMap::new();
    for test in tests() {
        nodes.extend(test.place.suites.iter().map(String::as_str));
        let innermost = test.place.suites.last().map_or("", String::as_str);
        direct.entry(innermost).or_default().push(test);
    }
    let mut lines = vec![PlanLine {
        depth: 0,
        text: module.to_owned(),
        tests: direct.get("").map(|t| how_many(t)).unwrap_or_default(),
    }];
    let name_tests = |lines: &mut Vec<PlanLine>, depth: usize, tests: &[&PlannedTest]| {
        if detail == Detail::Tests {
            lines.extend(tests.iter().map(|test| PlanLine {
                depth,
                text: test.info.id.path.to_string(),
                tests: String::new(),
            }));
        }
    };
    if let Some(tests) = direct.get("") {
        name_tests(&mut lines, 1, tests);
    }
    for node in &nodes {
        let ends = node.match_indices("::").map(|(end, _)| &node[..end]);
        let above: Vec<&str> = ends.filter(|other| nodes.contains(other)).collect();
        let own = direct.get(node).map_or(&[][..], Vec::as_slice);
        lines.push(PlanLine {
            depth: above.len() + 1,
            text: format!(
                "{}{}",
                without_crate(node),
                why(&suites, node, &above, no_snapshots)
            ),
            tests: how_many(own),
        });
        name_tests(&mut lines, above.len() + 2, own);
    }
    let steps = tests().flat_map(|t| &t.place.around.steps);
    let wanted: HashSet<&str> = steps.map(|s| s.path.as_str()).collect();
    for function in &module_fixtures.functions {
        if function.role != Role::Fixture || !wanted.contains(function.path.as_str()) {
            continue;
        }
        let text = match (&function.host, function.distribution) {
            (Some(host), _) => format!("host: `{host}` of wasmtest.toml"),
            (None, Some(Distribution::Shared)) => {
                "shared: set up once, beside the workers".to_owned()
            }
            (None, Some(mark)) if !function.is_of_one_test() => {
                format!("{}: made once an instance", mark.name())
            }
            (None, _) => "made for each test".to_owned(),
        };
        lines.push(PlanLine {
            depth: 1,
            text: format!("fixture {} ({text})", without_crate(&function.path)),
            tests: String::new(),
        });
    }
    if !plan.skipped.is_empty() {
        lines.push(PlanLine {
            depth: 1,
            text: "not run".to_owned(),
            tests: format!("{}, skipped", count(plan.skipped.len())),
        });
    }
    lines
}

/// The tests of a module that are bound to one host fixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundTests {
    /// The host fixture's name.
    pub fixture: String,
    /// Whether `wasmtest.toml` describes it.
    pub described: bool,
    /// The paths of those that `wasmtest.toml` names.
    pub by_configuration: Vec<String>,
    /// The paths of the others, which ask for it by its name.
    pub by_name: Vec<String>,
}

/// What a module's tests are bound to, as the last lines of its tree.
pub fn host_fixtures(bound: &[BoundTests], detail: Detail) -> Vec<PlanLine> {
    let mut lines = Vec::new();
    for bound in bound {
        let parts = [
            (&bound.by_configuration, "by `tests` in wasmtest.toml"),
            (&bound.by_name, "by name"),
        ];
        let counted = parts.iter().filter(|(tests, _)| !tests.is_empty());
        let counted: Vec<String> = counted
            .map(|(tests, how)| format!("{}, {how}", count(tests.len())))
            .collect();
        let text = match bound.described {
            true => format!("host fixture {}", bound.fixture),
            false => format!(
                "host fixture {} (not described: wasmtest.toml has no [fixture.{0}])",
                bound.fixture
            ),
        };
        lines.push(PlanLine {
            depth: 1,
            text,
            tests: counted.join("; "),
        });
        if detail == Detail::Tests {
            let tests = bound.by_configuration.iter().chain(&bound.by_name);
            lines.extend(tests.map(|test| PlanLine {
                depth: 2,
                text: test.clone(),
                tests: String::new(),
            }));
        }
    }
    lines
}

/// Why a suite's tests go where they go.
fn why(suites: &Suites<'_>, node: &str, above: &[&str], no_snapshots: &NoSnapshots) -> String {
    if let Some(unit) = above.iter().find(|a| suites.is_unit(a)) {
        return format!(" (part of the unit {})", without_crate(unit));
    }
    let Some((mark, has)) = suites.reason(node) else {
        return String::new();
    };
    match (mark, no_snapshots) {
        (Distribution::Unit, _) if has.starts_with("for") => format!(" (unit {has})"),
        (Distribution::Unit, _) => format!(" (unit: {has})"),
        (Distribution::Serial, _) => " (serial)".to_owned(),
        (Distribution::Shared, _) => " (shared: set up once, beside the workers)".to_owned(),
        (Distribution::Split, _) if suites.is_unit(node) => {
            format!(" (split, but whole: {WHOLE})")
        }
        (Distribution::Split, None) => {
            " (split: set up once, then replayed if it stays within its memory)".to_owned()
        }
        (Distribution::Split, Some(why)) => format!(" (split: set up again for each test: {why})"),
    }
}

fn how_many(tests: &[&PlannedTest]) -> String {
    let serial = tests.iter().filter(|t| t.place.serial).count();
    let together = |t: &&&PlannedTest| t.place.unit.is_some() && !t.place.serial;
    let together = tests.iter().filter(together).count();
    let singly = tests.len() - serial - together;
    let parts = [
        (singly, "singly"),
        (together, "together"),
        (serial, "alone at the end"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts
        .map(|(n, how)| format!("{}, {how}", count(*n)))
        .collect();
    parts.join("; ")
}

fn count(tests: usize) -> String {
    match tests {
        1 => "1 test".to_owned(),
        n => format!("{n} tests"),
    }
}
