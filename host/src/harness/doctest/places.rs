//! Where lines of a merged source stand in the user's own.

use super::Doctest;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

/// Where lines of a bundle stand in the sources. A doctest may print as many places as it
/// likes: each line is looked for once, and each file read once.
pub struct Sources<'a> {
    bundle: Vec<&'a str>,
    /// Whose each of those lines is, by the doctest's number.
    owners: Vec<Option<usize>>,
    doctests: &'a [Doctest],
    folders: [&'a Path; 2],
    files: RefCell<HashMap<&'a str, Option<String>>>,
    found: RefCell<HashMap<usize, Option<String>>>,
}

impl<'a> Sources<'a> {
    /// Of this bundle, whose files are looked for in these folders.
    pub fn new(bundle: &'a str, doctests: &'a [Doctest], folders: [&'a Path; 2]) -> Sources<'a> {
        let bundle: Vec<&str> = bundle.lines().collect();
        let mut owner = None;
        let owners = bundle.iter().map(|line| {
            if let Some(module) = line.strip_prefix("pub mod __doctest_") {
                let number = module.split_whitespace().next();
                owner = number.and_then(|n| n.parse().ok());
            }
            owner
        });
        Sources {
            owners: owners.collect(),
            bundle,
            doctests,
            folders,
            files: RefCell::default(),
            found: RefCell::default(),
        }
    }

    /// A line as `FILE:LINE`: a doctest's own lines are found again below its opening
    /// fence; of any other line, that fence.
    pub fn place(&self, line: usize) -> Option<String> {
        if let Some(found) = self.found.borrow().get(&line) {
            return found.clone();
        }
        let at = line.checked_sub(1)?;
        let doctest = self.doctests.get((*self.owners.get(at)?)?)?;
        let place = self.find(doctest, self.bundle[at].trim());
        self.found.borrow_mut().insert(line, place.clone());
        place
    }

    fn find(&self, doctest: &'a Doctest, wanted: &str) -> Option<String> {
        let start = usize::try_from(doctest.line).ok()?;
        let own = |text: &str| {
            let text = text.trim_start();
            let text = ["///", "//!"]
                .iter()
                .find_map(|c| text.strip_prefix(c))
                .unwrap_or(text);
            text.trim().to_owned()
        };
        let mut files = self.files.borrow_mut();
        let file = files.entry(&doctest.file).or_insert_with(|| {
            let read = |folder: &&Path| std::fs::read_to_string(folder.join(&doctest.file)).ok();
            self.folders.iter().find_map(read)
        });
        let found = file.as_deref().and_then(|source| {
            let lines = source.lines().enumerate().skip(start);
            lines
                .map(|(n, l)| (n, own(l)))
                .take_while(|(_, l)| !l.starts_with("```"))
                .find(|(_, l)| !wanted.is_empty() && l == wanted)
                .map(|(n, _)| n + 1)
        });
        Some(format!("{}:{}", doctest.file, found.unwrap_or(start)))
    }
}

/// Replaces each place in the bundle of this name by its place in the sources.
pub fn relocate(text: &str, bundle: &str, place: impl Fn(usize) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(bundle) {
        // the name of the folder that rustdoc made, and removes
        let start = rest[..at]
            .rfind(|c: char| c.is_whitespace() || c == '(' || c == '"')
            .map_or(0, |s| s + 1);
        let after = &rest[at + bundle.len()..];
        let digits = |s: &str| s.len() - s.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number = after.strip_prefix(':').map_or("", |a| &a[..digits(a)]);
        let place = number.parse().ok().and_then(&place);
        match place {
            Some(place) => {
                out.push_str(&rest[..start]);
                out.push_str(&place);
                rest = &after[1 + number.len()..];
                // the column is that of the bundle's own layout
                if let Some(column) = rest.strip_prefix(':') {
                    rest = &column[digits(column)..];
                }
            }
            None => {
                out.push_str(&rest[..at + bundle.len()]);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::{DoctestKind, bundle};
    use super::*;

    #[test]
    fn places_in_the_bundle_become_places_in_the_sources() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::write(
            root.path().join("lib.rs"),
            "\n/// One\n/// ```\n/// let a = 1;\n/// assert_eq!(a, 2);\n/// ```\nfn one() {}\n",
        )
        .expect("written");
        let text_of_bundle = "#![allow(unused)]\npub mod __doctest_0 {\n\nfn main() {\nlet a = 1;\nassert_eq!(a, 2);\n}\n}\n";
        let doctests = [Doctest {
            name: "lib.rs - one (line 3)".into(),
            file: "lib.rs".into(),
            line: 3,
            kind: DoctestKind::Run,
        }];
        let sources = Sources::new(text_of_bundle, &doctests, [root.path(), root.path()]);
        let place = |line| sources.place(line);
        assert_eq!(place(6).as_deref(), Some("lib.rs:5"));
        assert_eq!(place(6).as_deref(), Some("lib.rs:5"));
        assert_eq!(place(4).as_deref(), Some("lib.rs:3"));
        assert_eq!(place(1), None);
        let text = "panicked at /tmp/rustdoctestX/doctest_bundle_2024.rs:6:1:\nat (a/doctest_bundle_2024.rs:99)";
        assert_eq!(
            relocate(text, &bundle("2024"), place),
            "panicked at lib.rs:5:\nat (a/doctest_bundle_2024.rs:99)"
        );
    }
}
