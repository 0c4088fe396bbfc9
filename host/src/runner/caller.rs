//! What the process that called the runner has to say: cargo, cargo-nextest, rustdoc, or a test that
//! starts a program.
//!
//! They set the current folder and variables, and nothing else; whatever a guest
//! is given of them is chosen here, by name.

use crate::cargo::configuration::Configuration;
use crate::cargo::project::Wanted;
use crate::cargo::variables;
use crate::cli::CargoRunnerArgs;
use crate::config::Config;
use crate::grant::ModuleGrants;
use crate::grant::package::{self, Asked, PackageDirs};
use crate::grant::variables::{Variables, is_of_cargo, passed_env};
use crate::layout;
use crate::settings::ProcessEnv;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// What the caller's folder and variables come to.
#[derive(Debug)]
pub struct Caller {
    /// The current folder: the package's for tests, the caller's for programs.
    pub here: PathBuf,
    /// The workspace's folder.
    pub workspace: PathBuf,
    /// What settings ask for.
    pub wanted: Wanted,
}

impl Caller {
    /// Looks around.
    ///
    /// # Errors
    /// If the current folder is gone, or a table of settings makes no sense.
    pub fn find(config: &Config, process: &ProcessEnv) -> anyhow::Result<Caller> {
        let here = process.current_dir();
        let here = here.context("the current folder cannot be told")?;
        let manifest_dir = process.path("CARGO_MANIFEST_DIR");
        let package = manifest_dir.filter(|p| p.is_absolute());
        // cargo's spelling is the one that tests have built in
        let same = |p: &Path| p.canonicalize().ok() == here.canonicalize().ok();
        let here = match &package {
            Some(package) if same(package) => package.clone(),
            _ => here.to_owned(),
        };
        let (workspace, mut placed) = match &package {
            Some(package) => crate::config::manifest::around(package)?,
            None => (here.clone(), Vec::new()),
        };
        placed.extend(config.cargo.clone());
        Ok(Caller {
            here,
            workspace,
            wanted: Wanted::new(placed),
        })
    }

    /// What a guest from this file may reach.
    ///
    /// # Errors
    /// If something that was asked for cannot be granted.
    pub fn grants(
        &self,
        file: &Path,
        args: &CargoRunnerArgs,
        process: &ProcessEnv,
    ) -> anyhow::Result<ModuleGrants> {
        let asked = &args.grants;
        let marked = marked_by_cargo(file);
        let target_dir = marked
            .clone()
            .unwrap_or_else(|| target_dir(&self.workspace, process));
        // what is built for one target is marked, too
        let tmp_dir = marked.map(|folder| folder.join("tmp"));
        // the caller's own variable of this name, where the package has no build script
        let is_cargos =
            |out: &PathBuf| out.starts_with(&target_dir) || layout::script_output(out).is_some();
        let out_dir = process.path("OUT_DIR").filter(is_cargos);
        let out_dir = out_dir.or_else(|| layout::out_dir_of(file));
        let dirs = PackageDirs {
            package: &self.here,
            workspace: &self.workspace,
            out_dir: out_dir.as_deref(),
            tmp_dir: tmp_dir.as_deref(),
            target_dir: &target_dir,
            home: process.home_dir(),
        };
        let asked_by_script = out_dir.as_deref().map(script_variables).unwrap_or_default();
        let own = || process.unicode_vars();
        let of_cargo =
            own().filter(|(name, _)| is_of_cargo(name) || asked_by_script.contains(name));
        let configuration = Configuration::read(&[], process).env();
        let mut configured: Vec<_> = own()
            .filter(|(name, _)| args.configured_env.contains(name))
            .collect();
        configured.extend(variables::found(&configuration, process));
        let variables = Variables {
            settings: variables::asked_for(&self.wanted, process)?,
            cargo: of_cargo.collect(),
            configured,
            passed: passed_env(&self.workspace, own()),
        };
        let asked = Asked {
            package_dir: !asked.no_package_dir && self.wanted.package_dir(),
            settings: self.wanted.places(),
            rw: &asked.rw,
        };
        Ok(package::grants(&dirs, &asked, variables)?)
    }
}

/// The folder in which cargo has built a file: it marks it.
fn marked_by_cargo(file: &Path) -> Option<PathBuf> {
    let marked = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.ancestors().find(marked).map(Path::to_owned)
}

/// Where cargo builds if nothing else tells.
fn target_dir(workspace: &Path, process: &ProcessEnv) -> PathBuf {
    match process.path("CARGO_TARGET_DIR") {
        Some(named) => std::path::absolute(&named).unwrap_or(named),
        None => workspace.join("target"),
    }
}

/// The names of variables that a build script has set for its package: cargo puts them
/// into the runner's environment, and what the script said beside `OUT_DIR`.
fn script_variables(out_dir: &Path) -> Vec<String> {
    let Some(output) = layout::script_output(out_dir) else {
        return Vec::new();
    };
    let Ok(text) = std::fs::read_to_string(output) else {
        return Vec::new();
    };
    let name = |line: &str| {
        let rest = ["cargo::", "cargo:"]
            .iter()
            .find_map(|p| line.strip_prefix(p))?;
        let (name, _) = rest.strip_prefix("rustc-env=")?.split_once('=')?;
        Some(name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_scripts_variables_are_known_by_their_names() {
        let said = "cargo::rustc-env=MADE=by build\ncargo:rustc-env=OLD=x=y\ncargo::rerun-if-changed=a\nrustc-env=NO=1\n";
        let root = tempfile::tempdir().expect("a folder");
        for (place, file) in [("", "output"), ("run", "stdout")] {
            let script = root.path().join(file);
            let place = script.join(place);
            std::fs::create_dir_all(&place).expect("made");
            std::fs::write(place.join("root-output"), "").expect("written");
            std::fs::write(place.join(file), said).expect("written");
            assert_eq!(script_variables(&script.join("out")), ["MADE", "OLD"]);
        }
        assert!(script_variables(&root.path().join("missing/out")).is_empty());
    }
}
