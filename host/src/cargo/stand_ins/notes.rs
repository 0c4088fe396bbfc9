//! What was left out of a build, a file for each library: written where rustc is called, read by
//! `cargo wasmtest`.

use super::super::diagnostic::error_line;
use crate::event::{self, Without};
use cargo_metadata::{CompilerMessage, Package};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// A library that is not what its source says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cargo) struct Note {
    pub(super) package: String,
    /// The package's version.
    pub(super) version: String,
    /// Its files, without their endings.
    pub(super) product: PathBuf,
    pub(super) left_out: LeftOut,
}

/// What is left out of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum LeftOut {
    /// All of it: a stand-in has its place.
    All {
        /// The first error, as one line.
        error: String,
        /// The files, without their endings, of the stand-in that it failed to be compiled with.
        needs: Option<PathBuf>,
    },
    /// Features that it can do without.
    Features {
        /// Their names.
        names: Vec<String>,
        /// What they are for.
        why: String,
        /// Whether the library has public items with them that it has not without.
        hides_items: bool,
    },
}

/// The notes of a folder.
#[derive(Clone, Debug, Default)]
pub(in crate::cargo) struct Notes(Vec<Note>);

impl Notes {
    /// Reads all; what cannot be read is none.
    pub(super) fn read(folder: &Path) -> Notes {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let read = |file: PathBuf| serde_json::from_slice(&std::fs::read(file).ok()?).ok();
        let mut all: Vec<Note> = entries.filter_map(|e| read(e.path())).collect();
        all.sort_by(|a, b| (&a.package, &a.version).cmp(&(&b.package, &b.version)));
        Notes(all)
    }

    /// Those of them that tell of one of these files.
    pub(super) fn of(self, is_meant: impl Fn(&Path) -> bool) -> Notes {
        Notes(
            self.0
                .into_iter()
                .filter(|n| is_meant(&n.product))
                .collect(),
        )
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Note> {
        self.0.iter()
    }

    pub(in crate::cargo) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an error is there only because something was left out.
    pub(in crate::cargo) fn explains(&self, error: &CompilerMessage) -> bool {
        self.explanation(error).is_some()
    }

    /// What an error comes of, if it is there only because something was left out.
    pub(in crate::cargo) fn explanation(&self, error: &CompilerMessage) -> Option<String> {
        let rendered = error.message.rendered.as_deref()?;
        self.explanation_of(rendered)
            .or_else(|| self.without_feature(error))
    }

    /// What of a feature that was left out an error may come of: it names something that is called as
    /// the feature, and is not there.
    fn without_feature(&self, error: &CompilerMessage) -> Option<String> {
        const NOT_THERE: [&str; 8] = [
            "E0405", "E0412", "E0425", "E0432", "E0433", "E0560", "E0599", "E0609",
        ];
        let code = error.message.code.as_ref()?;
        if !NOT_THERE.contains(&code.code.as_str()) {
            return None;
        }
        let mut all = self.iter();
        all.find_map(|note| {
            let LeftOut::Features { names, why, .. } = &note.left_out else {
                return None;
            };
            let mut names = names.iter();
            let name = names.find(|name| error.message.message.contains(&format!("`{name}`")))?;
            Some(format!(
                "{}: perhaps since {} was built without `{name}` ({why})",
                error_line(&error.message),
                note.name()
            ))
        })
    }

    /// What a compiler's words come of, if something that was left out is named in them.
    pub(in crate::cargo) fn explanation_of(&self, said: &str) -> Option<String> {
        let note = self.named_in(said)?;
        let root = self.root(note);
        let why = match &root.left_out {
            LeftOut::All { error, .. } => error,
            LeftOut::Features { why, .. } => why,
        };
        let by_way = match root == note {
            true => String::new(),
            false => format!(", which needs `{}`", root.package),
        };
        Some(format!(
            "it needs `{}`{by_way}, which does not build: {why}",
            note.package
        ))
    }

    /// A package's dependency of which something that can be named was left out.
    pub(in crate::cargo) fn lacking_of(&self, package: &Package) -> Option<String> {
        let lacks = |note: &Note| match note.left_out {
            LeftOut::All { .. } => true,
            LeftOut::Features { hides_items, .. } => hides_items,
        };
        let is_dependency = |note: &Note| {
            let mut all = package.dependencies.iter();
            all.any(|d| d.name == note.package)
        };
        let mut all = self.iter();
        let found = all.find(|note| lacks(note) && is_dependency(note))?;
        Some(found.package.clone())
    }

    /// What was left out, for a report: where it began, each with what it took along. A library
    /// that was built with several sets of features may be told of as often.
    pub(in crate::cargo) fn to_tell(&self) -> Vec<event::LeftOut> {
        let told = self.iter().filter_map(|note| {
            let without = match &note.left_out {
                LeftOut::Features { names, why, .. } => Without::Features {
                    names: names.clone(),
                    why: why.clone(),
                },
                LeftOut::All { error, .. } if self.root(note) == note => {
                    let others = self.iter().filter(|n| *n != note && self.root(n) == note);
                    let mut others: Vec<String> = others.map(Note::name).collect();
                    others.dedup();
                    Without::All {
                        error: error.clone(),
                        others,
                    }
                }
                LeftOut::All { .. } => return None,
            };
            Some(event::LeftOut {
                name: note.name(),
                without,
            })
        });
        told.collect()
    }

    /// The stand-in that a compiler's message names: rustc says which file it could not read.
    pub(super) fn named_in(&self, message: &str) -> Option<&Note> {
        self.stand_ins()
            .filter_map(|note| Some((note, note.product.to_str()?)))
            .find(|(_, product)| message.contains(product))
            .map(|(note, _)| note)
    }

    fn stand_ins(&self) -> impl Iterator<Item = &Note> {
        self.iter()
            .filter(|n| matches!(n.left_out, LeftOut::All { .. }))
    }

    /// Where it began: the stand-in that this one needs, and so on.
    pub(super) fn root<'a>(&'a self, note: &'a Note) -> &'a Note {
        let mut root = note;
        // each step leads to one that was there before
        for _ in 0..self.0.len() {
            let LeftOut::All {
                needs: Some(needs), ..
            } = &root.left_out
            else {
                break;
            };
            match self.iter().find(|n| n.product == *needs) {
                Some(next) => root = next,
                None => break,
            }
        }
        root
    }
}

impl Note {
    /// Its package with the version.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.package, self.version)
    }

    /// Keeps it, whole or not at all.
    pub(super) fn keep(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, self)?;
        file.persist(file_of(folder, &self.product))?;
        Ok(())
    }
}

/// Forgets what was left out of a library: it is compiled anew.
pub(super) fn forget(folder: &Path, product: &Path) {
    // most were never left out of
    let _ = std::fs::remove_file(file_of(folder, product));
}

fn file_of(folder: &Path, product: &Path) -> PathBuf {
    let hash = blake3::hash(product.as_os_str().as_encoded_bytes());
    folder.join(format!("{}.json", &hash.to_hex()[..32]))
}
