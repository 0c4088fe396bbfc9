//! Copies of folders that a test has for itself, and may write to.
//!
//! Through cap-std, so that no path and no link leads out of the folder that a copy is made from,
//! whoever changes what meanwhile. Links in it are copied as links: where they lead is looked at
//! when the guest follows them, and that is held in its own folders.

use crate::temporary;
use anyhow::{Context as _, bail};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;

/// How much a test's copies may hold, in bytes: each test makes them anew.
const MOST_BYTES: u64 = 64 << 20;
/// How many entries.
const MOST_ENTRIES: usize = 10_000;
/// How many folders deep.
const DEEPEST: usize = 64;

/// What is left of what one test may copy.
pub(super) struct Budget {
    bytes: u64,
    entries: usize,
}

impl Budget {
    /// A whole one.
    pub(super) fn new() -> Budget {
        Budget {
            bytes: MOST_BYTES,
            entries: MOST_ENTRIES,
        }
    }
}

/// Copies what lies in the folder `path` below `root` into the empty folder `to`.
///
/// # Errors
/// If it leads out of `root`, is no folder, cannot be read, or is more than a test may copy.
pub(super) fn copy(root: &Path, path: &str, to: &Dir, budget: &mut Budget) -> anyhow::Result<()> {
    // the parent of a path that is a name alone
    let root = match root.as_os_str().is_empty() {
        true => Path::new("."),
        false => root,
    };
    let open = || Dir::open_ambient_dir(root, ambient_authority())?.open_dir(path);
    let from = open().with_context(|| {
        format!(
            "`{path}` is no folder below {}, links included",
            root.display()
        )
    })?;
    copy_all(&from, to, budget).with_context(|| format!("`{path}` cannot be copied"))
}

/// A folder that is still to be copied, by the names on the way there.
struct Rest(Vec<OsString>);

impl Rest {
    /// Opens the folder there. Its names are those that were read on the way.
    fn open(&self, root: &Dir) -> io::Result<Dir> {
        let mut names = self.0.iter();
        names.try_fold(root.try_clone()?, |folder, name| folder.open_dir(name))
    }
}

/// Copies folder by folder, and no further than so deep.
fn copy_all(from: &Dir, to: &Dir, budget: &mut Budget) -> anyhow::Result<()> {
    let mut rest = vec![Rest(Vec::new())];
    while let Some(Rest(path)) = rest.pop() {
        let here = Rest(path);
        let folders = copy_folder(&here.open(from)?, &here.open(to)?, budget)?;
        if here.0.len() + 1 == DEEPEST && !folders.is_empty() {
            bail!("it is more than {DEEPEST} folders deep");
        }
        let below = |name| Rest(here.0.iter().cloned().chain([name]).collect());
        rest.extend(folders.into_iter().map(below));
    }
    Ok(())
}

/// Copies what lies in one folder, of the folders in it their names alone, which it gives.
fn copy_folder(from: &Dir, to: &Dir, budget: &mut Budget) -> anyhow::Result<Vec<OsString>> {
    let mut folders = Vec::new();
    for entry in from.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() && temporary::is_one(from, &name) {
            // a run's own, of which this copy may be a part
            continue;
        }
        budget.entries = match budget.entries.checked_sub(1) {
            Some(left) => left,
            None => bail!("it holds more than {MOST_ENTRIES} files and folders"),
        };
        if kind.is_dir() {
            to.create_dir(&name)?;
            folders.push(name);
        } else if kind.is_file() {
            let mut file = from.open(&name)?.take(budget.bytes + 1);
            let copied = io::copy(&mut file, &mut to.create(&name)?)?;
            budget.bytes = match budget.bytes.checked_sub(copied) {
                Some(left) => left,
                None => bail!("it holds more than {} MiB", MOST_BYTES >> 20),
            };
        } else if kind.is_symlink() {
            to.symlink_contents(from.read_link_contents(&name)?, &name)?;
        } else {
            bail!(
                "{} is neither a file nor a folder nor a link",
                name.display()
            );
        }
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporary::{Purpose, TempFolder};
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Copies `path` below a root that holds `in/f`, `out` -> what lies beside the root, and
    /// whatever is added; gives the folder that it was copied into.
    fn copied(
        path: &str,
        add: impl Fn(&Path),
        budget: &mut Budget,
    ) -> (tempfile::TempDir, anyhow::Result<()>) {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("root");
        fs::create_dir_all(root.join("in")).expect("made");
        fs::create_dir_all(place.path().join("beside")).expect("made");
        fs::write(place.path().join("beside/secret"), "s").expect("written");
        fs::write(root.join("in/f"), "text").expect("written");
        symlink("../beside", root.join("out")).expect("made");
        add(&root);
        fs::create_dir(place.path().join("copy")).expect("made");
        let to = Dir::open_ambient_dir(place.path().join("copy"), ambient_authority());
        let result = copy(&root, path, &to.expect("there"), budget);
        (place, result)
    }

    #[test]
    fn what_leads_out_is_not_copied() {
        for path in [
            "out",
            "../beside",
            "/etc",
            "in/../../beside",
            "in/f",
            "gone",
        ] {
            let (place, result) = copied(path, |_| {}, &mut Budget::new());
            let why = format!("{:#}", result.expect_err("it leads out"));
            assert!(why.contains("is no folder below"), "{path}: {why}");
            let copy = fs::read_dir(place.path().join("copy")).expect("there");
            assert_eq!(copy.count(), 0, "{path}");
        }
    }

    #[test]
    fn files_and_folders_are_copied_and_links_stay_links() {
        let add = |root: &Path| {
            fs::create_dir(root.join("in/deep")).expect("made");
            fs::write(root.join("in/deep/g"), "deep").expect("written");
            symlink("../../beside/secret", root.join("in/away")).expect("made");
            symlink("/etc/passwd", root.join("in/absolute")).expect("made");
        };
        let (place, result) = copied("in", add, &mut Budget::new());
        result.expect("it lies below");
        let copy = place.path().join("copy");
        assert_eq!(fs::read_to_string(copy.join("f")).expect("there"), "text");
        assert_eq!(
            fs::read_to_string(copy.join("deep/g")).expect("there"),
            "deep"
        );
        for link in ["away", "absolute"] {
            let meta = fs::symlink_metadata(copy.join(link)).expect("there");
            assert!(meta.is_symlink(), "{link}");
        }
    }

    #[test]
    fn a_copy_takes_no_folder_of_a_run_into_itself() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("root");
        fs::create_dir_all(root.join("tmp")).expect("made");
        fs::write(root.join("f"), "text").expect("written");
        // the run's own folder, with the copy in it, lies in what is copied
        let run = TempFolder::new(Purpose::Run, &root.join("tmp")).expect("made");
        let to = run.empty().expect("made");
        let to_dir = Dir::open_ambient_dir(&to, ambient_authority()).expect("there");
        copy(place.path(), "root", &to_dir, &mut Budget::new()).expect("it has an end");
        assert!(to.join("f").exists() && to.join("tmp").exists());
        assert_eq!(fs::read_dir(to.join("tmp")).expect("there").count(), 0);
    }

    #[test]
    fn folders_are_copied_as_deep_as_that_is_allowed() {
        let deep = |levels: usize| vec!["d"; levels].join("/");
        let nested = |levels| {
            copied(
                "in",
                |root| fs::create_dir_all(root.join("in").join(deep(levels))).expect("made"),
                &mut Budget::new(),
            )
        };
        let (place, result) = nested(DEEPEST - 1);
        result.expect("as deep as it may be");
        assert!(place.path().join("copy").join(deep(DEEPEST - 1)).exists());
        let why = format!("{:#}", nested(DEEPEST).1.expect_err("too deep"));
        assert!(why.contains("64 folders deep"), "{why}");
    }

    #[test]
    fn there_is_an_end_to_what_is_copied() {
        let why = |budget: &mut Budget| {
            let (_place, result) = copied("in", |_| {}, budget);
            format!("{:#}", result.expect_err("it is too much"))
        };
        let small = |bytes, entries| Budget { bytes, entries };
        assert!(why(&mut small(3, 9)).contains("MiB"));
        assert!(why(&mut small(9, 0)).contains("files and folders"));
        assert!(copied("in", |_| {}, &mut small(4, 1)).1.is_ok());
    }
}
