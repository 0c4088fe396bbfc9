//! Attempts of a guest at files that were refused, noted so that a failure can name them.
//!
//! The functions of WASI that take a path are put in front of wasmtime's own (`core`,
//! `component`), call those, and note here what came back as refused. What succeeds pays
//! for a look at the result. Decides nothing: what a guest may reach is the grants' alone.

pub(super) mod component;
pub(super) mod core;
mod folders;
mod sources;
mod stored;
pub(super) mod writing;

use crate::event::denials::{AccessKind, DenialReason, Denials};
use crate::grant::advice::{GuestPath, Target, denied};
use crate::grant::preopens::{Preopen, Preopens};
use folders::Folders;
use sources::{Found, Lookup, Wanted};
use std::sync::Arc;

/// Notes what is refused to one guest.
#[derive(Default)]
pub struct Watch {
    preopens: Option<Arc<Preopens>>,
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
enum AccessError {
    NoEntry,
    NotPermitted,
    /// It is granted, and the system refuses it to this user.
    OfTheSystem,
}

/// Where an attempt went.
struct PathArg {
    /// The granted folder that the path begins at; `None` for a folder that the guest had opened.
    preopen: Option<usize>,
    is_read_only: bool,
    path: GuestPath,
}

/// A lookup by the name that `file!()` gives, and where it leads.
struct Source {
    lookup: Lookup,
    /// The path from the package.
    below: String,
    /// The granted folder that it lies in, and the path from there.
    preopen: usize,
    path: String,
    wanted: Wanted,
}

impl Source {
    /// As an attempt of the guest's.
    fn path_arg(&self, watch: &Watch) -> PathArg {
        PathArg {
            preopen: Some(self.preopen),
            is_read_only: watch.list()[self.preopen].is_read_only(),
            path: GuestPath::new(self.path.as_bytes(), self.path.len()),
        }
    }

    /// Whether more than a look is wanted, so that a refusal is worth a note.
    fn changes(&self) -> bool {
        matches!(self.lookup, Lookup::Write | Lookup::Create)
    }
}

impl Watch {
    /// For a guest that finds these folders.
    pub fn new(preopens: Arc<Preopens>) -> Watch {
        Watch {
            preopens: Some(preopens),
            notes: true,
            ..Watch::default()
        }
    }

    /// The same, and nothing is noted.
    pub fn without_notes(preopens: Arc<Preopens>) -> Watch {
        Watch {
            preopens: Some(preopens),
            ..Watch::default()
        }
    }

    /// The first source that was found since this was asked for last, by the name that
    /// `file!()` gives it.
    pub fn take_source(&mut self) -> Option<String> {
        let found = self.found.first.take()?;
        let member = self.preopens.as_ref()?.sources()?;
        Some(format!("{member}/{found}"))
    }

    /// What was noted since this was asked for last.
    pub fn take(&mut self) -> Denials {
        std::mem::take(&mut self.denials)
    }

    /// The granted folder of this name; of two, the last, which hides the other.
    fn preopen_of(&self, name: &str) -> Option<usize> {
        self.list().iter().rposition(|p| p.is_named(name))
    }

    fn list(&self) -> &[Preopen] {
        self.preopens
            .as_ref()
            .map_or(&[], |preopens| preopens.list())
    }

    /// Where a path leads that is named as `file!()` names sources, if this lookup of it is
    /// answered: the folder, the path from there, and what has to be there.
    fn source(&self, lookup: Lookup, path: &str) -> Option<Source> {
        let preopens = self.preopens.as_ref()?;
        let below = sources::below(preopens.sources()?, path)?;
        let wanted = self.found.answers(lookup, below)?;
        let (preopen, path) = preopens.relative(below)?;
        Some(Source {
            lookup,
            below: below.to_owned(),
            preopen,
            path,
            wanted,
        })
    }

    /// Whether a path begins at the package, where such names would be found.
    fn is_package(&self, preopen: Option<usize>) -> bool {
        preopen.is_some_and(|at| self.list()[at].is_called("/"))
    }

    fn is_nothing(&self, arg: &PathArg) -> bool {
        arg.preopen.is_some_and(|at| self.list()[at].is_nothing())
    }

    /// Notes an attempt that came back so. Gives whether it went where nothing is, so
    /// that nothing can have been touched.
    fn refused(
        &mut self,
        tried: AccessKind,
        target: Target,
        error: AccessError,
        args: Vec<PathArg>,
    ) -> bool {
        let Some(preopens) = self.preopens.clone().filter(|_| self.notes) else {
            return false;
        };
        let read_only = |s: &PathArg| tried.changes() && s.is_read_only;
        let dotted = |s: &PathArg| s.path.text.split('/').any(|part| part == "..");
        // of two paths the one that is to blame, as far as that shows
        let find = |test: &dyn Fn(&PathArg) -> bool| args.iter().position(test);
        let (at, why) = if let Some(at) = find(&|s| self.is_nothing(s)) {
            (at, DenialReason::NotGranted)
        } else if error == AccessError::NoEntry {
            (0, DenialReason::NotThere)
        } else if error == AccessError::OfTheSystem {
            (0, DenialReason::OfTheSystem)
        } else if let Some(at) = find(&read_only) {
            (at, DenialReason::ReadOnly)
        } else {
            (find(&dotted).unwrap_or(0), DenialReason::LeadsOut)
        };
        if let Some(arg) = args.get(at) {
            let preopen = arg.preopen.map(|at| &preopens.list()[at]);
            let mut denied = denied(tried, target, why, preopen, &arg.path, preopens.advice());
            if why == DenialReason::LeadsOut && !tried.changes() {
                denied.instead = preopen.and_then(|at| preopens.elsewhere(at, &arg.path.text));
            }
            self.denials.add(denied);
        }
        why == DenialReason::NotGranted
    }
}
