//! The plan: what is done with each test of a module, in order. Pure.
//!
//! Takes what a module was found to hold and what was asked for; gives the
//! tests to run and to skip, in the order in which the module lists them.

use crate::event::{Cause, Format, Harness, Outcome, TestId, TestInfo};
use crate::filter::Filter;
use crate::module::libtest;
use crate::protocol::{Expect, ListedTest, ModuleNumber};
use std::sync::Arc;

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
    pub again: Arc<str>,
}

/// One test of the plan.
#[derive(Clone, Debug)]
pub struct PlannedTest {
    /// What is known of it.
    pub info: Arc<TestInfo>,
    /// The module that it is in.
    pub module: ModuleNumber,
    /// What its harness says of it.
    pub listed: Arc<ListedTest>,
    /// Its place in the plan.
    pub order: (usize, usize),
    /// What is done with it.
    pub action: Action,
    /// Whether it was reported as started: it may be taken back and given to another.
    pub announced: bool,
}

impl PlannedTest {
    /// How it ended, if it was given up at its limit without its harness's judgement.
    pub fn given_up(&self, cause: Cause) -> Outcome {
        match self.listed.expect() {
            Expect::Failure(reason) => Outcome::ExpectedFailure { reason },
            Expect::Pass | Expect::Panic(_) => Outcome::TimedOut(cause),
        }
    }
}

/// What is done with a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is run.
    Run {
        /// Whether its harness has to be told to run it although it is marked as ignored.
        ignored: bool,
    },
    /// It is skipped.
    Skip {
        /// Why.
        reason: String,
    },
}

/// A module's part of the plan.
#[derive(Clone, Debug, Default)]
pub struct ModulePlan {
    /// The tests that are meant.
    pub tests: Vec<PlannedTest>,
    /// How many are not.
    pub filtered_out: usize,
}

/// Plans one module.
pub fn plan_module(
    module: &PlannedModule,
    listed: Vec<ListedTest>,
    filter: &Filter,
    ignored: Ignored,
) -> ModulePlan {
    let mut plan = ModulePlan::default();
    for (i, test) in listed.into_iter().enumerate() {
        let id = TestId {
            module: module.name.clone(),
            path: test.path.as_str().into(),
        };
        let wanted = ignored != Ignored::Only || test.ignored.is_some();
        if !wanted || !filter.matches(&id, &test.tags) {
            plan.filtered_out += 1;
            continue;
        }
        let action = action(&test, ignored);
        plan.tests.push(PlannedTest {
            info: Arc::new(TestInfo {
                id,
                harness: test.harness,
                format: module.format,
                source: test.file.as_ref().map(|file| match test.line {
                    Some(line) => format!("{file}:{line}"),
                    None => file.clone(),
                }),
                again: module.again.clone(),
                ignored: action == (Action::Run { ignored: true }),
                tags: test.tags.clone(),
                description: test.description.clone(),
                timeout: test.timeout,
                max_memory: test.max_memory,
            }),
            module: module.number,
            listed: Arc::new(test),
            order: (module.order, i),
            action,
            announced: false,
        });
    }
    plan
}

fn action(test: &ListedTest, ignored: Ignored) -> Action {
    match &test.ignored {
        Some(reason) if ignored == Ignored::Skip => Action::Skip {
            reason: match reason.is_empty() {
                true => "ignored".to_owned(),
                false => format!("ignored: {reason}"),
            },
        },
        _ if test.should_panic.is_some() && test.harness == Harness::Libtest => Action::Skip {
            reason: libtest::SHOULD_PANIC.to_owned(),
        },
        marked => Action::Run {
            ignored: marked.is_some(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(path: &str, ignored: Option<&str>, should_panic: bool) -> ListedTest {
        ListedTest {
            ignored: ignored.map(str::to_owned),
            should_panic: should_panic.then(String::new),
            ..ListedTest::named(path, Harness::Libtest)
        }
    }

    fn plan(ignored: Ignored) -> Vec<(String, Action)> {
        let module = PlannedModule {
            number: ModuleNumber(0),
            name: "m.wasm".into(),
            order: 0,
            format: Format::Core,
            again: "wasmtest run m.wasm".into(),
        };
        let tests = [
            listed("a", None, false),
            listed("b", Some("slow"), false),
            listed("c", None, true),
            listed("d", Some(""), true),
        ];
        plan_module(&module, tests.into(), &Filter::default(), ignored)
            .tests
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
}
