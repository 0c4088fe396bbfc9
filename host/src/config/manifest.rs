//! Manifests, read without cargo.

use super::ConfigError;
use super::cargo::Placed;
use crate::paths::plain;
use std::path::{Path, PathBuf};

/// The workspace's folder and what its settings ask for, of a package by the
/// folder that it lies in: what the runner needs, without starting cargo.
///
/// # Errors
/// If a table of settings makes no sense.
pub fn around(package: &Path) -> Result<(PathBuf, Vec<Placed>), ConfigError> {
    let read = |folder: &Path| -> Option<toml::Table> {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        text.parse().ok()
    };
    let own = read(package).unwrap_or_default();
    let table = |of: &toml::Table, key: &str| of.get(key).and_then(|v| v.as_table()).cloned();
    let mut root = package.to_owned();
    let mut of_root = own.clone();
    if table(&own, "workspace").is_none() {
        let named = table(&own, "package")
            .and_then(|p| p.get("workspace")?.as_str().map(str::to_owned))
            .map(|path| plain(&package.join(path)));
        let above: Vec<PathBuf> = match named {
            Some(named) => vec![named],
            None => package.ancestors().skip(1).map(Path::to_owned).collect(),
        };
        for folder in above {
            let Some(manifest) = read(&folder) else {
                continue;
            };
            let Some(workspace) = table(&manifest, "workspace") else {
                continue;
            };
            let excluded = workspace.get("exclude").and_then(|e| e.as_array());
            let excluded = excluded.into_iter().flatten().filter_map(|e| e.as_str());
            let is_excluded = excluded
                .map(|e| folder.join(e))
                .any(|e| package.starts_with(e));
            if !is_excluded {
                root = folder;
                of_root = manifest;
            }
            break;
        }
    }
    let mut placed = Vec::new();
    for (manifest, key, folder) in [(&own, "package", package), (&of_root, "workspace", &root)] {
        let metadata = table(manifest, key).and_then(|t| t.get("metadata").cloned());
        let Some(metadata) = metadata else { continue };
        let file = folder.join("Cargo.toml");
        let value = serde_json::to_value(metadata).unwrap_or_default();
        placed.extend(Placed::of_metadata(&value, &file, key)?);
    }
    Ok((root, placed))
}
