//! How cargo lays out what it builds: nothing else here knows it.
//!
//! A profile's folder (`target/TRIPLE/debug`) holds, up to Rust 1.100, all that rustc made in
//! `deps`, build scripts in `build/PACKAGE-HASH`, and `.fingerprint`. From 1.101 on each unit has
//! `build/PACKAGE/HASH`: in it `fingerprint`, `out` (what rustc made, or where a build script
//! wrote) and, of a build script, `run`. With `build.build-dir` only what is asked for is in
//! the target folder's profile, and all of this in the other's. Changes nothing.

use std::path::{Path, PathBuf};

/// The target folder below cargo's in which there are stand-ins for dependencies.
pub const STAND_INS: &str = "wasmtest-stand-ins";
/// The folder in that which is not cargo's.
pub const KEPT: &str = "kept";

/// Whether a folder is, or will be, one of those in which there are stand-ins: all but what
/// is `tmp` for tests there, of this machine or of a target.
pub fn is_of_stand_ins(folder: &Path) -> bool {
    let mut parts = folder.components().map(std::path::Component::as_os_str);
    if !parts.any(|part| part == STAND_INS) {
        return false;
    }
    let below: Vec<_> = parts.skip(1).take(2).collect();
    !below.iter().any(|part| *part == "tmp")
}

/// The file that cargo locks in a profile's folder, of either kind, old and new.
const LOCKS: [&str; 3] = [".cargo-lock", ".cargo-build-lock", ".cargo-artifact-lock"];
/// What cargo keeps there to know what is fresh.
const FINGERPRINTS: &str = ".fingerprint";
/// The folder of units.
const UNITS: &str = "build";

/// Whether this is where cargo builds for a profile.
pub fn is_profile(folder: &Path) -> bool {
    folder.join(FINGERPRINTS).is_dir()
        || LOCKS.iter().any(|lock| folder.join(lock).is_file())
        || holds_units(&folder.join(UNITS))
}

/// Whether an entry of a folder shows that this folder is cargo's, a profile's or a unit's.
pub fn marks_built(entry: &Path, is_folder: bool) -> bool {
    let Some(name) = entry.file_name().and_then(|n| n.to_str()) else {
        return false;
    };
    match is_folder {
        true => {
            name == FINGERPRINTS || name == "fingerprint" && entry.parent().is_some_and(is_unit)
        }
        false => LOCKS.contains(&name),
    }
}

/// Whether this is the `build` of cargo's newer layout: of a package in it there is a unit.
pub fn holds_units(folder: &Path) -> bool {
    let folders = |of: &Path| {
        let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
        entries.map(|e| e.path())
    };
    folder.ends_with(UNITS) && folders(folder).any(|package| folders(&package).any(|f| is_unit(&f)))
}

/// Whether this is the folder of a unit in the newer layout.
pub fn is_unit(folder: &Path) -> bool {
    let named = folder.file_name().and_then(|n| n.to_str());
    named.is_some_and(is_hash) && folder.join("fingerprint").is_dir()
}

/// Whether a unit's folder is that of a build script's run: its `out` is the script's.
pub fn is_of_script(unit: &Path) -> bool {
    unit.join("run").is_dir()
}

/// Where what a build script printed is kept, from its `OUT_DIR`; nobody but cargo has put it
/// there.
pub fn script_output(out_dir: &Path) -> Option<PathBuf> {
    let script = out_dir.parent()?;
    let newer = script.join("run");
    if newer.join("root-output").is_file() {
        return Some(newer.join("stdout"));
    }
    let older = script.join("root-output").is_file();
    older.then(|| script.join("output"))
}

/// The `OUT_DIR` of the package of a test that rustc made, in the newer layout, whose cargos no
/// longer tell tests of it: where its build script has written last.
pub fn out_dir_of(file: &Path) -> Option<PathBuf> {
    let file = std::path::absolute(file).ok()?;
    let units = std::fs::read_dir(UnitFile::of(&file)?.package).ok()?;
    let scripts = units.flatten().map(|unit| unit.path());
    let said = scripts.filter_map(|script| {
        let out = script.join("out");
        let when = script_output(&out)?.metadata().ok()?.modified().ok()?;
        Some((when, out))
    });
    said.max().map(|(_, out)| out)
}

/// The folder of `deps`' successor, where a path that is not there is named as cargo had it.
pub fn instead_of_deps(path: &Path) -> Option<PathBuf> {
    let units = path.ends_with("deps").then(|| path.parent())??.join(UNITS);
    (!path.exists() && holds_units(&units)).then_some(units)
}

/// A file that rustc made, in the newer layout: `build/PACKAGE/HASH/out/FILE`. Told by its
/// path alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitFile<'a> {
    /// `build/PACKAGE`.
    pub package: &'a Path,
    /// The unit's hash.
    pub hash: &'a str,
}

impl UnitFile<'_> {
    /// If this is one.
    pub fn of(file: &Path) -> Option<UnitFile<'_>> {
        let out = file.parent().filter(|f| f.ends_with("out"))?;
        let unit = out.parent()?;
        let hash = unit.file_name()?.to_str().filter(|h| is_hash(h))?;
        let package = unit.parent()?;
        package
            .parent()
            .is_some_and(|f| f.ends_with(UNITS))
            .then_some(UnitFile { package, hash })
    }
}

/// Whether a text is one of the hashes that cargo puts into names.
pub fn is_hash(text: &str) -> bool {
    let is_digit = |b: u8| b.is_ascii_hexdigit() && !b.is_ascii_uppercase();
    text.len() == 16 && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_of_a_profile_are_known() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        let folder = |path: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(&path).expect("made");
            path
        };
        let old = folder("old/.fingerprint/x");
        assert!(is_profile(&root.join("old")) && marks_built(&root.join("old/.fingerprint"), true));
        assert!(!is_profile(&old));
        let unit = folder("new/build/p/0123456789abcdef/fingerprint");
        let unit = unit.parent().expect("a unit");
        assert!(is_profile(&root.join("new")) && holds_units(&root.join("new/build")));
        assert!(is_unit(unit) && !is_of_script(unit));
        assert!(marks_built(&unit.join("fingerprint"), true));
        // what somebody else calls so
        folder("other/build/p/tests");
        folder("other/fingerprint");
        assert!(!is_profile(&root.join("other")) && !holds_units(&root.join("other/build")));
        assert!(!marks_built(&root.join("other/fingerprint"), true));
        for lock in LOCKS {
            let artefacts = folder("bin");
            std::fs::write(artefacts.join(lock), "").expect("written");
            assert!(
                is_profile(&artefacts) && marks_built(&artefacts.join(lock), false),
                "{lock}"
            );
            std::fs::remove_file(artefacts.join(lock)).expect("removed");
        }
        assert_eq!(
            instead_of_deps(&root.join("new/deps")),
            Some(root.join("new/build"))
        );
        assert_eq!(instead_of_deps(&root.join("old/deps")), None);
        folder("new/deps");
        assert_eq!(instead_of_deps(&root.join("new/deps")), None);
    }

    #[test]
    fn what_a_build_script_said_lies_in_either_place() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "").expect("written");
        };
        write("old/root-output");
        write("new/run/root-output");
        write("none/output");
        let said = |of: &str| script_output(&root.path().join(of).join("out"));
        assert_eq!(said("old"), Some(root.path().join("old/output")));
        assert_eq!(said("new"), Some(root.path().join("new/run/stdout")));
        assert_eq!(said("none"), None);
        assert!(is_of_script(&root.path().join("new")));
        // without being told where
        let units = "build/p/0123456789abcdef/";
        write(&format!("{units}run/root-output"));
        write(&format!("{units}run/stdout"));
        let test = root.path().join("build/p/fedcba9876543210/out/t.wasm");
        let out = root.path().join(units).join("out");
        assert_eq!(out_dir_of(&test), Some(out));
        assert_eq!(out_dir_of(&root.path().join("deps/t.wasm")), None);
    }

    #[test]
    fn a_file_of_a_unit_is_told_by_its_path() {
        let of = |path: &'static str| UnitFile::of(Path::new(path));
        let unit = of("/t/debug/build/my-p/0123456789abcdef/out/a.wasm").expect("one");
        assert_eq!(unit.package, Path::new("/t/debug/build/my-p"));
        assert_eq!(unit.hash, "0123456789abcdef");
        for none in [
            "/t/debug/build/my-p/0123456789abcdef/a.wasm",
            "/t/debug/build/my-p/0123456789ABCDEF/out/a.wasm",
            "/t/debug/built/my-p/0123456789abcdef/out/a.wasm",
            "/t/debug/build/my-p-0123456789abcdef/out/a.wasm",
            "a.wasm",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
