//! Test suites that nobody here wrote: published crates at pinned versions.
//!
//! cargo itself fetches them; their sources are copied out of its folder, so
//! that nothing is written there, and built for WASI. Nothing of them is kept in
//! the repository.

use crate::guest;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A published crate whose package holds its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The crate.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it is built as: some tests take a minute where they are not optimised.
    pub profile: &'static str,
}

const fn debug(name: &'static str, version: &'static str) -> Suite {
    Suite {
        name,
        version,
        profile: "dev",
    }
}

const fn release(name: &'static str, version: &'static str) -> Suite {
    Suite {
        profile: "release",
        ..debug(name, version)
    }
}

/// Those that build for WASI as they are.
pub const SUITES: [Suite; 7] = [
    debug("semver", "1.0.27"),
    debug("itoa", "1.0.15"),
    debug("regex-syntax", "0.8.6"),
    debug("indexmap", "2.11.4"),
    debug("either", "1.15.0"),
    debug("percent-encoding", "2.3.2"),
    release("httparse", "1.10.1"),
];

/// Those of which something does not: a dependency, a target, what a test asks for.
pub const HARDER: [Suite; 7] = [
    release("itertools", "0.15.0"),
    debug("hashbrown", "0.17.2"),
    debug("tempfile", "3.27.0"),
    debug("serde_json", "1.0.154"),
    debug("csv", "1.4.0"),
    debug("smallvec", "1.16.6"),
    debug("winnow", "0.7.13"),
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Suite> {
    SUITES.iter().chain(&HARDER)
}

/// More that build for WASI as they are, of many kinds of tests: with what are compared the ways to
/// call them.
pub const MORE: [Suite; 12] = [
    debug("arrayvec", "0.7.6"),
    debug("bitflags", "2.9.1"),
    debug("bytes", "1.10.1"),
    debug("fnv", "1.0.7"),
    debug("heck", "0.5.0"),
    debug("hex", "0.4.3"),
    debug("humantime", "2.2.0"),
    debug("ryu", "1.0.20"),
    debug("slab", "0.4.11"),
    debug("smallvec", "1.16.6"),
    debug("strsim", "0.11.1"),
    debug("unicode-width", "0.2.1"),
];

/// Those with which the ways to call tests are compared.
pub fn direct() -> impl Iterator<Item = &'static Suite> {
    SUITES.iter().chain(&MORE)
}

/// Fetches suites into `folder`, once.
///
/// # Errors
/// If cargo cannot fetch them.
pub fn fetch(folder: &Path, suites: impl Iterator<Item = &'static Suite>) -> Result<()> {
    let wanted: Vec<&Suite> = suites
        .filter(|s| !folder.join(s.name).join("Cargo.toml").exists())
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let package = folder.join("throwaway");
    std::fs::create_dir_all(package.join("src"))?;
    std::fs::write(package.join("src/lib.rs"), "")?;
    let mut manifest = String::from(
        "[package]\nname = \"throwaway\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n",
    );
    for Suite { name, version, .. } in &wanted {
        manifest.push_str(&format!("{name} = \"={version}\"\n"));
    }
    std::fs::write(package.join("Cargo.toml"), manifest)?;
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(package.join("Cargo.toml"))
        .output()
        .context("cargo cannot be started")?;
    if !output.status.success() {
        bail!(
            "the suites cannot be fetched: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    for Suite { name, version, .. } in wanted {
        let to = folder.join(name);
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let found = packages
            .filter(|p| p["name"] == *name && p["version"] == *version)
            .find_map(|p| p["manifest_path"].as_str());
        let manifest = found.with_context(|| format!("cargo did not fetch {name} {version}"))?;
        let from = Path::new(manifest)
            .parent()
            .context("a manifest lies in a folder")?;
        copy(from, &to)?;
        // not a part of whatever workspace lies around it
        let mut text = std::fs::read_to_string(from.join("Cargo.toml"))?;
        if !text.contains("\n[workspace]") {
            text.push_str("\n[workspace]\n");
        }
        std::fs::write(to.join("Cargo.toml"), text)?;
    }
    Ok(())
}

/// Builds the test binaries of one suite that was fetched into `folder`.
///
/// # Errors
/// If it does not build.
pub fn build(
    folder: &Path,
    name: &str,
    profile: &str,
    target: &str,
) -> Result<Vec<(String, PathBuf)>> {
    let manifest = folder.join(name).join("Cargo.toml");
    let shared = folder.join("target");
    guest::build_tests(&[
        "--quiet",
        "--manifest-path",
        &manifest.to_string_lossy(),
        "--target-dir",
        &shared.to_string_lossy(),
        "--target",
        target,
        "--profile",
        profile,
        "--lib",
        "--tests",
    ])
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::write(&to, std::fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
