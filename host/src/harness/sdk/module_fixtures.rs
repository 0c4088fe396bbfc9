//! Whether suites, fixtures and tests fit together: what is asked for is there, nothing
//! goes round in a circle, and each module says one thing about itself.
//!
//! The SDK's macros refuse most of this at compile time; a file can claim anything.

use super::{lies, too_many};
use crate::event::Cause;
use crate::protocol::ListedTest;
use crate::protocol::suites::{Distribution, ListedFunction, ModuleFixtures, Role, module_of};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// Nothing needs more fixtures, directly or not.
const MAX_CLOSURE: usize = super::MAX_NEEDS;
/// Nor lies in more suites.
const MAX_DEPTH: usize = 32;
/// Nor in more modules, each of which could be one.
const MAX_MODULES: usize = 128;
/// Nor sets up more that is shared.
const MAX_SHARED: usize = 1000;
/// Nor has more fixtures and hooks, for each of which it is remembered what it needs.
const MAX_FUNCTIONS: usize = 50_000;
/// What is run around all tests of a file together, in bytes of its names.
const MAX_AROUND: usize = 64 << 20;

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Something of a file's is looked at. Tests count them: no list takes more than its length's
/// worth.
fn step() {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

/// Checks everything, and settles each suite's mark on its setup.
///
/// # Errors
/// In words for the user, if something does not fit.
pub fn check(tests: &[ListedTest], module_fixtures: &mut ModuleFixtures) -> Result<(), Cause> {
    let all = module_fixtures.functions.len();
    if all > MAX_FUNCTIONS {
        return Err(lies(format!(
            "it lists {all} fixtures and hooks, and {MAX_FUNCTIONS} are read at most"
        )));
    }
    one_of_each(module_fixtures)?;
    settle_marks(module_fixtures)?;
    not_too_many_shared(module_fixtures)?;
    let functions: BTreeMap<&str, &ListedFunction> = module_fixtures
        .functions
        .iter()
        .map(|f| (f.path.as_str(), f))
        .collect();
    for function in functions.values() {
        check_needs(&function.path, &function.needs, &functions)?;
        let is_shared = function.distribution == Some(Distribution::Shared);
        for need in function.needs.iter().filter(|_| is_shared) {
            let needed = functions[need.as_str()];
            if needed.distribution != Some(Distribution::Shared) && needed.host.is_none() {
                return Err(lies(format!(
                    "`{}` is shared and needs `{need}`, which is not: a shared fixture can need shared ones only",
                    function.path
                )));
            }
        }
        let around_one_test = matches!(function.role, Role::Before | Role::After);
        let of_one_test = function
            .needs
            .iter()
            .find(|need| functions[need.as_str()].is_of_one_test());
        if let Some(need) = of_one_test
            && !around_one_test
            && !function.is_of_one_test()
        {
            return Err(Cause::new(format!(
                "`{}` is there for several tests and needs `{need}`, which is made for each of them",
                function.path
            ))
            .hint("mark that fixture as `unit`, `split` or `shared`, or do not ask for it there"));
        }
    }
    for test in tests {
        check_needs(
            test.full_path().unwrap_or(&test.path),
            &test.needs,
            &functions,
        )?;
    }
    no_circles(&functions)?;
    not_too_many(tests, module_fixtures, &functions)
}

/// Leaves out fixtures that nothing in the file asks for: the SDK brings its own into each.
pub fn leave_out_what_nobody_needs(tests: &[ListedTest], module_fixtures: &mut ModuleFixtures) {
    let functions = &mut module_fixtures.functions;
    let hooks = functions.iter().filter(|f| f.role != Role::Fixture);
    let hooks: Vec<String> = hooks.flat_map(|f| f.needs.clone()).collect();
    let of_tests = tests.iter().flat_map(|test| test.needs.iter().cloned());
    let mut left: Vec<String> = of_tests.chain(hooks).collect();
    let by_path: HashMap<&str, &ListedFunction> =
        functions.iter().map(|f| (f.path.as_str(), f)).collect();
    let mut needed: HashSet<String> = HashSet::new();
    while let Some(path) = left.pop() {
        step();
        if !needed.contains(&path) {
            let function = by_path.get(path.as_str());
            left.extend(function.iter().flat_map(|f| f.needs.clone()));
            needed.insert(path);
        }
    }
    functions.retain(|f| f.role != Role::Fixture || needed.contains(&f.path));
}

/// What tests need is bounded: a file of some MiB could ask for any amount of it.
fn not_too_many(
    tests: &[ListedTest],
    module_fixtures: &ModuleFixtures,
    functions: &BTreeMap<&str, &ListedFunction>,
) -> Result<(), Cause> {
    let mut closures: HashMap<&str, Rc<HashSet<&str>>> = HashMap::new();
    for start in functions.keys() {
        // what it needs comes before it; there is no circle by now
        let mut stack = vec![*start];
        while let Some(path) = stack.last().copied() {
            step();
            let function = functions[path];
            let missing = function
                .needs
                .iter()
                .find(|n| !closures.contains_key(n.as_str()));
            if let (Some(missing), false) = (missing, closures.contains_key(path)) {
                stack.push(missing);
                continue;
            }
            stack.pop();
            let mut closure = HashSet::from([path]);
            for need in &function.needs {
                let needed = &closures[need.as_str()];
                needed.iter().for_each(|_| step());
                closure.extend(needed.iter());
                if closure.len() > MAX_CLOSURE {
                    return Err(too_many(path));
                }
            }
            closures.insert(path, Rc::new(closure));
        }
    }
    let mut hooks: HashMap<&str, Vec<&ListedFunction>> = HashMap::new();
    for function in functions.values().filter(|f| f.role != Role::Fixture) {
        hooks
            .entry(module_of(&function.path))
            .or_default()
            .push(function);
    }
    let marked: HashSet<&str> = module_fixtures
        .suites
        .iter()
        .map(|s| s.path.as_str())
        .collect();
    let mut all = 0usize;
    for test in tests {
        let path = test.full_path().unwrap_or(&test.path);
        if path.matches("::").count() > MAX_MODULES {
            return Err(lies(format!("`{path}` lies in over {MAX_MODULES} modules")));
        }
        let ends = path.match_indices("::").map(|(end, _)| &path[..end]);
        let ends = ends.inspect(|_| step());
        let suites: Vec<&str> = ends
            .filter(|s| hooks.contains_key(s) || marked.contains(s))
            .collect();
        if suites.len() > MAX_DEPTH {
            return Err(lies(format!("`{path}` lies in over {MAX_DEPTH} suites")));
        }
        let of_suites = suites.iter().filter_map(|s| hooks.get(s)).flatten();
        let needs = of_suites.flat_map(|hook| hook.needs.iter().chain([&hook.path]));
        let mut around: HashSet<&str> = suites.iter().copied().collect();
        for need in needs.chain(&test.needs) {
            let closure = &closures[need.as_str()];
            closure.iter().for_each(|_| step());
            around.extend(closure.iter());
            if around.len() > MAX_CLOSURE * 2 {
                return Err(too_many(path));
            }
        }
        all += around.iter().map(|path| path.len()).sum::<usize>();
        if all > MAX_AROUND {
            return Err(lies(format!(
                "what is run around its tests takes more than {} MiB to list",
                MAX_AROUND >> 20
            )));
        }
    }
    Ok(())
}

fn one_of_each(module_fixtures: &ModuleFixtures) -> Result<(), Cause> {
    let mut suites: Vec<&str> = module_fixtures
        .suites
        .iter()
        .map(|s| s.path.as_str())
        .collect();
    suites.sort_unstable();
    if let Some(pair) = suites.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(lies(format!("it lists the suite `{}` twice", pair[0])));
    }
    let mut paths: Vec<&str> = module_fixtures
        .functions
        .iter()
        .map(|f| f.path.as_str())
        .collect();
    paths.sort_unstable();
    if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(lies(format!("it lists `{}` twice", pair[0])));
    }
    let mut hooks: HashMap<(&str, Role), &str> = HashMap::new();
    for function in &module_fixtures.functions {
        step();
        if function.role == Role::Fixture {
            continue;
        }
        let module = module_of(&function.path);
        if let Some(other) = hooks.insert((module, function.role), &function.path) {
            return Err(Cause::new(format!(
                "the suite `{module}` has two functions for one thing ({}): `{other}` and `{}`",
                function.role.name(),
                function.path
            )));
        }
    }
    Ok(())
}

/// A suite's mark may stand on its module or on its setup, but there is one.
fn settle_marks(module_fixtures: &mut ModuleFixtures) -> Result<(), Cause> {
    let ModuleFixtures { suites, functions } = module_fixtures;
    let listed = suites.iter().map(|s| s.path.clone());
    let listed: HashMap<String, usize> = listed.zip(0..).collect();
    for function in functions {
        step();
        match function.role {
            Role::Fixture => continue,
            Role::Setup => {}
            _ if function.distribution.is_none() => continue,
            _ => {
                return Err(lies(format!(
                    "`{}` has a mark (`unit`, `split`, `shared` or `serial`), which only a suite, a setup or a fixture can have",
                    function.path
                )));
            }
        }
        let module = module_of(&function.path);
        // a module has one setup: what is added here is looked for by no other
        let marked = listed.get(module).map(|at| &mut suites[*at]);
        match (marked, function.distribution) {
            (Some(suite), Some(own)) if suite.distribution.is_some_and(|d| d != own) => {
                return Err(Cause::new(format!(
                    "the suite `{module}` is marked `{}` and its setup `{}`: a suite has one mark",
                    suite.distribution.map_or("", Distribution::name),
                    own.name()
                )));
            }
            (Some(suite), Some(own)) => suite.distribution = Some(own),
            (Some(suite), None) => function.distribution = suite.distribution,
            (None, Some(own)) => suites.push(crate::protocol::suites::ListedSuite {
                path: module.to_owned(),
                distribution: Some(own),
            }),
            (None, None) => {}
        }
    }
    Ok(())
}

/// Nothing of a file's is set up beside the workers more often: each such value is a round of
/// its own, and all of them are looked at between two tests.
fn not_too_many_shared(module_fixtures: &ModuleFixtures) -> Result<(), Cause> {
    let functions = module_fixtures.functions.iter();
    let functions = functions.filter(|f| {
        step();
        f.host.is_some() || f.role == Role::Fixture && f.distribution == Some(Distribution::Shared)
    });
    let suites = module_fixtures.suites.iter();
    let suites = suites.filter(|s| {
        step();
        s.distribution == Some(Distribution::Shared)
    });
    let all = functions.count() + suites.count();
    if all > MAX_SHARED {
        return Err(lies(format!(
            "it lists {all} shared suites and fixtures, and {MAX_SHARED} can be set up at most"
        )));
    }
    Ok(())
}

fn check_needs(
    who: &str,
    needs: &[String],
    functions: &BTreeMap<&str, &ListedFunction>,
) -> Result<(), Cause> {
    for need in needs {
        step();
        let Some(needed) = functions.get(need.as_str()) else {
            return Err(lies(format!(
                "`{who}` needs the fixture `{need}`, which is not listed"
            )));
        };
        match needed.role {
            Role::Fixture => {}
            // a setup's value is there for the tests of its suite
            Role::Setup => {
                let module = module_of(need);
                let inside = who
                    .strip_prefix(module)
                    .is_some_and(|rest| rest.starts_with("::"));
                if !inside {
                    return Err(Cause::new(format!(
                        "`{who}` needs the value of `{need}`, the setup of a suite that it is not in"
                    ))
                    .hint("make it a fixture of its own: #[wasmtest::fixture]"));
                }
            }
            _ => {
                return Err(lies(format!(
                    "`{who}` needs `{need}`, which gives no value"
                )));
            }
        }
    }
    Ok(())
}

fn no_circles(functions: &BTreeMap<&str, &ListedFunction>) -> Result<(), Cause> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Entered,
        Left,
    }
    let mut marks: HashMap<&str, Mark> = HashMap::new();
    for start in functions.keys() {
        // without recursion: a file may list a chain of any length
        let mut stack: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((path, next)) = stack.pop() {
            step();
            if next == 0 {
                match marks.get(path) {
                    Some(Mark::Left) => continue,
                    Some(Mark::Entered) => {
                        return Err(lies(format!("the fixture `{path}` needs itself")));
                    }
                    None => {
                        marks.insert(path, Mark::Entered);
                    }
                }
            }
            match functions[path].needs.get(next) {
                Some(need) => {
                    stack.push((path, next + 1));
                    stack.push((need, 0));
                }
                None => {
                    marks.insert(path, Mark::Left);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::suites::ListedSuite;

    fn function(path: &str, role: Role, needs: &[&str]) -> ListedFunction {
        ListedFunction {
            path: path.to_owned(),
            role,
            distribution: None,
            needs: needs.iter().map(|n| (*n).to_owned()).collect(),
            travels: false,
            tears_down: false,
            drops: false,
            fresh: false,
            host: None,
        }
    }

    #[test]
    fn fixtures_that_nothing_needs_are_left_out() {
        let mut test = ListedTest::named("t", crate::harness::sdk::NAME);
        test.needs = vec!["c::of_test".to_owned()];
        let mut module_fixtures = ModuleFixtures {
            functions: vec![
                function("c::m::before", Role::Before, &["c::of_hook"]),
                function("c::of_hook", Role::Fixture, &[]),
                function("c::of_test", Role::Fixture, &["c::below"]),
                function("c::below", Role::Fixture, &[]),
                function("wasmtest::unused", Role::Fixture, &["wasmtest::below"]),
                function("wasmtest::below", Role::Fixture, &[]),
            ],
            ..ModuleFixtures::default()
        };
        leave_out_what_nobody_needs(&[test], &mut module_fixtures);
        let left = module_fixtures.functions.iter().map(|f| f.path.as_str());
        let left: Vec<&str> = left.collect();
        assert_eq!(
            left,
            ["c::m::before", "c::of_hook", "c::of_test", "c::below"]
        );
    }

    fn said(functions: Vec<ListedFunction>) -> String {
        let mut module_fixtures = ModuleFixtures {
            functions,
            ..ModuleFixtures::default()
        };
        match check(&[], &mut module_fixtures) {
            Ok(()) => String::new(),
            Err(cause) => cause.message,
        }
    }

    #[test]
    fn circles_and_what_is_not_there_are_found() {
        let fixture = |path, needs: &[&str]| function(path, Role::Fixture, needs);
        assert_eq!(
            said(vec![fixture("c::a", &["c::b"]), fixture("c::b", &[])]),
            ""
        );
        let circle = vec![fixture("c::a", &["c::b"]), fixture("c::b", &["c::a"])];
        assert!(said(circle).contains("needs itself"));
        assert!(said(vec![fixture("c::a", &["c::x"])]).contains("not listed"));
        let two = |role| {
            vec![
                function("c::m::a", role, &[]),
                function("c::m::b", role, &[]),
            ]
        };
        assert!(said(two(Role::Setup)).contains("two functions"));
        assert_eq!(said(two(Role::Fixture)), "");
    }

    #[test]
    fn a_setup_is_needed_in_its_suite_alone() {
        let setup = function("c::m::setup", Role::Setup, &[]);
        let inside = function("c::m::inner::f", Role::Fixture, &["c::m::setup"]);
        assert_eq!(said(vec![setup.clone(), inside]), "");
        let outside = function("c::mm::f", Role::Fixture, &["c::m::setup"]);
        assert!(said(vec![setup, outside]).contains("a suite that it is not in"));
    }

    #[test]
    fn what_tests_need_is_bounded() {
        let names: Vec<String> = (0..50_000).map(|i| format!("c::f{i}")).collect();
        let chain = |n: usize| -> Vec<ListedFunction> {
            let one = |i: usize| {
                let next: Vec<&str> = names[..n]
                    .get(i + 1)
                    .map(String::as_str)
                    .into_iter()
                    .collect();
                function(&names[i], Role::Fixture, &next)
            };
            (0..n).map(one).collect()
        };
        assert_eq!(said(chain(MAX_CLOSURE)), "");
        assert!(said(chain(names.len())).contains("needs over 128 fixtures"));
        // each of a layer needs all of the next
        let layers = (0..60).flat_map(|layer| {
            let next: Vec<&str> = names[(layer + 1) * 60..(layer + 2) * 60]
                .iter()
                .map(String::as_str)
                .filter(|_| layer < 59)
                .collect();
            let this = &names[layer * 60..(layer + 1) * 60];
            this.iter()
                .map(move |n| function(n, Role::Fixture, &next))
                .collect::<Vec<_>>()
        });
        assert!(said(layers.collect()).contains("needs over 128 fixtures"));

        let modules: Vec<String> = (1..600).map(|n| vec!["m"; n].join("::")).collect();
        let mut module_fixtures = ModuleFixtures {
            functions: modules
                .iter()
                .map(|m| function(&format!("{m}::setup"), Role::Setup, &[]))
                .collect(),
            ..ModuleFixtures::default()
        };
        let mut test = ListedTest::named("t", crate::harness::sdk::NAME);
        let export = |module: &str| Some(format!("wasmtest:{module}::t"));
        test.export = export(&modules[MAX_DEPTH - 1]);
        assert!(check(&[test.clone()], &mut module_fixtures.clone()).is_ok());
        test.export = export(&modules[99]);
        let why = check(&[test], &mut module_fixtures).expect_err("too deep");
        assert!(why.message.contains("in over 32 suites"));
    }

    #[test]
    fn twice_as_much_takes_twice_the_steps() {
        // a marked suite, a setup, a fixture that a test of the suite needs beside the setup's value
        let steps = |n: usize| {
            let mut tests = Vec::new();
            let mut module_fixtures = ModuleFixtures::default();
            for i in 0..n {
                let suite = format!("c::m{i}");
                let setup = format!("{suite}::setup");
                let fixture = format!("{suite}::fixture");
                let functions = &mut module_fixtures.functions;
                functions.push(function(&setup, Role::Setup, &["c::base"]));
                functions.push(function(&fixture, Role::Fixture, &[&setup]));
                module_fixtures.suites.push(ListedSuite {
                    path: suite.clone(),
                    distribution: Some(Distribution::Split),
                });
                let mut test = ListedTest::named("t", crate::harness::sdk::NAME);
                test.export = Some(format!("wasmtest:{suite}::t"));
                test.needs = vec![fixture];
                tests.push(test);
            }
            let mut base = function("c::base", Role::Fixture, &[]);
            base.distribution = Some(Distribution::Unit);
            module_fixtures.functions.push(base);
            STEPS.set(0);
            check(&tests, &mut module_fixtures).expect("it fits together");
            leave_out_what_nobody_needs(&tests, &mut module_fixtures);
            STEPS.get()
        };
        let (once, twice) = (steps(10_000), steps(20_000));
        assert!(once < 10_000 * 50, "{once}");
        assert!(twice <= once * 2 + 100, "{once}, {twice}");
    }

    #[test]
    fn what_is_shared_and_what_modules_a_test_lies_in_are_bounded() {
        let mut shared: Vec<ListedFunction> = (0..=MAX_SHARED)
            .map(|i| function(&format!("c::f{i}"), Role::Fixture, &[]))
            .collect();
        for function in &mut shared {
            function.distribution = Some(Distribution::Shared);
        }
        assert!(said(shared.clone()).contains("1001 shared suites and fixtures"));
        shared.pop();
        assert_eq!(said(shared), "");
        let many = (0..=MAX_FUNCTIONS).map(|i| function(&format!("c::f{i}"), Role::Fixture, &[]));
        assert!(said(many.collect()).contains("50001 fixtures and hooks"));
        let mut test = ListedTest::named("t", crate::harness::sdk::NAME);
        test.export = Some(format!("wasmtest:{}t", "m::".repeat(MAX_MODULES + 1)));
        let why = check(&[test], &mut ModuleFixtures::default()).expect_err("too deep");
        assert!(why.message.contains("in over 128 modules"));
    }

    #[test]
    fn shared_ones_need_shared_ones() {
        let mut shared = function("c::a", Role::Fixture, &["c::b"]);
        shared.distribution = Some(Distribution::Shared);
        let mut other = function("c::b", Role::Fixture, &[]);
        assert!(said(vec![shared.clone(), other.clone()]).contains("shared ones only"));
        other.distribution = Some(Distribution::Shared);
        assert_eq!(said(vec![shared, other]), "");
    }

    #[test]
    fn what_is_there_for_several_tests_needs_nothing_of_one_tests_own() {
        let own = function("c::own", Role::Fixture, &[]);
        let needing = |role, distribution| {
            let mut function = function("c::m::f", role, &["c::own"]);
            function.distribution = distribution;
            said(vec![own.clone(), function])
        };
        let mark = Distribution::Split;
        for (role, mark) in [
            (Role::Setup, None),
            (Role::Teardown, None),
            (Role::Fixture, Some(Distribution::Unit)),
            (Role::Fixture, Some(mark)),
        ] {
            let why = needing(role, mark);
            assert!(
                why.contains("`c::m::f` is there for several tests"),
                "{why}"
            );
        }
        for role in [Role::Before, Role::After, Role::Fixture] {
            assert_eq!(needing(role, None), "");
        }
    }
}
