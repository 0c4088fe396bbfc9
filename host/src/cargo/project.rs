//! What cargo knows of a workspace before anything is built, and what its settings ask for.

use crate::cli::Given;
use crate::cli::cargo::{BuildArgs, COMMON, PackageArgs};
use crate::config::cargo::Placed;
use crate::config::{Config, ConfigError};
use crate::settings::ProcessEnv;
use anyhow::Context as _;
use cargo_metadata::{Metadata, Package, PackageId};
#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A workspace.
#[derive(Debug)]
pub struct Project {
    metadata: Metadata,
    /// `[workspace.metadata.wasmtest]` and `[cargo]` of `wasmtest.toml`, in the order in which they count.
    common: Vec<Placed>,
    manifests: Manifests,
    /// The current folder, if it can be told.
    here: Option<PathBuf>,
}

/// Whether manifests are asked for settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifests {
    /// They are.
    Asked,
    /// They are not: no configuration is read.
    Ignored,
}

/// There is nothing that cargo could build, in its words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoProject(pub String);

/// What a package's settings come to.
#[derive(Clone, Debug)]
pub struct Wanted(Vec<Placed>);

impl Wanted {
    /// Settings in the order in which they count.
    pub fn new(placed: Vec<Placed>) -> Wanted {
        Wanted(placed)
    }

    /// What each place asks for, and where it stands.
    pub fn places(&self) -> &[Placed] {
        &self.0
    }

    /// Whether tests read the package and its workspace.
    pub fn package_dir(&self) -> bool {
        let first = self.0.iter().find_map(|p| p.settings.package_dir);
        first.unwrap_or(true)
    }

    /// Whether this module may have imports that nobody provides.
    pub fn stubs(&self, module: &str) -> bool {
        self.0.iter().any(|p| p.settings.stub_imports.means(module))
    }
}

/// The program that cargo is.
pub fn cargo(process: &ProcessEnv) -> Command {
    Command::new(process.var_os("CARGO").unwrap_or("cargo".as_ref()))
}

/// Has a command ended when this process is, where the system can do that.
pub fn ends_with_us(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: `prctl` may be called between fork and exec, and nothing is allocated.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

impl Project {
    /// Asks cargo.
    ///
    /// # Errors
    /// [`NoProject`] with cargo's own words if there is no manifest, or it makes no sense.
    pub fn load(
        packages: &Given<PackageArgs>,
        build: &Given<BuildArgs>,
        config: &Config,
        manifests: Manifests,
        process: &ProcessEnv,
    ) -> anyhow::Result<Project> {
        let mut command = cargo(process);
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        command.args(packages.words().only(&["manifest-path"]).args());
        command.args(build.words().only(&COMMON).args());
        let output = command
            .stdin(Stdio::null())
            .output()
            .context("cargo cannot be started: is it on the PATH?")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim();
            let said = said.strip_prefix("error: ").unwrap_or(said);
            return Err(NoProject(said.to_owned()).into());
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cargo's metadata cannot be read")?;
        let manifest = metadata.workspace_root.join("Cargo.toml");
        let mut common = Vec::new();
        if manifests == Manifests::Asked {
            common.extend(Placed::of_metadata(
                &metadata.workspace_metadata,
                manifest.as_std_path(),
                "workspace",
            )?);
        }
        common.extend(config.cargo.clone());
        Ok(Project {
            metadata,
            common,
            manifests,
            here: process.current_dir().ok().map(Path::to_owned),
        })
    }

    /// The workspace's folder.
    pub fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Where cargo builds.
    pub fn target_dir(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// Where cargo keeps what it builds on the way, and the temporary folders of tests:
    /// with the rest, which may have been asked for elsewhere, or in a folder of its own.
    pub fn build_dir<'a>(&'a self, target_dir: Option<&'a Path>) -> &'a Path {
        let usual = &self.metadata.target_directory;
        match &self.metadata.build_directory {
            Some(own) if own != usual => own.as_std_path(),
            _ => target_dir.unwrap_or(usual.as_std_path()),
        }
    }

    /// Whether what is built on the way lies in a folder of its own.
    pub fn builds_elsewhere(&self) -> bool {
        let own = self.metadata.build_directory.as_ref();
        own.is_some_and(|own| *own != self.metadata.target_directory)
    }

    /// The packages of the workspace.
    pub fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// A package by its id.
    pub fn package(&self, id: &PackageId) -> Option<&Package> {
        self.metadata.packages.iter().find(|p| p.id == *id)
    }

    /// The packages that cargo would test.
    pub fn selected(&self, args: &PackageArgs) -> Vec<&Package> {
        let named = |specs: &[String], p: &Package| specs.iter().any(|spec| means(spec, p));
        let all = self.metadata.packages.iter();
        if args.workspace || !args.exclude.is_empty() {
            return all.filter(|p| !named(&args.exclude, p)).collect();
        }
        if !args.package.is_empty() {
            return all.filter(|p| named(&args.package, p)).collect();
        }
        let here = match &args.manifest_path {
            Some(path) => path.canonicalize().ok(),
            None => self.here.as_ref().and_then(|here| {
                let here = here.canonicalize().ok()?;
                let found = here.ancestors().map(|f| f.join("Cargo.toml"));
                found.into_iter().find(|f| f.is_file())
            }),
        };
        let root = self.root().join("Cargo.toml").canonicalize().ok();
        let is_here = |p: &Package| p.manifest_path.as_std_path().canonicalize().ok() == here;
        match self.metadata.packages.iter().find(|p| is_here(p)) {
            Some(package) if here != root => vec![package],
            _ => {
                let default = self.metadata.workspace_default_packages();
                match default.is_empty() {
                    true => self.metadata.packages.iter().collect(),
                    false => default,
                }
            }
        }
    }

    /// What a package's settings come to.
    ///
    /// # Errors
    /// If its own table has an unknown key or a value that makes no sense.
    pub fn wanted(&self, package: &Package) -> Result<Wanted, ConfigError> {
        let manifest = package.manifest_path.as_std_path();
        let own = match self.manifests {
            Manifests::Asked => Placed::of_metadata(&package.metadata, manifest, "package")?,
            Manifests::Ignored => None,
        };
        Ok(Wanted(
            own.into_iter().chain(self.common.iter().cloned()).collect(),
        ))
    }

    /// The target that settings ask for, if they do; a package's own only if it is
    /// the only one that is meant.
    ///
    /// # Errors
    /// As [`Project::wanted`].
    pub fn target(&self, selected: &[&Package]) -> Result<Option<String>, ConfigError> {
        let all = match selected {
            [one] => self.wanted(one)?.0,
            _ => self.common.clone(),
        };
        Ok(all.into_iter().find_map(|p| p.settings.target))
    }
}

/// Whether a package is meant by one of cargo's specs: a name, which may be a glob, with a
/// version behind `@` or `:`, or a URL with either behind `#`.
fn means(spec: &str, package: &Package) -> bool {
    let is_named = |spec: &str| {
        let (name, version) = match spec.split_once(['@', ':']) {
            Some((name, version)) => (name, Some(version)),
            None => (spec, None),
        };
        let version = version.is_none_or(|v| {
            let own = package.version.to_string();
            own == v || own.starts_with(&format!("{v}."))
        });
        let matches = |pattern: glob::Pattern| pattern.matches(package.name.as_str());
        version && glob::Pattern::new(name).is_ok_and(matches)
    };
    if !spec.contains("://") {
        return is_named(spec);
    }
    let id = package.id.repr.trim_start_matches("path+");
    let spec = spec.trim_start_matches("path+");
    let url = id.split('#').next().unwrap_or(id);
    match spec.split_once('#') {
        Some((of, rest)) => of == url && (is_named(rest) || rest == package.version.to_string()),
        None => spec == url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_mean_what_they_mean_to_cargo() {
        let package: Package = serde_json::from_value(serde_json::json!({
            "name": "alpha-x", "version": "0.1.2", "id": "path+file:///w/a#alpha-x@0.1.2",
            "dependencies": [], "targets": [], "features": {}, "manifest_path": "/w/a/Cargo.toml",
        }))
        .expect("a package");
        for spec in [
            "alpha-x",
            "alpha-*",
            "alpha-x@0.1.2",
            "alpha-x:0.1",
            "path+file:///w/a#alpha-x@0.1.2",
            "file:///w/a#0.1.2",
            "file:///w/a",
        ] {
            assert!(means(spec, &package), "{spec}");
        }
        for spec in [
            "alpha",
            "beta-*",
            "alpha-x@0.2",
            "file:///w/b",
            "file:///w/a#beta",
        ] {
            assert!(!means(spec, &package), "{spec}");
        }
    }
}
