//! Which folders a guest has opened, so that one of them can be named.
//!
//! A descriptor or a handle is a number; what it was opened as is known when it is opened
//! alone. Remembered for guests whose refusals are noted, and within bounds.

use super::{PathArg, Watch};
use crate::event::denials::{AccessKind, DenialReason};
use crate::grant::advice::{GuestPath, LONGEST, Target, denied};
use crate::grant::preopens::Preopens;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// How many are remembered.
const MOST: usize = 64;
/// How many names of a folder are looked through for one that is not UTF-8.
const LOOKED_THROUGH: usize = 1 << 16;

/// A folder, by the granted one that its path begins at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    preopen: usize,
    path: String,
}

/// Folders by the guest's number for them; the last opened is last.
#[derive(Debug, Default)]
pub struct Folders(Vec<(u32, Folder)>);

impl Folders {
    pub fn add(&mut self, number: u32, folder: Folder) {
        self.remove(number);
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push((number, folder));
    }

    pub fn remove(&mut self, number: u32) -> Option<Folder> {
        let at = self.0.iter().position(|(n, _)| *n == number)?;
        Some(self.0.remove(at).1)
    }

    pub fn get(&self, number: u32) -> Option<&Folder> {
        let mut all = self.0.iter();
        all.find(|(n, _)| *n == number).map(|(_, folder)| folder)
    }
}

impl Folder {
    /// A granted folder itself.
    pub fn at(preopen: usize) -> Folder {
        Folder {
            preopen,
            path: String::new(),
        }
    }

    /// One that was opened in it; `None` if its path is longer than what is kept.
    pub fn join(&self, path: &str) -> Option<Folder> {
        let path = match (self.path.as_str(), path) {
            (_, "." | "") => self.path.clone(),
            ("", _) => path.to_owned(),
            (folder, _) => format!("{folder}/{path}"),
        };
        (path.len() <= LONGEST).then_some(Folder {
            preopen: self.preopen,
            path,
        })
    }

    /// The first name in it that is not UTF-8, with the odd bytes as numbers. It is looked for
    /// from the granted folder on, and not outside of that.
    fn odd_name(&self, preopens: &Preopens) -> Option<String> {
        let host = preopens.list().get(self.preopen)?.host()?;
        let preopen = Dir::open_ambient_dir(host, ambient_authority()).ok()?;
        let folder = match self.path.as_str() {
            "" => preopen,
            path => preopen.open_dir(Path::new(path)).ok()?,
        };
        let mut names = folder.entries().ok()?.take(LOOKED_THROUGH);
        names.find_map(|entry| {
            let name = entry.ok()?.file_name();
            let is_odd = name.to_str().is_none();
            is_odd.then(|| name.as_bytes().escape_ascii().to_string())
        })
    }
}

impl Watch {
    /// Notes that a folder was not told of for a name in it.
    pub fn not_unicode(&mut self, folder: &Folder) {
        let Some(preopens) = self.preopens.clone().filter(|_| self.notes) else {
            return;
        };
        let arg = PathArg {
            preopen: Some(folder.preopen),
            is_read_only: false,
            path: GuestPath::new(folder.path.as_bytes(), folder.path.len()),
        };
        let preopen = preopens.list().get(folder.preopen);
        let mut denied = denied(
            AccessKind::Read,
            Target::Folder,
            DenialReason::NotUnicode,
            preopen,
            &arg.path,
            preopens.advice(),
        );
        denied.entry = folder.odd_name(&preopens);
        self.denials.add(denied);
    }

    /// Whether opened folders are to be remembered.
    pub fn remembers(&self) -> bool {
        self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_known_by_their_last_number_and_the_last_ones_alone() {
        let mut all = Folders::default();
        let folder = Folder::at(1).join("a").and_then(|a| a.join("b"));
        let folder = folder.expect("short");
        assert_eq!(folder.path, "a/b");
        assert_eq!(folder.join("."), Some(folder.clone()));
        assert_eq!(folder.join(&"x".repeat(LONGEST)), None);
        for number in 0..1000 {
            all.add(number, folder.clone());
        }
        all.add(999, Folder::at(2));
        assert_eq!(all.0.len(), MOST);
        assert_eq!(all.get(999), Some(&Folder::at(2)));
        assert_eq!(all.remove(998), Some(folder));
        assert_eq!((all.get(998), all.get(0)), (None, None));
    }
}
