//! What many tests of a module make, each again: a static that takes long.
//!
//! Natively it is made once a process; here every test has an instance of its own. Takes
//! what workers saw tests at; gives one line at the end.

use crate::protocol::ModuleNumber;
use crate::sandbox::deadline::GLANCE;
use crate::text::one_line;
use std::collections::HashMap;

/// As many tests have to have been seen at it: fewer may have reasons of their own.
const MANY: usize = 5;
/// Statics told apart: their names are a guest's.
const MOST: usize = 1000;

/// What tests were seen at.
#[derive(Default)]
pub(super) struct Making(HashMap<(ModuleNumber, String), usize>);

impl Making {
    /// A test of this module was seen making this static.
    pub(super) fn seen(&mut self, module: ModuleNumber, of: String) {
        if self.0.len() < MOST || self.0.contains_key(&(module, of.clone())) {
            *self.0.entry((module, of)).or_default() += 1;
        }
    }

    /// What is to be said of the one that most tests were seen at.
    pub(super) fn note(&self, name: impl Fn(ModuleNumber) -> String) -> Option<String> {
        let ((module, of), tests) = self.0.iter().max_by_key(|(key, tests)| (**tests, *key))?;
        (*tests >= MANY).then(|| {
            format!(
                "{tests} tests of {} were each still making the static `{}` after {}s: each runs in an instance of its own, so each makes it again; in a suite marked `split` it is made once, and every test begins with it (docs/fixtures.md)",
                name(*module),
                one_line(of),
                GLANCE.as_secs_f64()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_tests_are_no_reason_to_say_anything() {
        let mut making = Making::default();
        for _ in 1..MANY {
            making.seen(ModuleNumber(0), "a::TABLE".to_owned());
            making.seen(ModuleNumber(1), "a::TABLE".to_owned());
        }
        assert_eq!(making.note(|_| "m".to_owned()), None);
        making.seen(ModuleNumber(1), "a::TABLE".to_owned());
        let note = making.note(|module| format!("m{}", module.0));
        let note = note.expect("they are many");
        assert!(note.starts_with("5 tests of m1 were each still making the static `a::TABLE`"));
    }
}
