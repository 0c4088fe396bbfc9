//! What is said of an attempt that was refused: why, and by which flag it would be allowed.
//!
//! Takes what was tried at which path in which folder, gives an [`AccessDenial`] in the guest's
//! own names. Decides nothing: the system and the grants have. Looks at the disk, so that no
//! advice leads to what would be refused, and opens nothing.

use super::preopens::{Advice, GrantedBy, Mount, Preopen};
use super::{HowToGrant, protected};
use crate::event::denials::{AccessDenial, AccessKind, DenialReason};
use crate::text::shell_quote;
use std::path::{Component, Path};

/// What is kept of a path that a guest gives, in bytes.
pub const LONGEST: usize = 512;

/// A path that a guest gave, cut to what is kept.
pub struct GuestPath {
    /// What is kept of it.
    pub text: String,
    /// Whether that is all.
    pub is_whole: bool,
}

impl GuestPath {
    /// A path that is so many bytes long, of which these are the first.
    pub fn new(bytes: &[u8], length: usize) -> GuestPath {
        let bytes = &bytes[..bytes.len().min(LONGEST)];
        let is_whole = bytes.len() == length;
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if !is_whole {
            // the cut may have gone through a character
            text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        }
        GuestPath { text, is_whole }
    }
}

/// What an attempt was at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Something in a folder.
    Entry,
    /// A folder itself.
    Folder,
}

/// An attempt at a path that begins in one of the guest's folders, or in one that it had opened,
/// as it is told: with the flags that would have allowed it.
pub fn denied(
    tried: AccessKind,
    target: Target,
    why: DenialReason,
    preopen: Option<&Preopen>,
    given: &GuestPath,
    advice: Advice<'_>,
) -> AccessDenial {
    if given.is_whole
        && matches!(why, DenialReason::NotThere | DenialReason::ReadOnly)
        && let Some(preopen) = preopen
        && let Some(there) = preopen.on_the_machine(tried, &given.text)
    {
        return not_granted(tried, target, preopen, &there, advice);
    }
    let (mut path, mut or) = names(preopen, &given.text);
    let parents: Vec<String> = match given.is_whole {
        true => [Some(path.as_str()), or.as_deref()]
            .into_iter()
            .flatten()
            .filter_map(|path| folder_of(path, target))
            .collect(),
        false => Vec::new(),
    };
    let rw = if tried.changes() { ":rw" } else { "" };
    let granted = preopen.and_then(|preopen| match &preopen.mount {
        Mount::Granted {
            host,
            by,
            same_name,
            ..
        } => Some((preopen, host, *by, *same_name)),
        _ => None,
    });
    let mut allow = Vec::new();
    let mut relative_to = None;
    match (why, advice.how, granted) {
        (DenialReason::NotGranted, ..) => {
            let flag = |folder: &String| format!("--dir {}", shell_quote(&format!("{folder}{rw}")));
            allow = parents.iter().map(flag).collect();
        }
        (DenialReason::ReadOnly, how, Some((preopen, host, by, same_name))) => {
            // a folder that is there is meant: its like at the root of all would be a chance
            let on_host = |path: &str| match Path::new(path).strip_prefix(&preopen.name) {
                Ok(below) => host.join(below),
                Err(_) => host.join(path),
            };
            let itself = tried == AccessKind::Create && given.is_whole && on_host(&path).is_dir();
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
                        true => format!("{}:rw", preopen.name),
                        false => format!("{}::{}:rw", host.display(), preopen.name),
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
        (DenialReason::NotThere, HowToGrant::Rw, Some((preopen, host, ..)))
            if !tried.changes() && preopen.is_called("/") =>
        {
            relative_to = Some(host.display().to_string());
        }
        _ => {}
    }
    if !given.is_whole {
        path.push_str(" …");
        or = None;
    }
    AccessDenial {
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
    tried: AccessKind,
    target: Target,
    preopen: &Preopen,
    there: &Path,
    advice: Advice<'_>,
) -> AccessDenial {
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
    let relative_to = match &preopen.mount {
        Mount::Granted { host, .. } => Some(host.display().to_string()),
        Mount::Nothing | Mount::Scratch | Mount::Copy => None,
    };
    AccessDenial {
        tried,
        or: relative_to
            .is_some()
            .then(|| path.trim_start_matches('/').to_owned()),
        why: DenialReason::NotGranted,
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

fn is_dots(part: Component<'_>) -> bool {
    matches!(part, Component::CurDir | Component::ParentDir)
}

/// The path as the guest has most likely written it, and what else it may have written:
/// to wasi-libc a path from `/` and one from `.` are the same.
fn names(preopen: Option<&Preopen>, path: &str) -> (String, Option<String>) {
    let Some(preopen) = preopen else {
        return (format!("…/{path}"), None);
    };
    if path.starts_with('/') {
        return (path.to_owned(), None);
    }
    let is_itself = matches!(path, "" | ".");
    if preopen.is_called("/") {
        let out = Path::new(path).starts_with("..");
        return match is_itself {
            true => (".".to_owned(), Some("/".to_owned())),
            false => (path.to_owned(), (!out).then(|| format!("/{path}"))),
        };
    }
    let name = preopen.name.trim_end_matches('/');
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
