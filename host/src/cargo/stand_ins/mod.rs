//! Stand-ins for dependencies that do not build for WASI: what needs one is not built, and everything else is.
//!
//! [`StandIns`] is a build in a target folder of its own, since cargo takes a stand-in for
//! built; there [`rustc`] stands before the compiler, and notes ([`notes`]) what was left out.
//! Which build needed one is remembered, so that the next begins there.

mod call;
mod features;
mod notes;
mod rustc;

use super::project::Project;
use crate::cli::cargo::BuildArgs;
use crate::layout::{KEPT, STAND_INS};
use anyhow::Context as _;
use cargo_metadata::PackageId;
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
    /// Packages whose build script fails when it runs, with their versions.
    without_script: Vec<(String, String)>,
}

impl Wrapped {
    /// Nothing gets a stand-in.
    fn nothing() -> Wrapped {
        Wrapped {
            target: String::new(),
            members: Vec::new(),
            wrapper: None,
            without_script: Vec::new(),
        }
    }

    fn has_no_script(&self, package: &str, version: &str) -> bool {
        let mut all = self.without_script.iter();
        all.any(|(p, v)| p == package && v == version)
    }
}

/// If cargo has called this process in place of rustc: does what is asked, and gives the exit code.
pub fn wrapper() -> Option<i32> {
    let mut args = std::env::args_os();
    let called = PathBuf::from(args.next()?);
    if called.file_name()? != WRAPPER {
        return None;
    }
    Some(rustc::run(called.parent()?, args))
}

/// A build for one target in which stand-ins are made where they are needed.
#[derive(Debug)]
pub(super) struct StandIns {
    /// Cargo's target folder for it.
    target_dir: PathBuf,
    /// What is kept of it beside what cargo builds.
    folder: PathBuf,
    target: String,
}

impl StandIns {
    /// Below this target folder of cargo's. Makes nothing yet.
    ///
    /// # Errors
    /// If the folder's path cannot be told.
    pub(super) fn below(target_dir: &Path, target: &str) -> anyhow::Result<StandIns> {
        let target_dir = std::path::absolute(target_dir.join(STAND_INS))
            .context("the target folder's path cannot be made absolute")?;
        Ok(StandIns {
            folder: target_dir.join(KEPT).join(target),
            target_dir,
            target: target.to_owned(),
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
    ) -> anyhow::Result<()> {
        let members = project.packages().iter();
        let members = members.filter_map(|p| Some(p.manifest_path.parent()?.into()));
        let before: Option<Wrapped> = self.read(PROJECT);
        let wrapped = Wrapped {
            target: self.target.clone(),
            members: members.collect(),
            wrapper,
            without_script: before.map_or_else(Vec::new, |w| w.without_script),
        };
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be made", self.folder.display()))?;
        self.write(PROJECT, &wrapped)?;
        let exe = std::env::current_exe().context("this program cannot find itself")?;
        let link = self.folder.join(WRAPPER);
        if std::fs::read_link(&link).ok().as_ref() != Some(&exe) {
            let new = self
                .folder
                .join(format!("{WRAPPER}.{}", std::process::id()));
            let made = std::os::unix::fs::symlink(&exe, &new);
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
    pub(super) fn flags(&self, build: &BuildArgs) -> BuildArgs {
        let mut build = build.clone();
        build.target_dir = Some(self.target_dir.clone());
        // where a user's configuration has what is between elsewhere, in one place for both
        let quoted = toml::Value::from(self.target_dir.to_string_lossy().into_owned());
        build.config.push(format!("build.build-dir={quoted}"));
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

    /// Does without the build scripts of these packages from the next build on; gives whether
    /// there is one among them that was not known.
    ///
    /// # Errors
    /// If that cannot be kept.
    pub(super) fn without_scripts<'a>(
        &self,
        failed: impl Iterator<Item = &'a (PackageId, PathBuf)>,
    ) -> anyhow::Result<bool> {
        let Some(mut wrapped) = self.read::<Wrapped>(PROJECT) else {
            return Ok(false);
        };
        let mut is_new = false;
        for (id, program) in failed {
            let (name, version) = super::missing::name_and_version(id);
            if wrapped.has_no_script(&name, &version) {
                continue;
            }
            is_new = true;
            wrapped.without_script.push((name, version));
            // what is not there is compiled again; cargo has it there under two names
            let folder = program.parent().map(std::fs::read_dir);
            for file in folder.into_iter().flatten().flatten().flatten() {
                if file.file_type().is_ok_and(|t| t.is_file()) {
                    let _ = std::fs::remove_file(file.path());
                }
            }
        }
        if is_new {
            self.write(PROJECT, &wrapped)?;
        }
        Ok(is_new)
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
