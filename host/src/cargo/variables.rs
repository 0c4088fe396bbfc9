//! The variables of a package's tests: cargo's own, those of settings, those of `[env]`.
//!
//! Which of several of one name counts, and what passes from the caller, is said in
//! `grant::variables`.

use super::built::{Built, TestBinary};
use super::configuration::Variable;
use super::project::Wanted;
use crate::config::ConfigError;
use crate::settings::{ProcessEnv, env_grant};
use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{Package, TargetKind};

/// What cargo sets for a program that it starts.
pub(super) fn of_cargo(
    package: &Package,
    test: &TestBinary,
    built: &Built,
) -> Vec<(String, String)> {
    let folder = package.manifest_path.parent().map(ToString::to_string);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let path = |p: &Option<Utf8PathBuf>| p.as_ref().map(ToString::to_string).unwrap_or_default();
    let version = &package.version;
    let mut env: Vec<(String, String)> = [
        ("CARGO_MANIFEST_DIR", folder.unwrap_or_default()),
        ("CARGO_MANIFEST_PATH", package.manifest_path.to_string()),
        ("CARGO_PKG_NAME", package.name.to_string()),
        ("CARGO_PKG_VERSION", version.to_string()),
        ("CARGO_PKG_VERSION_MAJOR", version.major.to_string()),
        ("CARGO_PKG_VERSION_MINOR", version.minor.to_string()),
        ("CARGO_PKG_VERSION_PATCH", version.patch.to_string()),
        ("CARGO_PKG_VERSION_PRE", version.pre.to_string()),
        ("CARGO_PKG_AUTHORS", package.authors.join(":")),
        ("CARGO_PKG_DESCRIPTION", text(&package.description)),
        ("CARGO_PKG_HOMEPAGE", text(&package.homepage)),
        ("CARGO_PKG_REPOSITORY", text(&package.repository)),
        ("CARGO_PKG_LICENSE", text(&package.license)),
        ("CARGO_PKG_LICENSE_FILE", path(&package.license_file)),
        ("CARGO_PKG_README", path(&package.readme)),
        (
            "CARGO_PKG_RUST_VERSION",
            package
                .rust_version
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(script) = built.scripts.get(&package.id) {
        env.push(("OUT_DIR".to_owned(), script.out_dir.to_string()));
    }
    let from_outside = [TargetKind::Test, TargetKind::Bench];
    if test.target.kind.iter().any(|k| from_outside.contains(k)) {
        let programs = built.programs.get(&package.id);
        env.extend(
            programs
                .into_iter()
                .flatten()
                .map(|(name, file)| (format!("CARGO_BIN_EXE_{name}"), file.display().to_string())),
        );
    }
    env
}

/// The variables that settings ask for.
///
/// # Errors
/// If one has no value here.
pub fn asked_for(
    wanted: &Wanted,
    process: &ProcessEnv,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut env = Vec::new();
    for placed in wanted.places() {
        for text in &placed.settings.env {
            env.push(env_grant(text, process).map_err(|e| ConfigError {
                file: placed.file.clone(),
                place: None,
                why: format!("env: {}", e.why),
                hint: None,
            })?);
        }
    }
    Ok(env)
}

/// Those of `[env]` as cargo gives them to what it starts from here: one that is set already
/// stays as it is, unless it is forced.
pub(super) fn configured(variables: &[Variable], process: &ProcessEnv) -> Vec<(String, String)> {
    let value = |v: &Variable| match process.var_os(&v.name) {
        Some(own) if !v.force => own.to_str().map(str::to_owned),
        _ => Some(v.value.clone()),
    };
    let named = |v: &Variable| Some((v.name.clone(), value(v)?));
    variables.iter().filter_map(named).collect()
}

/// Those of `[env]` that cargo has given to this process. A forced one that has another
/// value was not cargo's: it was started where another configuration counts.
pub(crate) fn found(variables: &[Variable], process: &ProcessEnv) -> Vec<(String, String)> {
    let own = |v: &Variable| {
        let value = process.var(&v.name)?;
        (!v.force || value == v.value).then(|| (v.name.clone(), value.to_owned()))
    };
    variables.iter().filter_map(own).collect()
}
