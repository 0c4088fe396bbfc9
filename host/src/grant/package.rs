//! What the tests of a package reach: its folders where they lie, and cargo's variables.
//!
//! To wasi-libc `.` and `/` are one prefix, the longest granted prefix of a path
//! as it is written wins, and `..` never leaves a granted folder. So the package is `.`,
//! each folder above it up to the workspace's is `..`, `../..`, and at absolute paths
//! there is only the outermost folder: a path that goes up from the package by
//! its absolute name then stays inside of one grant. How `file!()` begins in a member of a
//! workspace is said beside that: such a path leads nowhere natively, and `sandbox` answers what proptest
//! asks of it alone.

use super::libc::hides_scratch;
use super::protected::{self, home, where_it_lies};
use super::variables::Variables;
use super::{Access, DirGrant, ModuleGrants, Tmp, folders};
use crate::cli::UsageError;
use crate::config::ConfigError;
use crate::config::cargo::Placed;
use crate::grant::InputError;
use crate::paths::plain;
use std::path::{Path, PathBuf};

/// Where a package lies, as cargo spells it: absolute.
#[derive(Clone, Copy, Debug)]
pub struct PackageDirs<'a> {
    /// The package's folder.
    pub package: &'a Path,
    /// The workspace's folder.
    pub workspace: &'a Path,
    /// Where its build script wrote.
    pub out_dir: Option<&'a Path>,
    /// Where its tests may put what they like: `CARGO_TARGET_TMPDIR`.
    pub tmp_dir: Option<&'a Path>,
    /// Where cargo builds.
    pub target_dir: &'a Path,
    /// Where all that the user has lies, as it is set.
    pub home: Option<&'a Path>,
}

/// What is asked for of a package's tests beside what they have anyway.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whether they read the package and its workspace.
    pub package_dir: bool,
    /// What settings ask for, in the order in which they count.
    pub settings: &'a [Placed],
    /// `--rw`.
    pub rw: &'a [PathBuf],
}

/// All that a package's tests are granted: the one list, whoever calls cargo or is called by it.
///
/// # Errors
/// If something that was asked for cannot be granted.
pub fn grants(
    dirs: &PackageDirs<'_>,
    asked: &Asked<'_>,
    variables: Variables,
) -> Result<ModuleGrants, InputError> {
    Ok(ModuleGrants {
        dirs: dirs.granted(asked)?,
        env: variables.once_each(),
    })
}

impl PackageDirs<'_> {
    /// The folders of a package's tests, one that is given later in front of those before.
    fn granted(&self, asked: &Asked<'_>) -> Result<Vec<DirGrant>, InputError> {
        let mut all = match asked.package_dir {
            true => self.folders(),
            false => Vec::new(),
        };
        for placed in asked.settings {
            let said = |e: UsageError, key: &str| ConfigError {
                file: placed.file.clone(),
                place: None,
                why: format!("{key}: {}", e.why),
                hint: None,
            };
            let dirs = folders::grants(&placed.settings.dir, &placed.base, Tmp::Own);
            all.extend(dirs.map_err(|e| said(e, "dir"))?);
            let writable = self.writable(&placed.settings.rw);
            all.extend(writable.map_err(|e| said(e, "rw"))?);
        }
        all.extend(self.writable(asked.rw)?);
        Ok(all)
    }

    /// The folders that tests read: the package, its workspace, what was built for it.
    pub fn folders(&self) -> Vec<DirGrant> {
        let mut grants = vec![read(self.package, ".")];
        let mut up = String::new();
        let inside = self.package.starts_with(self.workspace);
        if inside {
            for folder in self.package.ancestors().skip(1) {
                if !folder.starts_with(self.workspace) {
                    break;
                }
                up.push_str(if up.is_empty() { ".." } else { "/.." });
                grants.push(read(folder, &up));
            }
        }
        let mut outermost = vec![self.workspace];
        if !inside {
            outermost.push(self.package);
        }
        for of_cargo in [self.out_dir, self.tmp_dir].into_iter().flatten() {
            if !outermost.iter().any(|o| of_cargo.starts_with(o)) {
                outermost.push(of_cargo);
            }
        }
        grants.extend(outermost.into_iter().filter_map(read_where_it_lies));
        let home = self.home.and_then(home);
        grants.retain(|g| g.host.is_dir() && !is_too_much(&g.host, home.as_deref()));
        grants.extend(self.sources());
        grants
    }

    /// Whether the package lies where a grant would open far more than a project.
    pub fn is_withheld(&self) -> bool {
        let folder = self.package.canonicalize();
        let home = self.home.and_then(home);
        folder.is_ok_and(|folder| is_too_much(&folder, home.as_deref()))
    }

    /// How the sources of a member are named: from the workspace's folder. Not if the
    /// package has something of its own there.
    fn sources(&self) -> Option<DirGrant> {
        let member = self.package.strip_prefix(self.workspace).ok()?;
        let hides = self.package.join(member.components().next()?).exists();
        (!hides).then_some(())?;
        Some(DirGrant {
            host: self.package.to_owned(),
            guest: vec![member.to_str()?.to_owned()],
            access: Access::Sources,
        })
    }

    /// The folders that tests may write to, at the path as it was asked for and where
    /// it lies; one that is missing is made if it is the package's or the workspace's.
    ///
    /// # Errors
    /// If one is no folder, or cannot be made, or would hide tests' own folder.
    pub fn writable(&self, asked: &[PathBuf]) -> Result<Vec<DirGrant>, UsageError> {
        asked.iter().map(|path| self.writable_one(path)).collect()
    }

    fn writable_one(&self, asked: &Path) -> Result<DirGrant, UsageError> {
        let wrong = |why: String| UsageError {
            flag: "--rw",
            why: format!("`{}`: {why}", asked.display()),
        };
        let absolute = plain(&self.package.join(asked));
        let ours = absolute.starts_with(self.package) || absolute.starts_with(self.workspace);
        // a test that may write could have made a link of it
        if ours && let Some(elsewhere) = self.led_astray(&absolute) {
            return Err(wrong(format!(
                "a link in it leads to {}; name that if it is meant",
                elsewhere.display()
            )));
        }
        if let Some(what) = self.holds_what_is_run(&absolute) {
            return Err(wrong(format!(
                "it holds {what}, which is run on this machine; name a smaller folder"
            )));
        }
        if !absolute.exists() && ours {
            std::fs::create_dir_all(&absolute)
                .map_err(|e| wrong(format!("it cannot be made: {e}")))?;
        }
        let host = absolute
            .canonicalize()
            .map_err(|e| wrong(format!("it cannot be granted: {e}")))?;
        if !host.is_dir() {
            return Err(wrong(
                "it is no folder; grant the folder that it lies in".into(),
            ));
        }
        let mut guest = Vec::new();
        let mut add = |path: &Path| {
            let name = match path.to_str() {
                Some("") => ".",
                Some(name) => name,
                None => return,
            };
            if !guest.iter().any(|g| g == name) {
                guest.push(name.to_owned());
            }
        };
        if let Ok(relative) = absolute.strip_prefix(self.package) {
            add(relative);
        }
        add(&plain(asked));
        add(&absolute);
        add(&host);
        if hides_scratch(&guest) {
            return Err(wrong("it would hide /tmp, each test's own folder".into()));
        }
        Ok(DirGrant {
            host,
            guest,
            access: Access::ReadWrite,
        })
    }
}

/// Whether this is the whole machine, or what it tells of itself, or all that a user has.
fn is_too_much(folder: &Path, home: Option<&Path>) -> bool {
    let system = ["/proc", "/sys", "/dev"]
        .iter()
        .any(|s| folder.starts_with(s));
    folder.parent().is_none() || system || home.is_some_and(|home| home.starts_with(folder))
}

impl PackageDirs<'_> {
    /// Where a folder of the package's or the workspace's really lies, if a link leads there.
    fn led_astray(&self, folder: &Path) -> Option<PathBuf> {
        let base = match folder.starts_with(self.package) {
            true => self.package,
            false => self.workspace,
        };
        let there = where_it_lies(folder);
        let expected = where_it_lies(base).join(folder.strip_prefix(base).ok()?);
        (there != expected).then_some(there)
    }

    /// What a folder holds, or lies in, that is run on this machine outside of any sandbox.
    fn holds_what_is_run(&self, folder: &Path) -> Option<&'static str> {
        let folder = where_it_lies(folder);
        let (package, workspace) = (where_it_lies(self.package), where_it_lies(self.workspace));
        if package.starts_with(&folder) || workspace.starts_with(&folder) {
            return Some("the manifest and the build script");
        }
        // `target/criterion` and the like are nobody's; a profile's folder is cargo's
        let built = self.tmp_dir.and_then(Path::parent);
        if [Some(self.target_dir), built]
            .into_iter()
            .flatten()
            .any(|of_cargo| where_it_lies(of_cargo).starts_with(&folder))
        {
            return Some("cargo's target folder");
        }
        // a package elsewhere may be one that this one depends on
        let is_built = |of: &Path| {
            !of.starts_with(&workspace)
                || crate::config::manifest::around(of)
                    .is_ok_and(|(root, _)| where_it_lies(&root) == workspace)
        };
        // cargo may not have built there yet
        let is_profile = || {
            let below = folder.strip_prefix(where_it_lies(self.target_dir)).ok()?;
            let mut outermost = below.components().take(2);
            outermost
                .any(|c| {
                    ["debug", "release"]
                        .iter()
                        .any(|name| c.as_os_str() == *name)
                })
                .then_some("what cargo builds")
        };
        protected::lies_in(&folder)
            .or_else(|| protected::holds(&folder, self.home, is_built))
            .or_else(is_profile)
    }
}

fn read(host: &Path, guest: &str) -> DirGrant {
    DirGrant {
        host: host.canonicalize().unwrap_or_else(|_| host.to_owned()),
        guest: vec![guest.to_owned()],
        access: Access::ReadOnly,
    }
}

/// A folder under its own name, and under its canonical one if that differs.
fn read_where_it_lies(folder: &Path) -> Option<DirGrant> {
    let mut grant = read(folder, folder.to_str()?);
    if grant.host != folder
        && let Some(canonical) = grant.host.to_str()
    {
        grant.guest.push(canonical.to_owned());
    }
    Some(grant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_reads_itself_and_every_folder_up_to_the_workspaces() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("there");
        let package = root.join("crates/deep/a");
        let out = root.join("elsewhere/out");
        let tmp = root.join("elsewhere/t/tmp");
        for folder in [&package, &out, &tmp] {
            std::fs::create_dir_all(folder).expect("made");
        }
        let workspace = root.join("crates");
        let place = PackageDirs {
            package: &package,
            workspace: &workspace,
            out_dir: Some(&out),
            tmp_dir: Some(&tmp),
            target_dir: &workspace.join("target"),
            home: None,
        };
        let all: Vec<(PathBuf, String)> = place
            .folders()
            .into_iter()
            .map(|g| {
                let sources = g.access == Access::Sources;
                assert_ne!(g.access, Access::ReadWrite);
                let name = g.guest.join(" ");
                (
                    g.host,
                    if sources {
                        format!("{name}: sources")
                    } else {
                        name
                    },
                )
            })
            .collect();
        let text = |p: &Path| p.display().to_string();
        let expected = [
            (package.clone(), ".".to_owned()),
            (root.join("crates/deep"), "..".to_owned()),
            (workspace.clone(), "../..".to_owned()),
            (workspace.clone(), text(&workspace)),
            (out.clone(), text(&out)),
            (tmp.clone(), text(&tmp)),
            (package.clone(), "deep/a: sources".to_owned()),
        ];
        assert_eq!(all, expected);
        let rw = place
            .writable(&["tests/snap".into(), "../b".into()])
            .expect("made");
        assert!(package.join("tests/snap").is_dir());
        assert_eq!(
            rw[0].guest,
            ["tests/snap".to_owned(), text(&package.join("tests/snap"))]
        );
        assert_eq!(rw[1].guest[0], "../b");
        assert!(place.writable(&[root.join("missing")]).is_err());
        assert!(place.writable(&["tmp".into()]).is_err());
        assert!(place.writable(std::slice::from_ref(&tmp)).is_ok());
        for holds_it in ["elsewhere/t", "elsewhere"] {
            let why = place
                .writable(&[root.join(holds_it)])
                .expect_err(holds_it)
                .why;
            assert!(why.contains("target folder"), "{why}");
        }
        // what is the package's own is not hidden
        std::fs::create_dir(package.join("deep")).expect("made");
        let sources = |g: &DirGrant| g.access == Access::Sources;
        assert!(!place.folders().iter().any(sources));
    }

    #[test]
    fn nothing_that_is_run_can_be_granted_for_writing_nor_what_a_link_leads_to() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("there");
        let package = root.join("ws/p");
        let target = root.join("ws/target");
        for folder in [
            "ws/p/tests",
            "ws/target/debug/.fingerprint",
            "ws/target/t/debug/.fingerprint",
            "ws/old/debug/.fingerprint",
            "ws/m",
            "ws/crates/deep/n",
            "ws/fixtures/own",
            "other",
            "out",
        ] {
            std::fs::create_dir_all(root.join(folder)).expect("made");
        }
        let manifest = "[package]\nname = \"x\"\n";
        for (folder, text) in [
            ("ws", "[workspace]\nmembers = [\"*\"]\n"),
            ("ws/p", manifest),
            ("ws/m", manifest),
            ("ws/crates/deep/n", manifest),
            ("ws/fixtures/own", "[package]\nname = \"x\"\n[workspace]\n"),
            ("other", manifest),
        ] {
            std::fs::write(root.join(folder).join("Cargo.toml"), text).expect("written");
        }
        std::os::unix::fs::symlink("../../../out", package.join("tests/link")).expect("made");
        std::os::unix::fs::symlink("tests", package.join("inside")).expect("made");
        let place = PackageDirs {
            package: &package,
            workspace: &root.join("ws"),
            out_dir: None,
            tmp_dir: None,
            target_dir: &target,
            home: None,
        };
        let refused = |path: &str| place.writable(&[path.into()]).expect_err(path).why;
        for (path, word) in [
            (".", "manifest"),
            ("..", "manifest"),
            ("tests/link", "leads to"),
            ("inside", "leads to"),
            ("../m", "manifest"),
            ("../crates", "manifest"),
            ("../old", "cargo has built"),
            ("../old/debug/x", "cargo has built"),
            (".git/hooks", "hooks"),
            ("../../other", "manifest"),
            ("tests/link/new", "leads to"),
            ("../target", "target folder"),
            ("../target/debug", "cargo has built"),
            ("../target/debug/deps", "cargo has built"),
            ("../target/t", "cargo has built"),
            (".cargo", "configuration"),
            ("../target/release/build", "what cargo builds"),
            ("../target/t/release", "what cargo builds"),
            ("../target/wasmtest-stand-ins", "in place of rustc"),
            (
                "../target/wasmtest-stand-ins/12/kept/t",
                "in place of rustc",
            ),
            (
                "../target/wasmtest-stand-ins/12/t/debug/tmp",
                "in place of rustc",
            ),
        ] {
            let why = refused(path);
            assert!(why.contains(word), "{path}: {why}");
        }
        assert!(!root.join("out/new").exists());
        for path in [
            "tests",
            "tests/new",
            "../fixtures",
            "../target/t/tmp",
            "../target/criterion",
            "../target/wasmtest-stand-ins/12/tmp",
            "../target/wasmtest-stand-ins/12/t/tmp/x",
            "target/criterion",
        ] {
            assert!(place.writable(&[path.into()]).is_ok(), "{path}");
        }
    }

    #[test]
    fn neither_the_whole_machine_nor_a_home_is_granted_unasked() {
        let place = |folder: &'static str| PackageDirs {
            package: Path::new(folder),
            workspace: Path::new("/"),
            out_dir: None,
            tmp_dir: None,
            target_dir: Path::new("/target"),
            home: None,
        };
        assert!(place("/").folders().is_empty());
        assert!(place("/").is_withheld());
        // a workspace at the root does not open what lies beside its member
        let of_member = place("/usr").folders();
        let of_member: Vec<&Path> = of_member.iter().map(|g| g.host.as_path()).collect();
        assert_eq!(of_member, ["/usr", "/usr"].map(Path::new));
        assert!(!place("/usr").is_withheld());
        assert!(is_too_much(
            Path::new("/home/a"),
            Some(Path::new("/home/a"))
        ));
        // nor what they lie in
        assert!(is_too_much(Path::new("/home"), Some(Path::new("/home/a"))));
        assert!(!is_too_much(
            Path::new("/home/a/b"),
            Some(Path::new("/home/a"))
        ));
    }
}
