//! What came of a build, put together from cargo's messages one by one. Runs and shows nothing.

use super::stand_ins::{Notes, StandIns};
use crate::event::NotBuilt;
use cargo_metadata::{Artifact, BuildScript, PackageId, Target, TargetKind};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// What came of a build.
#[derive(Debug, Default)]
pub struct Built {
    /// The test binaries, in cargo's order.
    pub tests: Vec<TestBinary>,
    /// What build scripts said, by their package.
    pub scripts: HashMap<PackageId, BuildScript>,
    /// Packages whose build script was compiled, and its file.
    pub(super) script_programs: Vec<(PackageId, PathBuf)>,
    /// Programs of each package, by name: what `CARGO_BIN_EXE_...` names.
    pub programs: HashMap<PackageId, Vec<(String, PathBuf)>>,
    /// Packages whose library was built, for its own tests or for others.
    pub libraries: HashSet<PackageId>,
    /// Targets that were meant and did not build.
    pub not_built: Vec<NotBuilt>,
    /// Whether cargo built everything.
    pub complete: bool,
    /// The build in which there are stand-ins, if it was one.
    pub(super) stand_ins: Option<StandIns>,
    /// Packages whose build script came to its end for the target.
    pub(super) run_for_target: HashSet<PackageId>,
    pub(super) left_out: Notes,
    /// All libraries' files, without their endings.
    pub(super) products: HashSet<PathBuf>,
}

/// A test binary.
#[derive(Debug)]
pub struct TestBinary {
    /// Whose it is.
    pub package: PackageId,
    pub target: Target,
    pub file: PathBuf,
}

/// The name of a target's module in a run: cargo-nextest's binary id, which its users know.
pub fn module_name(package: &str, target: &Target) -> String {
    let kind = target.kind.first();
    match kind {
        Some(TargetKind::Test) => format!("{package}::{}", target.name),
        Some(TargetKind::Bin) => format!("{package}::bin/{}", target.name),
        Some(TargetKind::Example) => format!("{package}::example/{}", target.name),
        Some(TargetKind::Bench) => format!("{package}::bench/{}", target.name),
        _ => package.to_owned(),
    }
}

impl Built {
    /// The packages whose build script did not come to its end.
    pub(super) fn failed_scripts(&self) -> impl Iterator<Item = &(PackageId, PathBuf)> {
        let programs = self.script_programs.iter();
        programs.filter(|(id, _)| !self.scripts.contains_key(id))
    }

    /// A script is run for this machine too, if its package is needed there: that is another
    /// run, and of no test's.
    pub(super) fn take_script(&mut self, script: BuildScript, target: &str) {
        let id = script.package_id.clone();
        let mut folders = script.out_dir.components();
        if folders.any(|folder| folder.as_str() == target) {
            self.run_for_target.insert(id.clone());
            self.scripts.insert(id, script);
        } else {
            self.scripts.entry(id).or_insert(script);
        }
    }

    /// Takes what was made.
    pub(super) fn take(&mut self, artifact: Artifact) {
        if artifact.target.kind.contains(&TargetKind::CustomBuild) {
            let file = artifact
                .filenames
                .first()
                .map(|f| f.as_std_path().to_owned());
            let script = (artifact.package_id.clone(), file.unwrap_or_default());
            self.script_programs.push(script);
        }
        let is_library = !artifact.profile.test
            && !artifact.target.kind.iter().any(|kind| {
                let kinds = [
                    TargetKind::Bin,
                    TargetKind::Example,
                    TargetKind::Test,
                    TargetKind::Bench,
                    TargetKind::CustomBuild,
                ];
                kinds.contains(kind)
            });
        if is_library {
            self.libraries.insert(artifact.package_id.clone());
            let files = artifact.filenames.iter();
            self.products
                .extend(files.map(|f| f.with_extension("").into()));
        }
        let Some(file) = artifact.executable else {
            return;
        };
        let file = file.into_std_path_buf();
        if artifact.profile.test {
            self.tests.push(TestBinary {
                package: artifact.package_id,
                target: artifact.target,
                file,
            });
        } else if artifact.target.kind.contains(&TargetKind::Bin) {
            let programs = self.programs.entry(artifact.package_id).or_default();
            programs.push((artifact.target.name, file));
        }
    }
}
