//! How many units of dispatch a plan has, and what is set up around them.

use super::super::{Choice, ModulePlan, PlannedModule, PlannedTask, Splitting, plan_module};
use super::*;
use crate::event::Format;
use crate::harness::sdk;
use crate::plan::filter::Filter;
use crate::protocol::ModuleNumber;
use crate::protocol::suites::ListedSuite;

/// A test of this path, the crate's name first, in the order of the source.
fn test(path: &str, case: u64) -> ListedTest {
    ListedTest {
        export: Some(format!("{EXPORT_PREFIX}{path}")),
        case,
        ..ListedTest::named(crate::protocol::suites::without_crate(path), sdk::NAME)
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
        drops: false,
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

fn plan(
    tests: Vec<ListedTest>,
    module_fixtures: &ModuleFixtures,
    splitting: Splitting,
) -> ModulePlan {
    let module = PlannedModule {
        number: ModuleNumber(0),
        name: "m.wasm".into(),
        order: 0,
        format: Format::Core,
        rerun: "wasmtest run m.wasm".into(),
        splitting,
    };
    let (filter, choice) = (Filter::default(), Choice::default());
    plan_module(&module, tests, module_fixtures, 0, &filter, choice)
}

fn functions(functions: Vec<ListedFunction>) -> ModuleFixtures {
    ModuleFixtures {
        functions,
        ..ModuleFixtures::default()
    }
}

#[test]
fn case_15_a_class_with_a_fixture_is_one_unit_and_each_test_of_one_without_is_one() {
    use Distribution::Unit;
    let mut all = tests(&["c::with::a", "c::with::b", "c::without::a", "c::without::b"]);
    // a value is a fixture of those that ask for it
    for test in &mut all[..2] {
        test.needs = vec!["c::with::f".to_owned()];
    }
    let marks = [
        (Role::Setup, None),
        (Role::Teardown, None),
        (Role::Fixture, Some(Unit)),
    ];
    for (role, distribution) in marks {
        let module_fixtures = functions(vec![ListedFunction {
            distribution,
            ..function("c::with::f", role)
        }]);
        let plan = plan(all.clone(), &module_fixtures, Splitting::Singly);
        assert_eq!(plan.tasks.len(), 3, "{role:?}");
        assert_eq!(plan.tests(), 4);
        assert!(matches!(&plan.tasks[0], PlannedTask::Unit(u) if u.tests.len() == 2));
    }
}

#[test]
fn case_16_a_module_with_a_teardown_alone_is_one_unit() {
    let all = tests(&["c::m::a", "c::m::b", "c::m::inner::c"]);
    let module_fixtures = functions(vec![function("c::m::end", Role::Teardown)]);
    let plan = plan(all, &module_fixtures, Splitting::Singly);
    assert_eq!(plan.tasks.len(), 1);
    assert_eq!(plan.tasks[0].tests().len(), 3);
}

#[test]
fn case_17_each_test_of_a_module_without_fixtures_is_one_unit() {
    let all = tests(&["c::m::a", "c::m::b", "c::m::c"]);
    let nothing = ModuleFixtures::default();
    assert_eq!(
        plan(all.clone(), &nothing, Splitting::Singly).tasks.len(),
        3
    );
    // what runs around each test sets nothing up, and a mark alone neither
    let module_fixtures = ModuleFixtures {
        suites: vec![ListedSuite {
            path: "c::m".to_owned(),
            distribution: None,
        }],
        functions: vec![function("c::m::before", Role::Before)],
    };
    assert_eq!(
        plan(all, &module_fixtures, Splitting::Singly).tasks.len(),
        3
    );
}

#[test]
fn case_18_the_cases_of_a_suite_with_a_fixture_are_one_unit_in_their_order() {
    // as they are listed: by name
    let all = vec![
        test("c::m::t::one", 1),
        test("c::m::t::two", 2),
        test("c::m::t::zero", 0),
    ];
    let module_fixtures = functions(vec![function("c::m::begin", Role::Setup)]);
    let plan = plan(all, &module_fixtures, Splitting::Singly);
    assert_eq!(plan.tasks.len(), 1);
    let names = plan.tasks[0].tests().iter().map(|t| &*t.info.id.path);
    assert!(names.eq(["m::t::zero", "m::t::one", "m::t::two"]));
}

#[test]
fn case_19_each_test_of_a_splittable_module_is_one_unit_where_there_are_workers() {
    let all = tests(&["c::m::a", "c::m::b", "c::m::c"]);
    let module_fixtures = ModuleFixtures {
        suites: vec![marked("c::m", Distribution::Split)],
        functions: vec![function("c::m::begin", Role::Setup)],
    };
    let singly = plan(all.clone(), &module_fixtures, Splitting::Singly);
    assert_eq!(singly.tasks.len(), 3);
    for task in &singly.tasks {
        let steps = &task.tests()[0].place.around.steps;
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].path, "c::m::begin");
    }
    let whole = plan(all, &module_fixtures, Splitting::Whole);
    assert_eq!(whole.tasks.len(), 1);
}

#[test]
fn case_28_an_unmarked_ancestor_makes_one_unit_and_others_are_entered_outermost_first() {
    let all = tests(&["c::m::k::a", "c::m::k::b"]);
    let hooks = ["c::begin", "c::m::begin", "c::m::k::begin"];
    let hooks = hooks.map(|path| function(path, Role::Setup));
    let with = |marks: [Option<Distribution>; 3]| {
        let suites = ["c", "c::m", "c::m::k"].into_iter().zip(marks);
        let module_fixtures = ModuleFixtures {
            suites: suites
                .map(|(path, distribution)| ListedSuite {
                    path: path.to_owned(),
                    distribution,
                })
                .collect(),
            functions: hooks.to_vec(),
        };
        plan(all.clone(), &module_fixtures, Splitting::Singly)
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

#[test]
fn a_unit_fixture_keeps_those_together_that_need_it_and_no_others() {
    let needing = |path: &str| ListedTest {
        needs: vec!["c::db".to_owned()],
        ..test(path, 0)
    };
    let fixture = ListedFunction {
        distribution: Some(Distribution::Unit),
        ..function("c::db", Role::Fixture)
    };
    let setup = function("c::unit::setup", Role::Setup);
    let module_fixtures = ModuleFixtures {
        suites: vec![marked("c::split", Distribution::Split)],
        functions: vec![fixture, setup],
    };
    let mut all = tests(&["c::a", "c::m::b", "c::unit::c"]);
    all.extend(["c::d", "c::m::e", "c::unit::f", "c::split::g"].map(needing));
    let plan = plan(all, &module_fixtures, Splitting::Singly);
    let mut units: Vec<Vec<&str>> = plan
        .tasks
        .iter()
        .map(|t| t.tests().iter().map(|t| &*t.info.id.path).collect())
        .collect();
    for unit in &mut units {
        unit.sort_unstable();
    }
    units.sort_unstable();
    let expected: [&[&str]; 5] = [
        &["a"],
        &["d", "m::e"],
        &["m::b"],
        &["split::g"],
        &["unit::c", "unit::f"],
    ];
    assert_eq!(units, expected);
}

#[test]
fn a_fixture_without_a_mark_is_each_tests_own_and_keeps_none_together() {
    let needing = |path: &str, needs: &[&str]| ListedTest {
        needs: needs.iter().map(|n| (*n).to_owned()).collect(),
        ..test(path, 0)
    };
    let of = |path: &str, distribution, needs: &[&str]| ListedFunction {
        distribution,
        needs: needs.iter().map(|n| (*n).to_owned()).collect(),
        ..function(path, Role::Fixture)
    };
    let split = Some(Distribution::Split);
    let module_fixtures = functions(vec![
        of("c::own", None, &["c::kept"]),
        of("c::kept", split, &[]),
        of("c::other", split, &[]),
        ListedFunction {
            fresh: true,
            ..of("c::fresh", Some(Distribution::Unit), &[])
        },
        function("c::unit::begin", Role::Setup),
    ]);
    let needs = ["c::own", "c::fresh", "c::other"];
    let all = ["c::a", "c::b", "c::unit::c", "c::unit::d"];
    let all = all.map(|path| needing(path, &needs)).to_vec();
    let plan = plan(all, &module_fixtures, Splitting::Singly);
    assert_eq!(plan.tasks.len(), 3);
    let steps = |task: usize| -> Vec<(String, bool)> {
        let place = &plan.tasks[task].tests()[0].place;
        let steps = place.around.steps.iter();
        steps.map(|s| (s.path.clone(), s.of_one_test)).collect()
    };
    // what lives longer comes first, so that a state can hold it
    let expected = [
        ("c::kept", false),
        ("c::other", false),
        ("c::own", true),
        ("c::fresh", true),
    ]
    .map(|(path, own)| (path.to_owned(), own));
    assert_eq!(steps(0), expected);
    let begin = ("c::unit::begin".to_owned(), false);
    assert_eq!(steps(2), [&[begin][..], &expected].concat());
}
