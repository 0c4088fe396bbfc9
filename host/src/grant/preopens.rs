//! Which folders a guest finds, by which names, and which of two of one name.
//!
//! Takes grants, gives [`Preopens`] in the order in which a guest is told of them. Opens nothing:
//! whoever opens does it in this order, or a guest sees another folder than is thought.

use super::libc::as_libc_sees;
use super::{Access, DirGrant, HowToGrant};
use crate::event::denials::AccessKind;
use std::path::{Component, Path, PathBuf};

/// A folder as a guest finds it.
pub struct Preopen {
    /// Its name there.
    pub(super) name: String,
    pub(super) mount: Mount,
}

/// What lies there.
pub(super) enum Mount {
    /// An empty folder, there so that attempts at what is not granted reach the host.
    Nothing,
    /// The test's own folder.
    Scratch,
    /// The test's own copy of a folder.
    Copy,
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

impl Preopen {
    /// The empty folder.
    pub fn nothing(name: &str) -> Preopen {
        Preopen {
            name: name.to_owned(),
            mount: Mount::Nothing,
        }
    }

    /// A test's own folder.
    pub fn scratch(name: &str) -> Preopen {
        Preopen {
            name: name.to_owned(),
            mount: Mount::Scratch,
        }
    }

    /// A test's own copy of a folder.
    pub fn copy(name: &str) -> Preopen {
        Preopen {
            name: name.to_owned(),
            mount: Mount::Copy,
        }
    }

    /// Whether what lies there is the test's own, and goes with it.
    pub fn is_own(&self) -> bool {
        matches!(self.mount, Mount::Scratch | Mount::Copy)
    }

    /// Whether it is a test's own copy of this name, to wasi-libc.
    pub fn is_copy_called(&self, name: &str) -> bool {
        matches!(self.mount, Mount::Copy) && self.is_called(name)
    }

    /// A granted folder, under one of its names.
    pub fn granted(name: &str, grant: &DirGrant, by: GrantedBy) -> Preopen {
        Preopen {
            name: name.to_owned(),
            mount: Mount::Granted {
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

    /// Whether this is its name, as it is written.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name
    }

    /// The folder of the host's that it is granted as, if it is one.
    pub fn host(&self) -> Option<&Path> {
        match &self.mount {
            Mount::Granted { host, .. } => Some(host),
            Mount::Nothing | Mount::Scratch | Mount::Copy => None,
        }
    }

    /// Whether nothing can be changed in it.
    pub fn is_read_only(&self) -> bool {
        match &self.mount {
            Mount::Nothing => true,
            Mount::Scratch | Mount::Copy => false,
            Mount::Granted { access, .. } => *access != Access::ReadWrite,
        }
    }

    /// Whether it is the empty folder.
    pub fn is_nothing(&self) -> bool {
        matches!(self.mount, Mount::Nothing)
    }

    /// What lies on this machine at a path that leads to nothing here, if the guest may have meant
    /// that: by an absolute name, which its libc looks for in the folder that is `.`, or in a
    /// folder of the machine's that its own `/tmp` hides.
    pub(super) fn on_the_machine(&self, tried: AccessKind, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        if path.components().any(|c| c == Component::ParentDir) {
            return None;
        }
        let leads = |path: &Path| {
            let could_be_made = || path.parent().is_some_and(Path::is_dir);
            path.exists() || tried.changes() && could_be_made()
        };
        let there = match &self.mount {
            // what is granted as `/` stands for the machine's own
            Mount::Granted { host, .. } if !self.name.starts_with('/') && self.is_called("/") => {
                if leads(&host.join(path)) {
                    return None;
                }
                Path::new("/").join(path)
            }
            Mount::Scratch if path.components().count() > 1 => Path::new(&self.name).join(path),
            _ => return None,
        };
        leads(&there).then_some(there)
    }
}

/// What is needed to say by which flag more can be granted.
#[derive(Clone, Copy)]
pub struct Advice<'a> {
    /// By which flag that is.
    pub how: HowToGrant,
    /// Where all that the user has lies, as it is set: no advice grants that.
    pub home_dir: Option<&'a Path>,
}

/// All folders that a guest finds, in the order in which it is told of them.
pub struct Preopens {
    list: Vec<Preopen>,
    how: HowToGrant,
    /// Where all that the user has lies, as it is set: no advice grants that.
    home_dir: Option<PathBuf>,
    /// How `file!()` begins in the package's sources, if that is no path natively.
    sources: Option<String>,
}

/// All grants of one guest in the order in which it has to be told of them: of two folders of
/// one name it sees the one that comes last.
pub fn in_order<'a>(
    of_module: &'a [DirGrant],
    of_run: &'a [DirGrant],
    of_fixtures: impl Iterator<Item = &'a DirGrant>,
) -> impl Iterator<Item = (&'a DirGrant, GrantedBy)> {
    let by = |by: GrantedBy| move |grant| (grant, by);
    let all = of_module.iter().map(by(GrantedBy::Module));
    let all = all.chain(of_run.iter().map(by(GrantedBy::Run)));
    all.chain(of_fixtures.map(by(GrantedBy::Fixture)))
}

impl Preopens {
    /// None yet.
    pub fn new(how: HowToGrant, home_dir: Option<PathBuf>) -> Preopens {
        Preopens {
            list: Vec::new(),
            how,
            home_dir,
            sources: None,
        }
    }

    /// Adds a grant under all of its names. Gives whether that is a folder, to be opened next:
    /// a name of sources is none.
    #[must_use]
    pub fn add(&mut self, grant: &DirGrant, by: GrantedBy) -> bool {
        if grant.access == Access::Sources {
            self.sources = grant.guest.first().cloned();
            return false;
        }
        let names = grant.guest.iter();
        let preopens = names.map(|name| Preopen::granted(name, grant, by));
        self.list.extend(preopens);
        true
    }

    /// Adds one that nobody has granted.
    pub fn push(&mut self, preopen: Preopen) {
        self.list.push(preopen);
    }

    /// Whether there is a folder of the host's to write to.
    pub fn writes_to_the_host(&self) -> bool {
        let mut list = self.list.iter();
        list.any(|preopen| {
            matches!(&preopen.mount, Mount::Granted { access, .. } if *access == Access::ReadWrite)
        })
    }

    /// All of them.
    pub fn list(&self) -> &[Preopen] {
        &self.list
    }

    /// How `file!()` begins in the package's sources, if that is no path natively.
    pub fn sources(&self) -> Option<&str> {
        self.sources.as_deref()
    }

    /// What is needed to say how more can be granted.
    pub fn advice(&self) -> Advice<'_> {
        Advice {
            how: self.how,
            home_dir: self.home_dir.as_deref(),
        }
    }

    /// The folder in which a path from the package lies, and the path from there: the longest
    /// relative name wins, and of two the last, as for wasi-libc.
    pub fn relative(&self, path: &str) -> Option<(usize, String)> {
        let inside = |preopen: &Preopen| {
            if preopen.is_called("/") {
                return Some((0, path.to_owned()));
            }
            let name = preopen.name.strip_prefix("./").unwrap_or(&preopen.name);
            let rest = Path::new(path).strip_prefix(name).ok()?.to_str()?;
            let rest = if rest.is_empty() { "." } else { rest };
            Some((name.len(), rest.to_owned()))
        };
        let all = self.list.iter().enumerate();
        let found = all.filter_map(|(at, preopen)| Some((inside(preopen)?, at)));
        let ((_, rest), at) = found.max_by_key(|((length, _), at)| (*length, *at))?;
        Some((at, rest))
    }

    /// The name by which a guest reaches what a path from this folder leads out to.
    pub fn elsewhere(&self, from: &Preopen, path: &str) -> Option<String> {
        let Mount::Granted { host, .. } = &from.mount else {
            return None;
        };
        let there = host.join(path).canonicalize().ok()?;
        self.list.iter().find_map(|preopen| match &preopen.mount {
            Mount::Granted { host, .. } if preopen.name.starts_with('/') => {
                let below = there.strip_prefix(host).ok()?;
                Path::new(&preopen.name)
                    .join(below)
                    .to_str()
                    .map(str::to_owned)
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_folders_of_one_name_the_runs_counts_and_a_fixtures_before_it() {
        let grant = |host: &str, access| DirGrant {
            host: host.into(),
            guest: vec!["a".to_owned()],
            access,
        };
        let of = |host| [grant(host, Access::ReadOnly)];
        let (module, run, fixture) = (of("/m"), of("/r"), of("/f"));
        let mut all = Preopens::new(HowToGrant::Dir, None);
        for (grant, by) in in_order(&module, &run, fixture.iter()) {
            assert!(all.add(grant, by));
        }
        assert!(!all.add(&grant("/s", Access::Sources), GrantedBy::Module));
        let hosts: Vec<&Path> = all.list().iter().filter_map(Preopen::host).collect();
        assert_eq!(hosts, ["/m", "/r", "/f"].map(Path::new));
        assert!(all.list().iter().all(Preopen::is_read_only));
        assert_eq!(all.sources(), Some("a"));
        let found = all.relative("a/x");
        assert_eq!(found, Some((2, "x".to_owned())));
    }
}
