//! `[cargo]`, `[package.metadata.wasmtest]`, `[workspace.metadata.wasmtest]`: what tests get inside cargo.
//!
//! One set of keys in three places. The package's own settings count before the
//! workspace's, those before `wasmtest.toml`'s; lists add up.

use super::error::ConfigError;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What one place asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CargoSettings {
    /// The target to build for.
    pub target: Option<String>,
    /// Folders to grant, as with `--dir`; relative ones from where this stands.
    pub dir: Vec<String>,
    /// Folders to write to, as with `--rw`: relative ones from the package.
    pub rw: Vec<PathBuf>,
    /// Variables, as with `--env`.
    pub env: Vec<String>,
    /// Which modules may have imports that nobody provides.
    pub stub_imports: Stubbed,
    /// Whether tests read the package and its workspace; they do.
    pub package_dir: Option<bool>,
}

/// Which modules may have imports that nobody provides.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected true, false or a list of filters")]
pub enum Stubbed {
    /// All, or none.
    All(bool),
    /// Those whose name contains one of these.
    Matching(Vec<String>),
}

impl Default for Stubbed {
    fn default() -> Self {
        Stubbed::All(false)
    }
}

impl Stubbed {
    /// Whether the module of this name is one.
    pub fn means(&self, module: &str) -> bool {
        match self {
            Stubbed::All(all) => *all,
            Stubbed::Matching(filters) => filters.iter().any(|f| module.contains(f.as_str())),
        }
    }
}

/// What one place asks for, and the folder that its relative paths begin at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it asks for.
    pub settings: CargoSettings,
    /// The folder.
    pub base: PathBuf,
    /// The file, for errors.
    pub file: PathBuf,
}

impl Placed {
    /// Reads the table `wasmtest` of a manifest's metadata, if it has one.
    ///
    /// # Errors
    /// If the table has an unknown key or a value that makes no sense.
    pub fn of_metadata(
        metadata: &serde_json::Value,
        manifest: &Path,
        of: &str,
    ) -> Result<Option<Placed>, ConfigError> {
        let Some(table) = metadata.get("wasmtest") else {
            return Ok(None);
        };
        let settings = CargoSettings::deserialize(table).map_err(|e| ConfigError {
            file: manifest.to_owned(),
            place: None,
            why: match wrong_key(table) {
                Some(key) => format!("[{of}.metadata.wasmtest]: {key}: {e}"),
                None => format!("[{of}.metadata.wasmtest]: {e}"),
            },
            hint: None,
        })?;
        Ok(Some(Placed {
            settings,
            base: manifest.parent().unwrap_or(Path::new("/")).to_owned(),
            file: manifest.to_owned(),
        }))
    }
}

/// The key whose value makes no sense: serde does not say.
fn wrong_key(table: &serde_json::Value) -> Option<&str> {
    let is_wrong = |(key, value): &(&String, &serde_json::Value)| {
        let alone = serde_json::Map::from_iter([((*key).clone(), (*value).clone())]);
        CargoSettings::deserialize(&serde_json::Value::Object(alone)).is_err()
    };
    let (key, _) = table.as_object()?.iter().find(is_wrong)?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_an_unknown_key_is_named_with_those_that_are_known() {
        let read = |text: &str| {
            let value = serde_json::from_str(text).expect("JSON");
            Placed::of_metadata(&value, Path::new("/p/Cargo.toml"), "package")
        };
        assert_eq!(read("{}"), Ok(None));
        let placed = read(
            r#"{"wasmtest": {"rw": ["tests/snap"], "stub-imports": ["a::b"], "package-dir": false}}"#,
        );
        let placed = placed.expect("valid").expect("there");
        assert_eq!(placed.base, Path::new("/p"));
        assert!(placed.settings.stub_imports.means("a::bench/x"));
        assert!(!placed.settings.stub_imports.means("a"));
        let wrong = |text: &str| read(text).expect_err("it makes no sense").why;
        assert!(wrong(r#"{"wasmtest": {"read": []}}"#).contains("unknown field `read`"));
        assert!(wrong(r#"{"wasmtest": {"stub-imports": 3}}"#).contains("true, false or a list"));
        assert!(wrong(r#"{"wasmtest": {"dir": [], "rw": "a"}}"#).contains("rw: invalid type"));
    }
}
