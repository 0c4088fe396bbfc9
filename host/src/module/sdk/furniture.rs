//! Whether suites, fixtures and tests fit together: what is asked for is there, nothing
//! goes round in a circle, and each module says one thing about itself.
//!
//! The SDK's macros refuse most of this at compile time; a file can claim anything.

use super::lies;
use crate::event::Cause;
use crate::protocol::ListedTest;
use crate::suite::{Distribution, Furniture, ListedFunction, Role};
use std::collections::HashMap;

/// The module that a function is in.
pub fn module_of(path: &str) -> &str {
    path.rsplit_once("::").map_or("", |(module, _)| module)
}

/// Checks everything, and settles each suite's mark on its setup.
///
/// # Errors
/// In words for the user, if something does not fit.
pub fn check(tests: &[ListedTest], furniture: &mut Furniture) -> Result<(), Cause> {
    one_of_each(furniture)?;
    settle_marks(furniture)?;
    let functions: HashMap<&str, &ListedFunction> = furniture
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
    }
    for test in tests {
        check_needs(
            test.full_path().unwrap_or(&test.path),
            &test.needs,
            &functions,
        )?;
    }
    no_circles(&functions)
}

fn one_of_each(furniture: &Furniture) -> Result<(), Cause> {
    let mut suites: Vec<&str> = furniture.suites.iter().map(|s| s.path.as_str()).collect();
    suites.sort_unstable();
    if let Some(pair) = suites.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(lies(format!("it lists the suite `{}` twice", pair[0])));
    }
    let mut paths: Vec<&str> = furniture
        .functions
        .iter()
        .map(|f| f.path.as_str())
        .collect();
    paths.sort_unstable();
    if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(lies(format!("it lists `{}` twice", pair[0])));
    }
    let mut hooks: HashMap<(&str, Role), &str> = HashMap::new();
    for function in &furniture.functions {
        if function.role == Role::Fixture {
            continue;
        }
        let module = module_of(&function.path);
        if let Some(other) = hooks.insert((module, function.role), &function.path) {
            return Err(Cause::new(format!(
                "the suite `{module}` has two functions for one thing ({}): `{other}` and `{}`",
                format!("{:?}", function.role).to_lowercase(),
                function.path
            )));
        }
    }
    Ok(())
}

/// A suite's mark may stand on its module or on its setup, but there is one.
fn settle_marks(furniture: &mut Furniture) -> Result<(), Cause> {
    let Furniture { suites, functions } = furniture;
    for function in functions {
        match function.role {
            Role::Fixture => continue,
            Role::Setup => {}
            _ if function.distribution.is_none() => continue,
            _ => {
                return Err(lies(format!(
                    "`{}` has a mark of distribution, which only a suite, a setup or a fixture can have",
                    function.path
                )));
            }
        }
        let module = module_of(&function.path);
        let marked = suites.iter_mut().find(|s| s.path == module);
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
            (None, Some(own)) => suites.push(crate::suite::ListedSuite {
                path: module.to_owned(),
                distribution: Some(own),
            }),
            (None, None) => {}
        }
    }
    Ok(())
}

fn check_needs(
    who: &str,
    needs: &[String],
    functions: &HashMap<&str, &ListedFunction>,
) -> Result<(), Cause> {
    for need in needs {
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

fn no_circles(functions: &HashMap<&str, &ListedFunction>) -> Result<(), Cause> {
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

    fn function(path: &str, role: Role, needs: &[&str]) -> ListedFunction {
        ListedFunction {
            path: path.to_owned(),
            role,
            distribution: None,
            needs: needs.iter().map(|n| (*n).to_owned()).collect(),
            travels: false,
            tears_down: false,
            fresh: false,
            host: None,
        }
    }

    fn said(functions: Vec<ListedFunction>) -> String {
        let mut furniture = Furniture {
            functions,
            ..Furniture::default()
        };
        match check(&[], &mut furniture) {
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
    fn shared_ones_need_shared_ones() {
        let mut shared = function("c::a", Role::Fixture, &["c::b"]);
        shared.distribution = Some(Distribution::Shared);
        let mut other = function("c::b", Role::Fixture, &[]);
        assert!(said(vec![shared.clone(), other.clone()]).contains("shared ones only"));
        other.distribution = Some(Distribution::Shared);
        assert_eq!(said(vec![shared, other]), "");
    }
}
