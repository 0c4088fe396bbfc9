//! Which static a test was making when it was looked at.
//!
//! Only what is certain counts: an initialiser that belongs to a static, called by what
//! runs initialisers once. A `OnceLock` of a function's may be one or not.

use crate::harness::termination::{Function, path_in};

/// The path of the outermost static that is being made on a stack.
pub(super) fn a_static(functions: &[Function]) -> Option<String> {
    (0..functions.len()).rev().find_map(|at| {
        let (inner, outer) = (&functions[at], &functions[at + 1..]);
        let between = outer.iter().take_while(|f| f.library.is_some());
        let mut names = between.map(|f| f.name.to_ascii_lowercase());
        let once = names.any(|name| name.contains("::once::") || name.contains("lazy"));
        let name = inner.library.is_none().then_some(inner.name.as_str())?;
        once.then(|| of_initialiser(name)).flatten()
    })
}

/// `m::TABLE` of `m::TABLE::{{closure}}`, or of what `lazy_static` makes.
fn of_initialiser(name: &str) -> Option<String> {
    let path = path_in(name);
    let path = match path.split_once(" as ") {
        Some((path, rest)) if rest.ends_with("__static_ref_initialize") => path,
        Some(_) => return None,
        None => {
            let (path, closure) = path.rsplit_once("::")?;
            closure.contains("closure").then_some(path)?
        }
    };
    let (_, last) = path.rsplit_once("::")?;
    // functions and types are not written so
    let is_static = last.starts_with(|c: char| c.is_ascii_uppercase())
        && !last.contains(|c: char| c.is_lowercase());
    is_static.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Library;

    fn made(names: &[&str]) -> Option<String> {
        let functions: Vec<Function> = names
            .iter()
            .map(|name| Function {
                name: (*name).to_owned(),
                library: ["std::", "core::", "once_cell::"]
                    .iter()
                    .any(|p| name.starts_with(p))
                    .then_some(Library::Runtime),
            })
            .collect();
        a_static(&functions)
    }

    #[test]
    fn only_what_is_made_once_and_is_a_static_counts() {
        let table = Some("a::TABLE".to_owned());
        const CALL: &str = "core::ops::function::FnOnce::call_once";
        const FORCE: &str = "std::sync::lazy_lock::LazyLock<T,F>::force";
        assert_eq!(
            made(&["a::build", "a::TABLE::{{closure}}", CALL, FORCE, "a::t"]),
            table
        );
        assert_eq!(made(&["a::TABLE::{closure#0}", FORCE, "a::t"]), table);
        let call = "std::sys::sync::once::no_threads::Once::call";
        let lazy = "<a::TABLE as core::ops::deref::Deref>::deref::__static_ref_initialize";
        assert_eq!(made(&[lazy, call, "a::t"]), table);
        // made for this test alone, called by each, or at something else
        assert_eq!(made(&["a::t::{{closure}}", FORCE, "a::t"]), None);
        assert_eq!(made(&["a::TABLE::{{closure}}", CALL, "a::t"]), None);
        assert_eq!(made(&["a::build", "a::t"]), None);
    }
}
