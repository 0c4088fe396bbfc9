//! Attempts of a guest at files that were refused, noted so that a failure can name them.
//!
//! The functions of WASI that take a path are put in front of wasmtime's own (`core`,
//! `component`), call those, and note here what came back as refused. What succeeds pays
//! for a look at the result. Decides nothing: what a guest may reach is the grants' alone.

pub(super) mod component;
pub(super) mod core;
mod folders;
mod sources;

use crate::event::denials::{Denials, Denied, Refusal, Tried};
use crate::grant::libc::as_libc_sees;
use crate::grant::{Access, DirGrant, HowToGrant, protected};
use crate::text::shell_quote;
use folders::Folders;
use sources::{Found, Lookup, Wanted};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What is kept of a path that a guest gives, in bytes.
const LONGEST: usize = 512;

/// A folder as a guest finds it.
pub struct Place {
    /// Its name there.
    name: String,
    ground: Ground,
}

/// What lies at a place.
enum Ground {
    /// An empty folder, there so that attempts at what is not granted reach the host.
    Nothing,
    /// The test's own folder.
    Scratch,
    /// A folder of the host's.
    Granted {
        host: PathBuf,
        access: Access,
        by: GrantedBy,
        /// Whether its name leads to it on the host, too.
        same_name: bool,
    },
}

/// Whom a folder is granted by, and so how more of it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedBy {
    /// A flag of the run's.
    Run,
    /// Whoever named the module.
    Module,
    /// A host fixture, as it is configured.
    Fixture,
}

impl Place {
    /// The empty folder.
    pub fn nothing(name: &str) -> Place {
        Place {
            name: name.to_owned(),
            ground: Ground::Nothing,
        }
    }

    /// A test's own folder.
    pub fn scratch(name: &str) -> Place {
        Place {
            name: name.to_owned(),
            ground: Ground::Scratch,
        }
    }

    /// A granted folder, under one of its names.
    pub fn granted(name: &str, grant: &DirGrant, by: GrantedBy) -> Place {
        Place {
            name: name.to_owned(),
            ground: Ground::Granted {
                host: grant.host.clone(),
                access: grant.access,
                by,
                same_name: grant.guest.iter().any(|g| Path::new(g) == grant.host),
            },
        }
    }

    /// Whether this is its name, to wasi-libc.
    pub fn is_called(&self, name: &str) -> bool {
        as_libc_sees(&self.name) == as_libc_sees(name)
    }

    fn is_read_only(&self) -> bool {
        match &self.ground {
            Ground::Nothing => true,
            Ground::Scratch => false,
            Ground::Granted { access, .. } => *access != Access::ReadWrite,
        }
    }

    fn is_nothing(&self) -> bool {
        matches!(self.ground, Ground::Nothing)
    }

    /// What lies on this machine at a path that leads to nothing here, if the guest may have meant
    /// that: by an absolute name, which its libc looks for in the folder that is `.`, or in a
    /// folder of the machine's that its own `/tmp` hides.
    fn on_the_machine(&self, tried: Tried, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        if path.components().any(|c| c == Component::ParentDir) {
            return None;
        }
        let leads = |path: &Path| {
            let could_be_made = || path.parent().is_some_and(Path::is_dir);
            path.exists() || tried.changes() && could_be_made()
        };
        let there = match &self.ground {
            // what is granted as `/` stands for the machine's own
            Ground::Granted { host, .. } if !self.name.starts_with('/') && self.is_called("/") => {
                if leads(&host.join(path)) {
                    return None;
                }
                Path::new("/").join(path)
            }
            Ground::Scratch if path.components().count() > 1 => Path::new(&self.name).join(path),
            _ => return None,
        };
        leads(&there).then_some(there)
    }
}

/// All folders that a guest finds, in the order in which it is told of them.
pub struct Places {
    pub list: Vec<Place>,
    pub how: HowToGrant,
    /// Where all that the user has lies, as it is set: no advice grants that.
    pub home_dir: Option<PathBuf>,
    /// How `file!()` begins in the package's sources, if that is no path natively.
    pub sources: Option<String>,
}

/// Notes what is refused to one guest.
#[derive(Default)]
pub struct Watch {
    places: Option<Arc<Places>>,
    /// Whether what is refused is noted.
    notes: bool,
    denials: Denials,
    found: Found,
    /// What it has opened, and, of a component, what it lists.
    folders: Folders,
    lists: Folders,
}

/// How an attempt came back that may be worth a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    NoEntry,
    NotPermitted,
    /// It is granted, and the system refuses it to this user.
    OfTheSystem,
}

/// A path that a guest gave, cut to what is kept.
struct Given {
    text: String,
    is_whole: bool,
}

impl Given {
    fn new(bytes: &[u8], length: usize) -> Given {
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        let is_whole = bytes.len() == length;
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if !is_whole {
            // the cut may have gone through a character
            text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        }
        Given { text, is_whole }
    }
}

/// Where an attempt went.
struct Spot {
    /// The place that the path begins at; `None` for a folder that the guest had opened.
    place: Option<usize>,
    is_read_only: bool,
    path: Given,
}

/// A lookup by the name that `file!()` gives, and where it leads.
struct Source {
    lookup: Lookup,
    /// The path from the package.
    below: String,
    /// The place that it lies in, and the path from there.
    place: usize,
    path: String,
    wanted: Wanted,
}

impl Source {
    /// As an attempt of the guest's.
    fn spot(&self, watch: &Watch) -> Spot {
        Spot {
            place: Some(self.place),
            is_read_only: watch.list()[self.place].is_read_only(),
            path: Given::new(self.path.as_bytes(), self.path.len()),
        }
    }

    /// Whether more than a look is wanted, so that a refusal is worth a note.
    fn changes(&self) -> bool {
        matches!(self.lookup, Lookup::Write | Lookup::Create)
    }
}

/// What an attempt was at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Something in a folder.
    Entry,
    /// A folder itself.
    Folder,
}

impl Watch {
    /// For a guest that finds these folders.
    pub fn new(places: Arc<Places>) -> Watch {
        Watch {
            places: Some(places),
            notes: true,
            ..Watch::default()
        }
    }

    /// The same, and nothing is noted.
    pub fn without_notes(places: Arc<Places>) -> Watch {
        Watch {
            places: Some(places),
            ..Watch::default()
        }
    }

    /// The first source that was found since this was asked for last, by the name that
    /// `file!()` gives it.
    pub fn take_source(&mut self) -> Option<String> {
        let found = self.found.first.take()?;
        let member = self.places.as_ref()?.sources.as_deref()?;
        Some(format!("{member}/{found}"))
    }

    /// What was noted since this was asked for last.
    pub fn take(&mut self) -> Denials {
        std::mem::take(&mut self.denials)
    }

    /// The place of this name; of two, the last, which hides the other.
    fn place_of(&self, name: &str) -> Option<usize> {
        self.list().iter().rposition(|p| p.name == name)
    }

    fn list(&self) -> &[Place] {
        self.places.as_ref().map_or(&[], |places| &places.list)
    }

    /// Where a path leads that is named as `file!()` names sources, if this lookup of it is
    /// answered: the place, the path from there, and what has to be there.
    fn source(&self, lookup: Lookup, path: &str) -> Option<Source> {
        let places = self.places.as_ref()?;
        let below = sources::below(places.sources.as_deref()?, path)?;
        let wanted = self.found.answers(lookup, below)?;
        let (place, path) = places.relative(below)?;
        Some(Source {
            lookup,
            below: below.to_owned(),
            place,
            path,
            wanted,
        })
    }

    /// Whether a path begins at the package, where such names would be found.
    fn is_package(&self, place: Option<usize>) -> bool {
        place.is_some_and(|at| self.list()[at].is_called("/"))
    }

    fn is_nothing(&self, spot: &Spot) -> bool {
        spot.place.is_some_and(|at| self.list()[at].is_nothing())
    }

    /// Notes an attempt that came back so. Gives whether it went where nothing is, so
    /// that nothing can have been touched.
    fn refused(&mut self, tried: Tried, target: Target, came: Came, spots: Vec<Spot>) -> bool {
        let Some(places) = self.places.clone().filter(|_| self.notes) else {
            return false;
        };
        let read_only = |s: &Spot| tried.changes() && s.is_read_only;
        let dotted = |s: &Spot| s.path.text.split('/').any(|part| part == "..");
        // of two paths the one that is to blame, as far as that shows
        let find = |test: &dyn Fn(&Spot) -> bool| spots.iter().position(test);
        let (at, why) = if let Some(at) = find(&|s| self.is_nothing(s)) {
            (at, Refusal::NotGranted)
        } else if came == Came::NoEntry {
            (0, Refusal::NotThere)
        } else if came == Came::OfTheSystem {
            (0, Refusal::OfTheSystem)
        } else if let Some(at) = find(&read_only) {
            (at, Refusal::ReadOnly)
        } else {
            (find(&dotted).unwrap_or(0), Refusal::LeadsOut)
        };
        if let Some(spot) = spots.get(at) {
            let place = spot.place.map(|at| &places.list[at]);
            let mut denied = denied(tried, target, why, place, &spot.path, places.advice());
            if why == Refusal::LeadsOut && !tried.changes() {
                denied.instead = place.and_then(|at| places.elsewhere(at, &spot.path.text));
            }
            self.denials.add(denied);
        }
        why == Refusal::NotGranted
    }
}

fn denied(
    tried: Tried,
    target: Target,
    why: Refusal,
    place: Option<&Place>,
    given: &Given,
    advice: Advice<'_>,
) -> Denied {
    if given.is_whole
        && matches!(why, Refusal::NotThere | Refusal::ReadOnly)
        && let Some(place) = place
        && let Some(there) = place.on_the_machine(tried, &given.text)
    {
        return not_granted(tried, target, place, &there, advice);
    }
    let (mut path, mut or) = names(place, &given.text);
    let parents: Vec<String> = match given.is_whole {
        true => [Some(path.as_str()), or.as_deref()]
            .into_iter()
            .flatten()
            .filter_map(|path| folder_of(path, target))
            .collect(),
        false => Vec::new(),
    };
    let rw = if tried.changes() { ":rw" } else { "" };
    let granted = place.and_then(|place| match &place.ground {
        Ground::Granted {
            host,
            by,
            same_name,
            ..
        } => Some((place, host, *by, *same_name)),
        _ => None,
    });
    let mut allow = Vec::new();
    let mut relative_to = None;
    match (why, advice.how, granted) {
        (Refusal::NotGranted, ..) => {
            let flag = |folder: &String| format!("--dir {}", shell_quote(&format!("{folder}{rw}")));
            allow = parents.iter().map(flag).collect();
        }
        (Refusal::ReadOnly, how, Some((place, host, by, same_name))) => {
            // a folder that is there is meant: its like at the root of all would be a chance
            let on_host = |path: &str| match Path::new(path).strip_prefix(&place.name) {
                Ok(below) => host.join(below),
                Err(_) => host.join(path),
            };
            let itself = tried == Tried::Create && given.is_whole && on_host(&path).is_dir();
            let first = match itself {
                true => Some(&path),
                false => parents.first(),
            };
            if first.is_some_and(|folder| on_host(folder).is_dir()) {
                or = None;
            }
            match (how, by) {
                (HowToGrant::Dir, GrantedBy::Run) => {
                    let what = match same_name {
                        true => format!("{}:rw", place.name),
                        false => format!("{}::{}:rw", host.display(), place.name),
                    };
                    allow.push(format!("--dir {}", shell_quote(&what)));
                }
                (HowToGrant::Rw, GrantedBy::Run | GrantedBy::Module) => {
                    // a whole package cannot be granted for writing
                    let whole = |f: &&String| Path::new(f).components().all(is_dots);
                    let one = first.filter(|f| !whole(f));
                    let other = or.as_ref().and_then(|_| parents.get(1));
                    // what would be refused is no advice
                    let allowed =
                        |folder: &&String| !protected::is_run(&on_host(folder), advice.home_dir);
                    let folders = one.into_iter().chain(other).filter(allowed);
                    allow.extend(folders.map(|folder| format!("--rw {}", shell_quote(folder))));
                }
                _ => {}
            }
        }
        (Refusal::NotThere, HowToGrant::Rw, Some((place, host, ..)))
            if !tried.changes() && place.is_called("/") =>
        {
            relative_to = Some(host.display().to_string());
        }
        _ => {}
    }
    if !given.is_whole {
        path.push_str(" …");
        or = None;
    }
    Denied {
        tried,
        path,
        or,
        why,
        allow,
        relative_to,
        instead: None,
        entry: None,
    }
}

/// Of what is there on this machine, and not in the folder in which a guest's libc has looked for it.
fn not_granted(
    tried: Tried,
    target: Target,
    place: &Place,
    there: &Path,
    advice: Advice<'_>,
) -> Denied {
    let path = there.display().to_string();
    let target = match there.is_dir() {
        true => Target::Folder,
        false => target,
    };
    let flag = |folder: &String| match (tried.changes(), advice.how) {
        (false, _) => Some(format!("--dir {}", shell_quote(folder))),
        (true, HowToGrant::Dir) => Some(format!("--dir {}", shell_quote(&format!("{folder}:rw")))),
        // what would be refused is no advice
        (true, HowToGrant::Rw) => {
            let is_run = protected::is_run(Path::new(folder), advice.home_dir);
            (!is_run).then(|| format!("--rw {}", shell_quote(folder)))
        }
    };
    let relative_to = match &place.ground {
        Ground::Granted { host, .. } => Some(host.display().to_string()),
        Ground::Nothing | Ground::Scratch => None,
    };
    Denied {
        tried,
        or: relative_to
            .is_some()
            .then(|| path.trim_start_matches('/').to_owned()),
        why: Refusal::NotGranted,
        allow: folder_of(&path, target)
            .as_ref()
            .and_then(flag)
            .into_iter()
            .collect(),
        relative_to,
        instead: None,
        entry: None,
        path,
    }
}

/// What is needed to say by which flag more can be granted.
#[derive(Clone, Copy)]
struct Advice<'a> {
    how: HowToGrant,
    home_dir: Option<&'a Path>,
}

impl Places {
    fn advice(&self) -> Advice<'_> {
        Advice {
            how: self.how,
            home_dir: self.home_dir.as_deref(),
        }
    }

    /// The place in which a path from the package lies, and the path from there: the longest
    /// relative name wins, and of two the last, as for wasi-libc.
    fn relative(&self, path: &str) -> Option<(usize, String)> {
        let inside = |place: &Place| {
            if place.is_called("/") {
                return Some((0, path.to_owned()));
            }
            let name = place.name.strip_prefix("./").unwrap_or(&place.name);
            let rest = Path::new(path).strip_prefix(name).ok()?.to_str()?;
            let rest = if rest.is_empty() { "." } else { rest };
            Some((name.len(), rest.to_owned()))
        };
        let all = self.list.iter().enumerate();
        let found = all.filter_map(|(at, place)| Some((inside(place)?, at)));
        let ((_, rest), at) = found.max_by_key(|((length, _), at)| (*length, *at))?;
        Some((at, rest))
    }

    /// The name by which a guest reaches what a path from this place leads out to.
    fn elsewhere(&self, from: &Place, path: &str) -> Option<String> {
        let Ground::Granted { host, .. } = &from.ground else {
            return None;
        };
        let there = host.join(path).canonicalize().ok()?;
        self.list.iter().find_map(|place| match &place.ground {
            Ground::Granted { host, .. } if place.name.starts_with('/') => {
                let below = there.strip_prefix(host).ok()?;
                Path::new(&place.name)
                    .join(below)
                    .to_str()
                    .map(str::to_owned)
            }
            _ => None,
        })
    }
}

fn is_dots(part: Component<'_>) -> bool {
    matches!(part, Component::CurDir | Component::ParentDir)
}

/// The path as the guest has most likely written it, and what else it may have written:
/// to wasi-libc a path from `/` and one from `.` are the same.
fn names(place: Option<&Place>, path: &str) -> (String, Option<String>) {
    let Some(place) = place else {
        return (format!("…/{path}"), None);
    };
    if path.starts_with('/') {
        return (path.to_owned(), None);
    }
    let is_itself = matches!(path, "" | ".");
    if place.is_called("/") {
        let out = Path::new(path).starts_with("..");
        return match is_itself {
            true => (".".to_owned(), Some("/".to_owned())),
            false => (path.to_owned(), (!out).then(|| format!("/{path}"))),
        };
    }
    let name = place.name.trim_end_matches('/');
    match is_itself {
        true => (name.to_owned(), None),
        false => (format!("{name}/{path}"), None),
    }
}

/// The folder that would have to be granted for this path; `None` if none can be named.
fn folder_of(path: &str, target: Target) -> Option<String> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return None;
    }
    let folder = match (target, path.rsplit_once('/')) {
        (Target::Folder, _) => path,
        (Target::Entry, Some((folder, _))) => folder,
        (Target::Entry, None) => ".",
    };
    // the root of all is no good advice; and `..` inside leads the guest elsewhere
    let inside = Path::new(folder)
        .components()
        .skip_while(|c| *c == Component::ParentDir)
        .any(|c| c == Component::ParentDir);
    (!folder.is_empty() && !folder.starts_with('…') && !inside).then(|| folder.to_owned())
}

#[cfg(test)]
mod tests;
