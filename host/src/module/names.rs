//! Names for modules: the same from build to build, and unique in a run. Pure.

use crate::layout::{UnitFile, is_hash};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A name for each path: the file's name without cargo's hash, with as many
/// parent folders in front as it takes to tell namesakes apart. Two builds of
/// one target in one folder keep their hashes; but a program beside the tests
/// of the same target (`is_program`) does not cost those their name. Of cargo's
/// newer layout, in which each file has a folder of its own, the package's counts.
pub fn assign(paths: &[PathBuf], is_program: &[bool]) -> Vec<String> {
    let mut names: Vec<String> = paths.iter().map(|p| without_hash(p)).collect();
    let tests = (0..paths.len()).filter(|i| !is_program[*i]);
    let tests: HashSet<(&Path, String)> = tests
        .map(|i| (folder(&paths[i]), names[i].clone()))
        .collect();
    for (i, program) in is_program.iter().enumerate() {
        if *program && tests.contains(&(folder(&paths[i]), names[i].clone())) {
            names[i] = hashed(&paths[i]);
        }
    }
    for _ in 0..2 {
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, name) in names.iter().enumerate() {
            groups.entry(name).or_default().push(i);
        }
        let namesakes: Vec<Vec<usize>> = groups.into_values().filter(|g| g.len() > 1).collect();
        if namesakes.is_empty() {
            break;
        }
        for group in namesakes {
            let base = names[group[0]].clone();
            let longest = group.iter().map(|i| parents(&paths[*i]).len()).max();
            // the fewest folders that tell all apart, or as many as there are
            let tell_apart = |n: &usize| {
                let mut seen = HashSet::new();
                let mut names = group.iter().map(|i| with_parents(&paths[*i], *n, &base));
                names.all(|name| seen.insert(name))
            };
            match (1..=longest.unwrap_or(0)).find(tell_apart) {
                Some(n) => {
                    for i in group {
                        names[i] = with_parents(&paths[i], n, &base);
                    }
                }
                None => {
                    for i in group {
                        names[i] = hashed(&paths[i]);
                    }
                }
            }
        }
    }
    names
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The file's name with the hash that tells its builds apart: in the newer layout a
/// program has none in its name.
fn hashed(path: &Path) -> String {
    let name = file_name(path);
    match (UnitFile::of(path), name.strip_suffix(".wasm")) {
        (Some(unit), Some(stem)) if without_hash(path) == name => {
            format!("{stem}-{}.wasm", unit.hash)
        }
        _ => name,
    }
}

/// The folder that a file counts to.
fn folder(path: &Path) -> &Path {
    match UnitFile::of(path) {
        Some(unit) => unit.package,
        None => path.parent().unwrap_or(Path::new("")),
    }
}

fn parents(path: &Path) -> Vec<String> {
    folder(path)
        .components()
        .filter_map(|c| match c {
            std::path::Component::Normal(n) => Some(n.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect()
}

fn with_parents(path: &Path, count: usize, base: &str) -> String {
    let parents = parents(path);
    let from = parents.len().saturating_sub(count);
    parents[from..]
        .iter()
        .map(String::as_str)
        .chain([base])
        .collect::<Vec<_>>()
        .join("/")
}

/// `tests-0123456789abcdef.wasm` is `tests.wasm`.
fn without_hash(path: &Path) -> String {
    let name = file_name(path);
    let Some(stem) = name.strip_suffix(".wasm") else {
        return name;
    };
    match stem.rsplit_once('-') {
        Some((stem, hash)) if !stem.is_empty() && is_hash(hash) => format!("{stem}.wasm"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[&str]) -> Vec<String> {
        assign(
            &paths.iter().map(PathBuf::from).collect::<Vec<_>>(),
            &vec![false; paths.len()],
        )
    }

    #[test]
    fn a_program_beside_its_tests_keeps_its_hash_and_they_do_not() {
        let paths = ["/d/t-0123456789abcdef.wasm", "/d/t-fedcba9876543210.wasm"].map(PathBuf::from);
        assert_eq!(
            assign(&paths, &[true, false]),
            ["t-0123456789abcdef.wasm", "t.wasm"]
        );
    }

    #[test]
    fn cargos_hash_goes_and_other_dashes_stay() {
        assert_eq!(
            names(&[
                "/t/db-0123456789abcdef.wasm",
                "/t/my-tests.wasm",
                "/t/x-0123.wasm"
            ]),
            ["db.wasm", "my-tests.wasm", "x-0123.wasm"]
        );
    }

    #[test]
    fn namesakes_get_as_many_folders_as_it_takes() {
        assert_eq!(
            names(&["/w/a/deps/t.wasm", "/w/b/deps/t.wasm", "/w/b/u.wasm"]),
            ["a/deps/t.wasm", "b/deps/t.wasm", "u.wasm"]
        );
    }

    #[test]
    fn in_the_newer_layout_names_are_the_same_from_build_to_build_too() {
        let unit = |package: &str, hash: &str, file: &str| {
            PathBuf::from(format!("/t/debug/build/{package}/{hash}/out/{file}"))
        };
        let [a, b, c] = ["0123456789abcdef", "fedcba9876543210", "00000000000000ff"];
        let names = |paths: &[PathBuf], is_program: &[bool]| assign(paths, is_program);
        // the program of the same target has no hash in its file's name
        assert_eq!(
            names(
                &[unit("p", a, "p.wasm"), unit("p", b, &format!("p-{b}.wasm"))],
                &[true, false]
            ),
            [format!("p-{a}.wasm"), "p.wasm".to_owned()]
        );
        assert_eq!(names(&[unit("p", a, "p.wasm")], &[true]), ["p.wasm"]);
        // of two packages, and of two builds
        let tests = |package: &str, hash: &str| unit(package, hash, &format!("t-{hash}.wasm"));
        assert_eq!(
            names(&[tests("p", a), tests("q", b)], &[false; 2]),
            ["p/t.wasm", "q/t.wasm"]
        );
        assert_eq!(
            names(&[tests("p", a), tests("p", b), tests("q", c)], &[false; 3]),
            [a, b, c].map(|hash| format!("t-{hash}.wasm"))
        );
    }

    #[test]
    fn two_builds_in_one_folder_keep_their_hashes() {
        assert_eq!(
            names(&["/d/t-0123456789abcdef.wasm", "/d/t-fedcba9876543210.wasm"]),
            ["t-0123456789abcdef.wasm", "t-fedcba9876543210.wasm"]
        );
    }
}
