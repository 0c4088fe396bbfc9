//! From the paths that were given to the modules that will run.
//!
//! Reads every file once, unless it was read before and has not changed since: its hash, its format, its harness. Runs nothing.

use crate::event::{Cause, Format, HarnessName};
use crate::harness::sdk::Contents;
use crate::harness::{self, Harness};
use crate::layout;
use crate::module::cache::{Cache, Remembered};
use crate::module::identify::Looked;
use crate::module::names;
use crate::protocol::{ContentHash, ListedTest};
use crate::settings::Selection;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A file that holds tests.
#[derive(Clone, Debug)]
pub struct DiscoveredModule {
    /// Where it is, as the user would write it.
    pub file: PathBuf,
    /// Its name in the run.
    pub name: String,
    /// Its place among the files given.
    pub order: usize,
    /// The hash of its bytes.
    pub content: ContentHash,
    /// How long it is, in bytes.
    pub size: u64,
    pub format: Format,
    /// How it runs when it is started; `None` if there is nothing to start.
    pub harness: Option<HarnessName>,
    /// The tests, suites and fixtures of the SDK's in it.
    pub sdk: Contents,
    /// The tests that it starts with, where they are known already.
    pub listed: Option<Vec<ListedTest>>,
    /// Its place among the files that a build tool has named.
    pub named: Option<usize>,
}

/// A file that was given and cannot be used.
#[derive(Clone, Debug)]
pub struct Unusable {
    /// Its name in the run.
    pub name: String,
    pub file: PathBuf,
    /// Its place among the files given.
    pub order: usize,
    pub cause: Cause,
}

/// What the paths led to.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// Files with tests.
    pub modules: Vec<DiscoveredModule>,
    /// Files that cannot be used.
    pub unusable: Vec<Unusable>,
    /// Things to know: folders without modules, libraries that were passed over.
    pub notes: Vec<String>,
    /// The same, for whoever wants to know everything.
    pub details: Vec<String>,
    /// What the cache is to remember of them.
    pub remembered: Vec<Remembered>,
}

/// How a file came to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FoundBy {
    ByName,
    BySearch,
    /// By a build tool: its place among such files.
    Named(usize),
}

/// Folders of cargo's and of others that hold no test module but much else; `build` does in
/// cargo's newer layout.
const PASSED_OVER: [&str; 3] = ["build", "incremental", "node_modules"];

/// How long a side file may be, in bytes: what is expected of a program can be as long as what is
/// kept of it.
const LONGEST_SIDE_FILE: u64 = 4 << 20;

/// What was found in a file, and its tests where they are known already.
type Found = (Looked, Option<Vec<ListedTest>>, Option<Remembered>);

/// Looks at everything that was given; at what was looked at before, in the cache alone.
pub fn discover(selection: &Selection, cache: &Cache) -> Discovered {
    let mut found = Discovered::default();
    let mut files: Vec<(PathBuf, FoundBy)> = Vec::new();
    let mut missing: Vec<(PathBuf, String)> = Vec::new();
    let mut seen: HashSet<(u64, u64)> = HashSet::new();
    let mut seen_paths: HashSet<PathBuf> = HashSet::new();
    // with what lies beside a file counts what it is called, and not only what is in it
    let by_name = harness::of(selection.unmarked).reads_beside();
    let mut is_new = |path: &Path, id: (u64, u64)| match by_name {
        true => seen_paths.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned())),
        false => seen.insert(id),
    };
    for (at, named) in selection.files.iter().enumerate() {
        files.push((named.file.clone(), FoundBy::Named(at)));
    }
    for path in &selection.paths {
        let units = layout::instead_of_deps(path);
        if let Some(units) = &units {
            found.notes.push(format!(
                "{} is not there, and {} is, where newer cargos have what was in it: that is searched",
                path.display(),
                units.display()
            ));
        }
        let path = units.as_ref().unwrap_or(path);
        match std::fs::metadata(path) {
            Err(e) => missing.push((path.clone(), e.to_string())),
            Ok(meta) if meta.is_dir() => {
                let below = search(path, &mut found.notes);
                let before = files.len();
                let new = below.into_iter().filter(|(path, id)| is_new(path, *id));
                files.extend(new.map(|(path, _)| (path, FoundBy::BySearch)));
                if files.len() == before {
                    found.notes.push(format!(
                        "no test module below {}: is it built? cargo test --no-run --target wasm32-wasip1",
                        path.display()
                    ));
                }
            }
            Ok(meta) if !meta.is_file() => {
                missing.push((path.clone(), "it is no regular file".to_owned()));
            }
            Ok(meta) => {
                if is_new(path, (meta.dev(), meta.ino())) {
                    files.push((path.clone(), FoundBy::ByName));
                }
            }
        }
    }
    let absolute: Vec<PathBuf> = files
        .iter()
        .map(|(path, _)| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        .collect();
    let look = |(path, given): &(PathBuf, FoundBy)| -> Result<Found, Cause> {
        let named = match given {
            FoundBy::Named(at) => Some(&selection.files[*at]),
            FoundBy::ByName | FoundBy::BySearch => None,
        };
        let taken_for = named.map_or(selection.unmarked, |named| named.unmarked);
        let (mut looked, remembered) = cache.look(path, taken_for)?;
        let mut listed = named.and_then(|n| n.listed.clone());
        if let Some(first) = listed.as_ref().and_then(|tests| tests.first()) {
            looked.identity.harness = Some(first.harness);
        }
        if let (None, Some(name)) = (&listed, looked.identity.harness) {
            listed = read_beside(harness::of(name), path)?;
        }
        Ok((looked, listed, remembered))
    };
    // threads of rayon's are not started for one file
    let looked: Vec<_> = match files.len() {
        0 | 1 => files.iter().map(look).collect(),
        _ => files.par_iter().map(look).collect(),
    };
    let is_program: Vec<bool> = looked
        .iter()
        .map(|l| match l {
            Ok((Looked { identity: i, .. }, ..)) => {
                let is_named_by_cargo = |h| harness::of(h).is_named_by_cargo();
                !i.harness.is_some_and(is_named_by_cargo) && i.sdk.tests.is_empty()
            }
            Err(_) => true,
        })
        .collect();
    let mut names = names::assign(&absolute, &is_program);
    for (name, (_, given)) in names.iter_mut().zip(&files) {
        if let FoundBy::Named(at) = given {
            name.clone_from(&selection.files[*at].name);
        }
    }
    for (order, (((file, given), name), mut looked)) in
        files.into_iter().zip(names).zip(looked).enumerate()
    {
        if let Ok((_, _, remembered)) = &mut looked {
            found.remembered.extend(remembered.take());
        }
        match looked {
            Ok((looked, listed, _)) if looked.identity.holds_tests() => {
                let i = looked.identity;
                found.modules.push(DiscoveredModule {
                    file,
                    name,
                    order,
                    content: looked.content,
                    size: looked.size,
                    format: i.format,
                    harness: i.harness,
                    sdk: i.sdk,
                    listed,
                    named: match given {
                        FoundBy::Named(at) => Some(at),
                        FoundBy::ByName | FoundBy::BySearch => None,
                    },
                });
            }
            Ok(_) if given == FoundBy::BySearch => found.details.push(format!(
                "{} exports nothing that can be started: a library, passed over",
                file.display()
            )),
            Ok((looked, ..)) => found.unusable.push(Unusable {
                name,
                file,
                order,
                cause: nothing_to_start(looked.identity.format),
            }),
            Err(cause) => found.unusable.push(Unusable {
                name,
                file,
                order,
                cause,
            }),
        }
    }
    let first = found.modules.len() + found.unusable.len();
    for (i, (path, why)) in missing.into_iter().enumerate() {
        found.unusable.push(Unusable {
            name: path.display().to_string(),
            file: path,
            order: first + i,
            cause: Cause::new(format!("it cannot be read: {why}")),
        });
    }
    found
}

/// A file's tests, where its harness finds them in what lies beside it.
fn read_beside(harness: &dyn Harness, file: &Path) -> Result<Option<Vec<ListedTest>>, Cause> {
    let mut last = None;
    let tests = harness.read(&mut |ending| {
        let beside = last.insert(file.with_extension(ending));
        read_side_file(beside).map_err(|e| Cause::new(format!("it cannot be read: {e}")))
    });
    tests.map_err(|cause| {
        let beside = last.as_deref().unwrap_or(file).display();
        let message = format!("its side file {beside}: {}", cause.message);
        Cause { message, ..cause }
    })
}

/// What a file beside a program holds; `None` if it is not there.
fn read_side_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // a pipe would be waited for
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Err(e) if e.kind() == io::ErrorKind::NotFound => match std::fs::symlink_metadata(path) {
            Ok(_) => return Err(io::Error::other("it is a link that leads nowhere")),
            Err(_) => return Ok(None),
        },
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_SIDE_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LONGEST_SIDE_FILE {
        true => Err(io::Error::other(format!(
            "it is longer than {} MiB",
            LONGEST_SIDE_FILE >> 20
        ))),
        false => Ok(Some(bytes)),
    }
}

fn nothing_to_start(format: Format) -> Cause {
    Cause::new(match format {
        Format::Core => "it holds no test: it exports no `_start`, so it is a library or a plugin",
        Format::Component => {
            "it holds no test that can be run: it does not export `wasi:cli/run` (a library's SDK tests are not run in components yet)"
        }
    })
    .hint("a test module is what `cargo test --no-run --target wasm32-wasip1` makes")
}

/// All `.wasm` files below a folder, in an order that does not change; links are not followed.
fn search(root: &Path, notes: &mut Vec<String>) -> Vec<(PathBuf, (u64, u64))> {
    // a name that is `.` tells nothing of where it is
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let mut of_units: HashMap<PathBuf, bool> = HashMap::new();
    let mut holds_units = |folder: &Path| {
        let known = of_units.get(folder).copied();
        known.unwrap_or_else(|| {
            let holds = layout::holds_units(folder);
            of_units.insert(folder.to_owned(), holds);
            holds
        })
    };
    let wanted = |entry: &walkdir::DirEntry| {
        if entry.depth() == 0 || !entry.file_type().is_dir() {
            return true;
        }
        let name = entry.file_name().to_string_lossy();
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let path = absolute.join(below);
        let mut holds = |up: usize| {
            let folder = path.ancestors().nth(up);
            folder.is_some_and(|f| f.ends_with("build") && holds_units(f))
        };
        // a package is called as it likes
        if holds(1) {
            return true;
        }
        // what rustc made, and nothing of a script's
        if holds(2) {
            return layout::is_unit(&path) && !layout::is_of_script(&path);
        }
        !name.starts_with('.') && (!PASSED_OVER.contains(&&*name) || holds_units(&path))
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(wanted)
    {
        match entry {
            Ok(entry) => {
                let is_wasm = entry.path().extension().is_some_and(|e| e == "wasm");
                if is_wasm
                    && entry.file_type().is_file()
                    && let Ok(meta) = entry.metadata()
                {
                    let path = entry.into_path();
                    let shorter = path.strip_prefix("./").map(Path::to_owned);
                    // a name that looks like a flag keeps what tells it apart
                    let path = shorter
                        .ok()
                        .filter(|p| !p.as_os_str().as_encoded_bytes().starts_with(b"-"))
                        .unwrap_or(path);
                    files.push((path, (meta.dev(), meta.ino())));
                }
            }
            Err(e) => notes.push(format!("a folder could not be searched: {e}")),
        }
    }
    files
}
