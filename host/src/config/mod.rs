//! `wasmtest.toml`: found, read, checked.
//!
//! Takes a place to look; gives a [`Config`] in which everything makes sense, or
//! an error with the file, the line and the column. Every kind of table has a
//! file of its own beside this one. Runs nothing and opens nothing else: what a
//! path leads to is looked at when it is needed.

pub mod cargo;
mod choice;
mod error;
pub mod fixture;
pub mod manifest;
mod span;

pub use choice::Choice;
pub use error::ConfigError;
pub use fixture::Fixture;

use serde::Deserialize;
use span::At;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The file's name.
pub const FILE: &str = "wasmtest.toml";

/// What a configuration file asks for; nothing, if there is none.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file that it was read from.
    pub file: Option<PathBuf>,
    /// The host fixtures, by name.
    pub fixtures: Vec<Fixture>,
    /// What tests get inside cargo.
    pub cargo: Option<cargo::Placed>,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// The first [`FILE`] in the current folder and those above it, if there is one.
    Search,
    File(PathBuf),
    /// Nowhere: none is read.
    Nowhere,
}

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    fixture: BTreeMap<Spanned<String>, fixture::Written>,
    cargo: Option<cargo::CargoSettings>,
}

impl Config {
    /// Finds and reads a configuration, from this folder on if it is to be searched for.
    ///
    /// # Errors
    /// If a file that was named or found cannot be read or does not make sense.
    pub fn load(source: &ConfigSource, here: Option<&Path>) -> Result<Config, ConfigError> {
        let (file, text) = match source {
            ConfigSource::Nowhere => return Ok(Config::default()),
            ConfigSource::File(file) => (file.clone(), std::fs::read(file)),
            ConfigSource::Search => match here.and_then(search) {
                Some(found) => found,
                None => return Ok(Config::default()),
            },
        };
        let text = text.map_err(|e| ConfigError::unreadable(&file, &e))?;
        let text = String::from_utf8(text).map_err(|e| {
            let good = e.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
            At::new(good..good + 1, "this is not UTF-8").in_file(&file, &text)
        })?;
        Config::parse(&file, &text)
    }

    /// Reads a configuration's text; `file` is where it stands, for paths and errors.
    ///
    /// # Errors
    /// If the text is no TOML, has an unknown key or a value that makes no sense.
    pub fn parse(file: &Path, text: &str) -> Result<Config, ConfigError> {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let written: Written =
            toml::from_str(text).map_err(|e| At::of_toml(&e).in_file(file, text))?;
        let fixtures =
            fixture::all(written.fixture, folder).map_err(|at| at.in_file(file, text))?;
        Ok(Config {
            file: Some(file.to_owned()),
            fixtures,
            cargo: written.cargo.map(|settings| cargo::Placed {
                settings,
                base: folder.to_owned(),
                file: file.to_owned(),
            }),
        })
    }
}

/// The first file from this folder upwards, and what reading it gave.
fn search(here: &Path) -> Option<(PathBuf, io::Result<Vec<u8>>)> {
    for folder in here.ancestors() {
        let file = folder.join(FILE);
        // one that is there and cannot be read is not passed over
        if file.symlink_metadata().is_ok() {
            let read = std::fs::read(&file);
            let shown = match folder == here {
                true => PathBuf::from(FILE),
                false => file,
            };
            return Some((shown, read));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        let error = Config::parse(Path::new("wasmtest.toml"), text).expect_err("it makes no sense");
        error.to_string()
    }

    #[test]
    fn an_empty_file_asks_for_nothing() {
        let config = Config::parse(Path::new("wasmtest.toml"), "").expect("valid");
        assert!(config.fixtures.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_line_column_and_what_would_be_right() {
        let of = |body: &str| wrong(&format!("[fixture.db]\ncommand = [\"db\"]\n{body}\n"));
        let all = [
            wrong("[fixtures.a]\n"),
            wrong("[fixture.a]\n"),
            wrong("[fixture.a\n"),
            wrong("[fixture.\"a b\"]\ncommand = [\"x\"]\n"),
            wrong("[fixture.Fixture-a]\ncommand = [\"x\"]\n"),
            wrong("[fixture.a-b]\ncommand = [\"x\"]\n[fixture.a_b]\ncommand = [\"x\"]\n"),
            wrong("[fixture.a]\ncommand = []\n"),
            wrong("[fixture.a]\ncommand = \"x\"\n"),
            wrong("[fixture.a]\ncommand = [\"x\", \"{folder}\"]\n"),
            of("comand = 1"),
            of("timeout = 10"),
            of("timeout = \"soon\""),
            of("stop-timeout = \"0s\""),
            of("folder = \"yes\""),
            of("tests = 3"),
            of("tests = [1]"),
            of("tests = { matches = \"x\" }"),
            of("env = { \"A=B\" = \"c\" }"),
            of("env = { A = 1 }"),
            of("ready = { line = \"a\", http = \"/\" }"),
            of("ready = { port = true }"),
            of("ready = { http = \"health\" }\nenv = { P = \"{port}\" }"),
            of("ready = \"a line\""),
            wrong("[[fixture]]\ncommand = [\"x\"]\n"),
            wrong("fixture.a = 3\n"),
        ];
        insta::assert_snapshot!(all.join("\n\n"));
    }
}
