//! Stand-ins for dependencies that do not build for WASI: what needs one is not built, and everything else is.
//!
//! `StandIns` is a build in a target folder of its own, since cargo takes a stand-in for
//! built; there `rustc` stands before the compiler, and notes (`notes`) what was left out.
//! Which build needed one is remembered, so that the next begins there.

mod call;
mod features;
mod notes;
mod rustc;

use super::project::Project;
use crate::cli::Words;
use crate::layout::{KEPT, STAND_INS};
use crate::settings::ProcessEnv;
use anyhow::Context as _;
pub(super) use notes::Notes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What this process calls itself where cargo calls it in place of rustc.
const WRAPPER: &str = "rustc-with-stand-ins";
/// What the wrapper has to know.
const PROJECT: &str = "project.json";
/// The source of a crate that has nothing.
const EMPTY: &str = "empty.rs";
/// The folder of notes.
const NOTES: &str = "left-out";
/// Which builds needed stand-ins.
const BUILDS: &str = "builds.json";

/// What the wrapper has to know.
#[derive(Debug, Serialize, Deserialize)]
struct Wrapped {
    /// The target that is built for.
    target: String,
    /// The folders of the workspace's packages, as cargo spells them: theirs is no stand-in.
    members: Vec<PathBuf>,
    /// The user's own wrapper.
    wrapper: Option<PathBuf>,
}

impl Wrapped {
    /// Nothing gets a stand-in.
    fn nothing() -> Wrapped {
        Wrapped {
            target: String::new(),
            members: Vec::new(),
            wrapper: None,
        }
    }
}

/// If cargo has called this process in place of rustc: does what is asked, and gives the exit code.
pub fn wrapper(process: &ProcessEnv) -> Option<i32> {
    let (called, args) = process.args().split_first()?;
    let called = Path::new(called);
    if called.file_name()? != WRAPPER {
        return None;
    }
    Some(rustc::run(called.parent()?, args, process))
}

/// The folders of a workspace's packages, as cargo spells them.
fn folders_of_members(project: &Project) -> impl Iterator<Item = PathBuf> {
    let packages = project.packages().iter();
    packages.filter_map(|p| Some(p.manifest_path.parent()?.into()))
}

/// A build for one target in which stand-ins are made where they are needed.
#[derive(Debug)]
pub(super) struct StandIns {
    /// Cargo's target folder for it.
    target_dir: PathBuf,
    /// What is kept of it beside what cargo builds.
    folder: PathBuf,
    target: String,
    /// Whether cargo's configuration has what is between in another folder than the products.
    is_elsewhere: bool,
}

impl StandIns {
    /// Below this target folder of cargo's, in one that is of these members alone: what is a
    /// member's has no stand-in, and in another workspace it may have had one. Makes nothing yet.
    ///
    /// # Errors
    /// If the folder's path cannot be told.
    pub(super) fn below(
        target_dir: &Path,
        project: &Project,
        target: &str,
    ) -> anyhow::Result<StandIns> {
        let mut members: Vec<PathBuf> = folders_of_members(project).collect();
        members.sort();
        let mut hash = blake3::Hasher::new();
        for folder in &members {
            hash.update(folder.as_os_str().as_encoded_bytes());
            hash.update(b"\0");
        }
        let hash = &hash.finalize().to_hex()[..16];
        let target_dir = std::path::absolute(target_dir.join(STAND_INS).join(hash))
            .context("the target folder's path cannot be made absolute")?;
        Ok(StandIns {
            folder: target_dir.join(KEPT).join(target),
            target_dir,
            target: target.to_owned(),
            is_elsewhere: project.builds_elsewhere(),
        })
    }

    /// Cargo's target folder for this build.
    pub(super) fn target_dir(&self) -> &Path {
        &self.target_dir
    }

    /// Makes what a build needs that is not cargo's.
    ///
    /// # Errors
    /// If something cannot be written there.
    pub(super) fn prepare(
        &self,
        project: &Project,
        wrapper: Option<PathBuf>,
        process: &ProcessEnv,
    ) -> anyhow::Result<()> {
        let wrapped = Wrapped {
            target: self.target.clone(),
            members: folders_of_members(project).collect(),
            wrapper,
        };
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be made", self.folder.display()))?;
        self.write(PROJECT, &wrapped)?;
        let exe = process.exe().context("this program cannot find itself")?;
        let link = self.folder.join(WRAPPER);
        if std::fs::read_link(&link).ok().as_deref() != Some(exe) {
            let new = self
                .folder
                .join(format!("{WRAPPER}.{}", std::process::id()));
            let made = std::os::unix::fs::symlink(exe, &new);
            made.and_then(|()| std::fs::rename(&new, &link))
                .with_context(|| format!("{} cannot be made", link.display()))?;
        }
        let empty = self.folder.join(EMPTY);
        match empty.exists() {
            true => Ok(()),
            false => std::fs::write(&empty, "")
                .with_context(|| format!("{} cannot be written", empty.display())),
        }
    }

    /// Cargo's flags, so that it builds there.
    pub(super) fn flags(&self, build: &Words) -> Words {
        let mut build = build.without(&["target-dir"]);
        build.add("--target-dir", Some(self.target_dir.clone().into()));
        // where a user's configuration has what is between elsewhere, in one place for both
        if self.is_elsewhere {
            let quoted = toml::Value::from(self.target_dir.to_string_lossy().into_owned());
            let value = format!("build.build-dir={quoted}");
            build.add("--config", Some(value.into()));
        }
        build
    }

    /// Has cargo call this program in place of rustc.
    pub(super) fn wrap(&self, command: &mut Command) {
        command.env("RUSTC_WRAPPER", self.folder.join(WRAPPER));
    }

    /// What was left out of libraries of which these are files.
    pub(super) fn notes(&self, files: &HashSet<PathBuf>) -> Notes {
        Notes::read(&self.folder.join(NOTES)).of(|product| files.contains(product))
    }

    /// Whether this build needed stand-ins when it was last made; of one that was not made yet,
    /// whether any did.
    pub(super) fn is_likely_for(&self, build: &str) -> bool {
        let builds = self.builds();
        let last = builds.get(build).copied();
        last.unwrap_or_else(|| builds.values().any(|needed| *needed))
    }

    /// Remembers whether this build needs stand-ins.
    ///
    /// # Errors
    /// If that cannot be kept.
    pub(super) fn remember(&self, build: &str, needed: bool) -> anyhow::Result<()> {
        let mut builds = self.builds();
        match builds.insert(build.to_owned(), needed) {
            Some(before) if before == needed => Ok(()),
            _ => self.write(BUILDS, &builds),
        }
    }

    fn builds(&self) -> BTreeMap<String, bool> {
        self.read(BUILDS).unwrap_or_default()
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        let bytes = std::fs::read(self.folder.join(name)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn write(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let file = self.folder.join(name);
        let written = || -> anyhow::Result<()> {
            let mut new = tempfile::NamedTempFile::new_in(&self.folder)?;
            serde_json::to_writer(&mut new, value)?;
            new.persist(&file)?;
            Ok(())
        };
        written().with_context(|| format!("{} cannot be written", file.display()))
    }
}
