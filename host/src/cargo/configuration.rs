//! Cargo's own configuration: what its flags, its variables and its files say that matters here.
//!
//! As cargo does it: `--config` counts before a variable, that before the files from the
//! current folder upwards, those before the one in cargo's home; tables are merged key by
//! key. What cargo would refuse it refuses itself, when it is started: here that says nothing.

use super::target::{WASIP1, WASIP2};
use crate::settings::ProcessEnv;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// How deep files that include files are followed: what goes on for longer goes in a circle.
const DEEPEST: usize = 16;

/// What there is of it, in the order in which it counts.
#[derive(Debug, Default)]
pub struct Configuration {
    /// `--config`, the last first.
    flags: Vec<Layer>,
    /// Files, the nearest first.
    files: Vec<Layer>,
}

/// One file, or one flag.
#[derive(Debug)]
struct Layer {
    table: Table,
    /// Where its relative paths begin.
    base: PathBuf,
}

/// A variable of `[env]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// Its value, in full where it is a path.
    pub value: String,
    /// Whether it counts before one that is set already.
    pub force: bool,
}

/// How a runner is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// In one string.
    Text,
    /// Word by word.
    List,
}

impl Configuration {
    /// Reads what counts in the current folder with these values of `--config`.
    pub fn read(flags: &[String], process: &ProcessEnv) -> Configuration {
        let here = process.current_dir().unwrap_or(Path::new(""));
        let home = process.path("CARGO_HOME");
        let home = home.or_else(|| Some(process.home_dir()?.join(".cargo")));
        Configuration::at(here, home.as_deref(), flags)
    }

    /// The same in another folder, and with another home of cargo's.
    fn at(here: &Path, home: Option<&Path>, flags: &[String]) -> Configuration {
        let mut all = Configuration::default();
        for flag in flags.iter().rev() {
            let file = here.join(flag);
            match file.exists() {
                true => add_file(&mut all.flags, &file, 0),
                false => all.flags.extend(flag.parse().ok().map(|table| Layer {
                    table,
                    base: here.to_owned(),
                })),
            }
        }
        let folders = here.ancestors().map(|f| f.join(".cargo"));
        let mut seen: Vec<PathBuf> = Vec::new();
        for folder in folders.chain(home.map(Path::to_owned)) {
            // without an ending is the older name, which counts first
            let names = [folder.join("config"), folder.join("config.toml")];
            let file = names.into_iter().find(|file| file.is_file());
            // cargo's home may lie above
            if let Some(file) = file.filter(|file| !seen.contains(file)) {
                add_file(&mut all.files, &file, 0);
                seen.push(file);
            }
        }
        all
    }

    fn all(&self) -> impl Iterator<Item = &Layer> {
        self.flags.iter().chain(&self.files)
    }

    /// The targets that cargo would build for, of those that can be run, as cargo orders them.
    pub fn targets(&self, process: &ProcessEnv) -> Vec<String> {
        let mut targets = self.build_target(process.var("CARGO_BUILD_TARGET"));
        targets.retain(|target| [WASIP1, WASIP2].contains(&target.as_str()));
        targets.sort();
        targets.dedup();
        targets
    }

    /// `build.target`: one, or all of the lists that there are.
    fn build_target(&self, variable: Option<&str>) -> Vec<String> {
        const KEY: &[&str] = &["build", "target"];
        if first(&self.flags, KEY).is_none()
            && let Some(target) = variable
        {
            return vec![target.to_owned()];
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match self.all().find_map(|layer| layer.get(KEY)) {
            Some(Value::Array(_)) => {
                let lists = self.all().filter_map(|layer| layer.get(KEY)?.as_array());
                lists.flatten().filter_map(text).collect()
            }
            one => one.and_then(text).into_iter().collect(),
        }
    }

    /// `[env]`: what cargo sets for whatever it starts.
    pub fn env(&self) -> Vec<Variable> {
        let tables = || {
            self.all()
                .filter_map(|l| Some((l, l.get(&["env"])?.as_table()?)))
        };
        let mut names: Vec<&String> = tables().flat_map(|(_, table)| table.keys()).collect();
        names.sort();
        names.dedup();
        let variable = |name: &String| {
            let all = || tables().filter_map(|(layer, table)| Some((layer, table.get(name)?)));
            let set = |key| {
                all()
                    .find_map(|(_, v)| v.get(key)?.as_bool())
                    .unwrap_or(false)
            };
            let (layer, value) = all().find_map(|(layer, v)| {
                let value = v.get("value").unwrap_or(v);
                Some((layer, value.as_str()?))
            })?;
            let value = match set("relative") {
                true => layer.base.join(value).to_str()?.to_owned(),
                false => value.to_owned(),
            };
            let is_odd = name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
            (!is_odd).then(|| Variable {
                name: name.clone(),
                value,
                force: set("force"),
            })
        };
        names.into_iter().filter_map(variable).collect()
    }

    /// How `--config` writes a target's runner, if it does: it counts before the variable.
    pub fn runner_of_flags(&self, target: &str) -> Option<Shape> {
        match first(&self.flags, &["target", target, "runner"])? {
            Value::Array(_) => Some(Shape::List),
            _ => Some(Shape::Text),
        }
    }

    /// The program that the user has cargo call in place of rustc, with rustc as its first argument.
    pub(super) fn rustc_wrapper(&self, process: &ProcessEnv) -> Option<PathBuf> {
        const KEY: &[&str] = &["build", "rustc-wrapper"];
        let of = |layers: &[Layer]| {
            let mut found = layers.iter().filter_map(|layer| {
                let path = layer.get(KEY)?.as_str()?;
                // a name alone is looked for on the PATH
                Some(match path.contains('/') {
                    true => layer.base.join(path),
                    false => path.into(),
                })
            });
            found.next()
        };
        process
            .path("RUSTC_WRAPPER")
            .or_else(|| of(&self.flags))
            .or_else(|| process.path("CARGO_BUILD_RUSTC_WRAPPER"))
            .or_else(|| of(&self.files))
            .filter(|wrapper| !wrapper.as_os_str().is_empty())
    }

    /// Whether it has the standard library built.
    pub fn builds_std(&self) -> bool {
        let mut all = self.all();
        all.any(|layer| layer.get(&["unstable", "build-std"]).is_some())
    }
}

impl Layer {
    fn get(&self, keys: &[&str]) -> Option<&Value> {
        let (last, tables) = keys.split_last()?;
        let mut table = &self.table;
        for key in tables {
            table = table.get(*key)?.as_table()?;
        }
        table.get(*last)
    }
}

fn first<'a>(layers: &'a [Layer], keys: &[&str]) -> Option<&'a Value> {
    layers.iter().find_map(|layer| layer.get(keys))
}

/// Adds a file, and behind it those that it includes, the last of them first.
fn add_file(layers: &mut Vec<Layer>, file: &Path, depth: usize) {
    let text = std::fs::read_to_string(file);
    let Some(table) = text.ok().and_then(|text| text.parse::<Table>().ok()) else {
        return;
    };
    let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
    let base = folder.parent().unwrap_or(&folder).to_owned();
    let path = |include: &Value| {
        let path = include.get("path").unwrap_or(include).as_str()?;
        Some(folder.join(path))
    };
    let included: Vec<PathBuf> = match table.get("include") {
        Some(Value::Array(all)) => all.iter().filter_map(path).collect(),
        one => one.and_then(path).into_iter().collect(),
    };
    layers.push(Layer { table, base });
    if depth < DEEPEST {
        for file in included.iter().rev() {
            add_file(layers, file, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files by their paths.
    type Files<'a> = &'a [(&'a str, &'a str)];

    /// A folder `a/b` with configuration files at these paths, and what counts there.
    fn at(files: &[(&str, &str)], flags: &[&str]) -> (tempfile::TempDir, Configuration) {
        let root = tempfile::tempdir().expect("a folder");
        let here = root.path().join("a/b");
        std::fs::create_dir_all(&here).expect("made");
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
        let home = root.path().join("home");
        let configuration = Configuration::at(&here, Some(&home), &flags);
        (root, configuration)
    }

    #[test]
    fn the_nearest_target_counts_and_lists_of_targets_are_joined() {
        let one = "build.target = \"wasm32-wasip2\"\n";
        let several = "[build]\ntarget = [\"wasm32-wasip2\", \"x\", \"wasm32-wasip1\"]\n";
        let cases: [(Files<'_>, &[&str], &[&str]); 8] = [
            (&[], &[], &[]),
            (&[("a/.cargo/config.toml", one)], &[], &[WASIP2]),
            (
                &[("a/.cargo/config.toml", several)],
                &[],
                &[WASIP2, "x", WASIP1],
            ),
            (
                &[
                    (
                        "a/b/.cargo/config.toml",
                        "build.target = [\"wasm32-wasip1\"]",
                    ),
                    ("home/config.toml", "build.target = [\"wasm32-wasip2\"]"),
                ],
                &[],
                &[WASIP1, WASIP2],
            ),
            (
                &[
                    ("a/b/.cargo/config", one),
                    ("a/b/.cargo/config.toml", several),
                ],
                &[],
                &[WASIP2],
            ),
            (
                &[("a/.cargo/config.toml", several)],
                &["build.target='y'", "jobs.x=1"],
                &["y"],
            ),
            (&[("a/b/more.toml", one)], &["more.toml"], &[WASIP2]),
            (
                &[
                    (
                        "a/.cargo/config.toml",
                        "include = [\"x.toml\", { path = \"y.toml\", optional = true }]",
                    ),
                    ("a/.cargo/x.toml", "build.target = \"x\""),
                    ("a/.cargo/y.toml", one),
                ],
                &[],
                &[WASIP2],
            ),
        ];
        for (files, flags, expected) in cases {
            let (_root, configuration) = at(files, flags);
            let found = configuration.build_target(None);
            assert_eq!(found, expected, "{files:?} {flags:?}");
        }
        let (_root, files) = at(&[("a/.cargo/config.toml", one)], &[]);
        assert_eq!(files.build_target(Some("z")), ["z"]);
        let (_root, flags) = at(&[], &["build.target='wasm32-wasip1'"]);
        assert_eq!(flags.build_target(Some("z")), [WASIP1]);
    }

    #[test]
    fn a_file_that_includes_itself_is_followed_no_further_than_it_makes_sense() {
        let (_root, configuration) = at(
            &[(
                "a/.cargo/config.toml",
                "include = [\"config.toml\"]\nbuild.target = \"wasm32-wasip1\"",
            )],
            &[],
        );
        assert_eq!(configuration.build_target(None), [WASIP1]);
    }

    #[test]
    fn variables_are_merged_key_by_key_and_paths_begin_where_the_file_lies() {
        let (root, configuration) = at(
            &[
                (
                    "a/b/.cargo/config.toml",
                    "[env]\nNEAR = \"near\"\nFORCED = { force = true }\nODD = 3\n\"a=b\" = \"x\"\n",
                ),
                (
                    "a/.cargo/config.toml",
                    "[env]\nNEAR = \"far\"\nDATA = { value = \"data\", relative = true }\n",
                ),
                ("home/config.toml", "[env]\nFORCED = { value = \"f\" }\n"),
                (
                    "a/b/more/x.toml",
                    "env.MORE = { value = \"m\", relative = true }\n",
                ),
            ],
            &[
                "env.FLAG='one'",
                "env.FLAG='two'",
                "env.HERE={value='h', relative=true}",
                "more/x.toml",
            ],
        );
        let path = |path: &str| root.path().join(path).display().to_string();
        let expected = [
            ("DATA", path("a/data"), false),
            ("FLAG", "two".to_owned(), false),
            ("FORCED", "f".to_owned(), true),
            ("HERE", path("a/b/h"), false),
            ("MORE", path("a/b/m"), false),
            ("NEAR", "near".to_owned(), false),
        ];
        let expected = expected.map(|(name, value, force)| Variable {
            name: name.to_owned(),
            value,
            force,
        });
        assert_eq!(configuration.env(), expected);
    }

    #[test]
    fn a_runner_in_a_flag_has_a_shape() {
        let of = |flag: &str| at(&[], &[flag]).1.runner_of_flags(WASIP1);
        assert_eq!(of("target.wasm32-wasip1.runner='a b'"), Some(Shape::Text));
        assert_eq!(of("target.wasm32-wasip1.runner=['a']"), Some(Shape::List));
        assert_eq!(of("target.wasm32-wasip2.runner=['a']"), None);
    }
}
