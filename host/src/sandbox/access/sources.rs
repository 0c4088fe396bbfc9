//! Lookups by the names that `file!()` gives to a package's sources.
//!
//! In a member of a workspace they begin with the member's folder as seen from the
//! workspace's, and natively a test, which runs in the package's, finds nothing there. proptest knows, and
//! goes up from the working directory until it finds its test's source; from `/`, where a guest
//! seems to be, there is no way up. So its lookups are answered, and no others: whether a source is
//! there; and, once one was found, what has that source's name but for folder and extension, where
//! seeds are kept. A wrong relative path is not found, as natively.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// How many names of sources, and of folders, one guest's are remembered.
const MOST: usize = 64;

/// What a lookup wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// To know whether it is there, and what it is.
    Look,
    /// To read a file.
    Read,
    /// To write to a file.
    Write,
    /// To create a folder.
    Create,
}

/// What must be found, so that the lookup is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    File,
    Folder,
}

/// What one guest has found by such names.
#[derive(Debug, Default)]
pub struct Found {
    /// The names of sources, without extension.
    stems: Vec<String>,
    /// Folders that it has tried to create.
    folders: Vec<String>,
    /// The first source of late.
    pub(super) first: Option<String>,
}

/// The part of a path that follows the member's name in the workspace.
pub fn below<'p>(member: &str, path: &'p str) -> Option<&'p str> {
    let below = path.strip_prefix(member)?.strip_prefix('/')?;
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_));
    (!below.is_empty() && Path::new(below).components().all(plain)).then_some(below)
}

fn is_source(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("rs"))
}

fn stem(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()
}

impl Found {
    /// What has to be there for this lookup to be answered; `None` if it is not, whatever is
    /// there.
    pub fn answers(&self, lookup: Lookup, below: &str) -> Option<Wanted> {
        let path = Path::new(below);
        let has_name_of_source = || {
            let stem = stem(path);
            self.stems.iter().any(|s| Some(s.as_str()) == stem)
        };
        match lookup {
            Lookup::Look if is_source(path) => Some(Wanted::File),
            Lookup::Look if self.folders.iter().any(|f| f == below) => Some(Wanted::Folder),
            Lookup::Create => (!self.stems.is_empty()).then_some(Wanted::Folder),
            _ => (!is_source(path) && has_name_of_source()).then_some(Wanted::File),
        }
    }

    /// Remembers what was answered.
    pub fn add(&mut self, lookup: Lookup, below: &str) {
        let path = Path::new(below);
        if lookup == Lookup::Look && is_source(path) {
            self.first.get_or_insert_with(|| below.to_owned());
        }
        let (list, name) = match lookup {
            Lookup::Look if is_source(path) => (&mut self.stems, stem(path)),
            Lookup::Create => (&mut self.folders, Some(below)),
            _ => return,
        };
        let Some(name) = name else { return };
        if !list.iter().any(|n| n == name) {
            if list.len() == MOST {
                list.remove(0);
            }
            list.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_with_the_members_name_and_stays_below_it_is_looked_at() {
        assert_eq!(below("crates/m", "crates/m/src/lib.rs"), Some("src/lib.rs"));
        for other in [
            "crates/m",
            "crates/m/",
            "crates/main.rs",
            "crates/m/../n/x.rs",
            "x/crates/m/a",
            "m/src/lib.rs",
        ] {
            assert_eq!(below("crates/m", other), None, "{other}");
        }
    }

    #[test]
    fn nothing_is_found_but_sources_and_what_has_the_name_of_one_that_was_found() {
        let mut found = Found::default();
        let all = [Lookup::Look, Lookup::Read, Lookup::Write, Lookup::Create];
        for lookup in all {
            for path in ["data/d", "src", "src/lib.txt", "proptest-regressions"] {
                assert_eq!(found.answers(lookup, path), None, "{lookup:?} {path}");
            }
        }
        assert_eq!(
            found.answers(Lookup::Look, "src/a/b.rs"),
            Some(Wanted::File)
        );
        assert_eq!(found.answers(Lookup::Read, "src/a/b.rs"), None);
        found.add(Lookup::Look, "src/a/b.rs");
        for seeds in ["proptest-regressions/a/b.txt", "src/a/b.seeds"] {
            for lookup in [Lookup::Look, Lookup::Read, Lookup::Write] {
                assert_eq!(found.answers(lookup, seeds), Some(Wanted::File));
            }
        }
        for lookup in [Lookup::Look, Lookup::Read, Lookup::Write] {
            assert_eq!(found.answers(lookup, "data/d"), None);
            assert_eq!(found.answers(lookup, "proptest-regressions"), None);
        }
        for lookup in [Lookup::Read, Lookup::Write] {
            assert_eq!(found.answers(lookup, "src/a/b.rs"), None);
        }
        // for a folder that is there to be created is refused
        let folder = "proptest-regressions";
        assert_eq!(found.answers(Lookup::Create, folder), Some(Wanted::Folder));
        found.add(Lookup::Create, folder);
        assert_eq!(found.answers(Lookup::Look, folder), Some(Wanted::Folder));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut found = Found::default();
        for i in 0..10_000 {
            found.add(Lookup::Look, &format!("src/{i}.rs"));
            found.add(Lookup::Create, &format!("{i}"));
        }
        assert_eq!((found.stems.len(), found.folders.len()), (MOST, MOST));
        assert_eq!(
            found.answers(Lookup::Read, "x/9999.txt"),
            Some(Wanted::File)
        );
        assert_eq!(found.answers(Lookup::Read, "x/1.txt"), None);
    }
}
