//! Whose a function is: the developer's own, a dependency's, or the runtime's.
//!
//! A crate's name does not tell: a user's `tests/test.rs` is a crate `test`, as libtest is.
//! The folder of its source does, which debug information names. Without that there is
//! the hash by which mangled names tell crates of one name apart, and the paths that
//! panics of dependencies have left in the file. Takes names and paths that a guest
//! chose; gives what to call a frame, and decides nothing else.

use crate::event::Library;
use crate::harness::termination::path_in;
use crate::instrument::is_runtime_source;
use memchr::memmem;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Dependencies that are looked for in a file's data.
const MAX_DEPENDENCIES: usize = 4096;
/// The longest name of a dependency's folder.
const MAX_FOLDER: usize = 128;
/// Folders that are looked at for what `cargo vendor` leaves there.
const MAX_LOOKED_AT: usize = 1024;
/// How far below its package's folder a source may lie.
const MAX_DEPTH: usize = 12;

/// Crates that come with the toolchain, and the SDK's library.
const RUNTIME: [&str; 13] = [
    "wasmtest",
    "std",
    "core",
    "alloc",
    "test",
    "compiler_builtins",
    "panic_abort",
    "panic_unwind",
    "dlmalloc",
    "__rustc",
    "hashbrown",
    "wasi",
    "wasip2",
];
/// The SDK's crate, in code.
const SDK: &str = "wasmtest";

/// Tells whose sources are whose by where they lie.
pub(super) struct Sources {
    here: Option<String>,
    vendored: HashMap<PathBuf, Option<String>>,
}

impl Sources {
    /// Sources as they look from this folder: what lies in it is the developer's.
    pub(super) fn new(here: Option<&Path>) -> Sources {
        Sources {
            here: here.map(|d| format!("{}/", d.display())),
            vendored: HashMap::new(),
        }
    }

    /// A source's path, from that folder if it lies there.
    pub(super) fn relative<'a>(&self, file: &'a str) -> &'a str {
        let here = self.here.as_deref();
        here.and_then(|here| file.strip_prefix(here))
            .unwrap_or(file)
    }

    /// The library that a source belongs to; `None` for the developer's own.
    fn library(&mut self, file: &str) -> Option<Library> {
        if is_runtime_source(file) {
            return Some(Library::Runtime);
        }
        let relative = self.relative(file);
        // somebody may work on a crate where cargo keeps it
        let dependency = in_cargos_folder(relative)
            .or_else(|| remapped(relative).filter(|_| relative.len() == file.len()))
            .or_else(|| self.vendored(relative));
        dependency.map(Library::Dependency)
    }

    /// The name of a package's folder that `cargo vendor` has made: it leaves a file there.
    fn vendored(&mut self, relative: &str) -> Option<String> {
        let folder = Path::new(relative).parent()?;
        if let Some(known) = self.vendored.get(folder) {
            return known.clone();
        }
        if self.vendored.len() >= MAX_LOOKED_AT || relative.contains("/../") {
            return None;
        }
        let ancestors = folder.ancestors().take(MAX_DEPTH);
        let package = ancestors
            // the current folder is the developer's, whatever it is
            .filter(|a| !a.as_os_str().is_empty())
            .find(|a| a.join("Cargo.toml").symlink_metadata().is_ok());
        let name = package
            .filter(|p| p.join(".cargo-checksum.json").symlink_metadata().is_ok())
            .and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
        self.vendored.insert(folder.to_owned(), name.clone());
        name
    }
}

/// The package of a source in cargo's folders for what it has fetched.
fn in_cargos_folder(file: &str) -> Option<String> {
    if let Some((_, rest)) = file.split_once("registry/src/") {
        let mut folders = rest.split('/');
        let (_index, package) = (folders.next()?, folders.next()?);
        return version_of(package).map(|_| package.to_owned());
    }
    let (_, rest) = file.split_once("git/checkouts/")?;
    let mut folders = rest.split('/');
    let (repository, revision) = (folders.next()?, folders.next()?);
    let (name, _hash) = repository.rsplit_once('-')?;
    Some(format!("{name} (git {revision})"))
}

/// The package of a source whose path `trim-paths` has made shorter.
fn remapped(file: &str) -> Option<String> {
    let (package, _) = file.split_once('/')?;
    version_of(package).map(|_| package.to_owned())
}

/// The name and the version in `NAME-VERSION`.
fn version_of(package: &str) -> Option<(&str, &str)> {
    let splits = package.match_indices('-').map(|(at, _)| at);
    let mut found = splits.map(|at| (&package[..at], &package[at + 1..]));
    found.find(|(name, version)| {
        let mut numbers = version.splitn(3, '.');
        let mut is_number = |all: bool| {
            numbers.next().is_some_and(|n| {
                n.starts_with(|c: char| c.is_ascii_digit())
                    && (!all || n.bytes().all(|b| b.is_ascii_digit()))
            })
        };
        // the last may have more after it: `0-beta.2`
        !name.is_empty() && is_number(true) && is_number(true) && is_number(false)
    })
}

/// A crate as a mangled name tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Crate {
    name: String,
    /// What tells it from others of its name; the older mangling has nothing.
    hash: Option<String>,
}

/// What a file's names and data tell of crates.
#[derive(Default)]
pub(super) struct Crates {
    /// Those with a `main`: programs and tests, so the developer's.
    own: HashSet<Crate>,
    /// The first modules in the paths of the toolchain's crates, as far as their names have hashes.
    modules: HashSet<(String, String)>,
    /// Folders of dependencies, by the crate's name.
    dependencies: HashMap<String, String>,
    /// Whether the toolchain's own code has the newer mangling.
    newer: bool,
}

impl Crates {
    /// Takes a file's mangled names, and the folders that [`packages_in`] has found.
    pub(super) fn new<'a>(
        names: impl Iterator<Item = &'a str> + Clone,
        packages: &HashSet<String>,
    ) -> Crates {
        let mut crates = Crates {
            newer: names.clone().any(|name| name.starts_with("_R")),
            ..Crates::default()
        };
        for name in names.clone().filter(|n| n.contains("4main")) {
            if let Some(krate) = crate_of(name)
                && demangled(name) == format!("{}::main", krate.name)
            {
                crates.own.insert(krate);
            }
        }
        // only where the older mangling leaves it open
        let ambiguous = |c: &Crate| c.hash.is_none() && RUNTIME.contains(&c.name.as_str());
        if crates.own.iter().any(ambiguous) {
            for name in names {
                if let Some(krate) = crate_of(name)
                    && krate.hash.is_some()
                    && let Some(module) = first_module(&demangled(name))
                {
                    crates.modules.insert((krate.name, module));
                }
            }
        }
        for package in packages {
            if let Some((name, _)) = version_of(package) {
                let name = name.replace('-', "_");
                crates.dependencies.insert(name, package.clone());
            }
        }
        crates
    }

    /// Whose a function is, by its mangled name and the path of its source if there is one.
    pub(super) fn library(
        &self,
        sources: &mut Sources,
        mangled: &str,
        source: Option<&str>,
    ) -> Option<Library> {
        let name = demangled(mangled);
        // what the SDK's macros make
        if name.contains("::__wasmtest_") {
            return Some(Library::Runtime);
        }
        let krate = crate_of(mangled);
        let own = krate.as_ref().is_some_and(|k| self.own.contains(k));
        let Some(source) = source else {
            let Some(krate) = krate else {
                return is_runtime_symbol(&name).then_some(Library::Runtime);
            };
            return match self.is_runtime(&krate, own, &name) {
                true => Some(Library::Runtime),
                false if own => None,
                false => {
                    let package = self.dependencies.get(&krate.name);
                    package.cloned().map(Library::Dependency)
                }
            };
        };
        let sdk = krate.is_some_and(|k| k.name == SDK);
        match sources.library(source) {
            Some(Library::Dependency(package)) if package.starts_with("wasmtest-sdk-") => {
                Some(Library::Runtime)
            }
            // it may be a path dependency
            None if sdk && (!own || source.contains("/guest-sdk/src/")) => Some(Library::Runtime),
            library => library,
        }
    }

    /// Whether a function was compiled with the developer's code, so far as the mangling
    /// tells: the toolchain's has had the newer one for longer.
    pub(super) fn is_of_this_build(&self, mangled: &str) -> bool {
        self.newer && mangled.starts_with("_ZN")
    }

    /// Whether a crate of such a name is the toolchain's.
    fn is_runtime(&self, krate: &Crate, own: bool, name: &str) -> bool {
        if !RUNTIME.contains(&krate.name.as_str()) {
            return false;
        }
        match first_module(name) {
            // the toolchain's code has no hash where it was compiled with the user's
            Some(module) if own && krate.hash.is_none() => {
                self.modules.contains(&(krate.name.clone(), module))
            }
            _ => !own,
        }
    }
}

/// The folders of packages in a module's data: what can panic has its source's path there.
pub(super) fn packages_in(data: &[u8], packages: &mut HashSet<String>) {
    const FOLDER: &[u8] = b"/registry/src/";
    for at in memmem::find_iter(data, FOLDER) {
        if packages.len() >= MAX_DEPENDENCIES {
            break;
        }
        let rest = &data[at + FOLDER.len()..];
        let rest = &rest[..rest.len().min(2 * MAX_FOLDER)];
        let mut folders = rest.split(|b| *b == b'/');
        if let (Some(_index), Some(package)) = (folders.next(), folders.next())
            && package.len() <= MAX_FOLDER
            && let Ok(package) = std::str::from_utf8(package)
            && version_of(package).is_some()
        {
            packages.insert(package.to_owned());
        }
    }
}

/// How long a demangled name may be: a short mangled one can stand for a very long one, and what
/// is shown is shorter still.
const MAX_DEMANGLED: usize = 4 << 10;

/// A name as people know it, as far as it is read.
pub(super) fn demangled(mangled: &str) -> String {
    struct Short(String);
    impl std::fmt::Write for Short {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let room = MAX_DEMANGLED - self.0.len();
            self.0.push_str(&text[..text.floor_char_boundary(room)]);
            match text.len() > room {
                true => Err(std::fmt::Error),
                false => Ok(()),
            }
        }
    }
    let mut name = Short(String::new());
    // an error says that there is more
    let _ = std::fmt::write(
        &mut name,
        format_args!("{:#}", rustc_demangle::demangle(mangled)),
    );
    name.0
}

/// A function of the runtime's that is in no crate.
fn is_runtime_symbol(name: &str) -> bool {
    const SYMBOLS: [&str; 13] = [
        "_start",
        "main",
        "__main_void",
        "__original_main",
        "__main_argc_argv",
        "abort",
        "exit",
        "_Exit",
        "__wasm_call_ctors",
        "rust_begin_unwind",
        "rust_panic",
        "__rust_start_panic",
        "undefined_weak",
    ];
    SYMBOLS.contains(&name)
        || name.starts_with("__rust")
        || name.starts_with("wasi:cli/run")
        // what the SDK's macros export
        || name.starts_with("wasmtest:")
        || name.ends_with(".command_export")
}

/// The crate that a mangled name begins with.
fn crate_of(mangled: &str) -> Option<Crate> {
    // this form alone has the hash
    let full = rustc_demangle::demangle(mangled).to_string();
    let rest = path_in(&full);
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    let (name, rest) = rest.split_at(end);
    let (hash, rest) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((hash, rest)) => (Some(hash.to_owned()), rest),
        None => (None, rest),
    };
    (rest.starts_with("::") && !name.is_empty()).then(|| Crate {
        name: name.to_owned(),
        hash,
    })
}

/// The crate of a path: `std` of `<&mut std::io::Stdin as ...>::read`.
pub(super) fn first_segment(name: &str) -> Option<&str> {
    let rest = path_in(name);
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    rest[end..].starts_with("::").then(|| &rest[..end])
}

/// What comes after the crate in a path.
fn first_module(name: &str) -> Option<String> {
    let rest = path_in(name);
    let (_, rest) = rest.split_once("::")?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    Some(rest[..end.unwrap_or(rest.len())].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNTIMES: Option<Library> = Some(Library::Runtime);

    fn crates(names: &[&str]) -> Crates {
        let packages = HashSet::from(["tokio-1.54.1".to_owned(), "sha-1-0.10.1".to_owned()]);
        Crates::new(names.iter().copied(), &packages)
    }

    fn library(crates: &Crates, name: &str, source: Option<&str>) -> Option<Library> {
        crates.library(&mut Sources::new(None), name, source)
    }

    #[test]
    fn without_sources_names_tell_the_runtime_from_the_developers_code() {
        let crates = crates(&[]);
        for name in [
            "std::process::abort",
            "core::panicking::panic_fmt",
            "abort",
            "_start",
            "__rust_start_panic",
            "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
            "<&mut std::io::X as a::B>::c",
            "a::t::__wasmtest_call",
        ] {
            assert_eq!(library(&crates, name, None), RUNTIMES, "{name}");
        }
        for name in [
            "parser::descend",
            "<parser::A as core::fmt::Display>::fmt",
            "crash",
            "standard::x",
        ] {
            assert_eq!(library(&crates, name, None), None, "{name}");
        }
        // what could panic has left the path of its source
        let of = |name: &str| Some(Library::Dependency(name.to_owned()));
        assert_eq!(
            library(&crates, "tokio::runtime::x", None),
            of("tokio-1.54.1")
        );
        assert_eq!(library(&crates, "sha_1::update", None), of("sha-1-0.10.1"));
    }

    #[test]
    fn a_source_tells_whose_a_function_is_whatever_it_is_called() {
        let crates = crates(&[]);
        let of = |source: &str| library(&crates, "test::f", Some(source));
        let dependency = |name: &str| Some(Library::Dependency(name.to_owned()));
        for source in [
            "/rustc/0a1b/library/std/src/panicking.rs",
            "/rust/deps/hashbrown-0.16.1/src/raw.rs",
            "/home/u/.rustup/toolchains/x/lib/rustlib/src/rust/library/core/src/a.rs",
            "/usr/src/rustc-1.95.0/library/alloc/src/vec.rs",
            "wasisdk://v29.0/src/wasi-libc/exit.c",
        ] {
            assert_eq!(of(source), RUNTIMES, "{source}");
        }
        let registry = "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        assert_eq!(
            of(&format!("{registry}/tokio-1.54.1/src/a.rs")),
            dependency("tokio-1.54.1")
        );
        assert_eq!(
            of("/c/git/checkouts/tokio-0123456789abcdef/1a2b3c4/tokio/src/a.rs"),
            dependency("tokio (git 1a2b3c4)")
        );
        assert_eq!(of("tokio-1.54.1/src/a.rs"), dependency("tokio-1.54.1"));
        for own in [
            "/home/u/project/tests/test.rs",
            "/home/u/registry/src/lib.rs",
            "tests/test.rs",
            "/home/u/library/std/src/lib.rs",
        ] {
            assert_eq!(of(own), None, "{own}");
        }
        // where somebody works on what cargo has fetched
        let mut sources = Sources {
            here: Some(format!("{registry}/tokio-1.54.1/")),
            vendored: HashMap::new(),
        };
        let own = format!("{registry}/tokio-1.54.1/src/a.rs");
        assert_eq!(crates.library(&mut sources, "tokio::f", Some(&own)), None);
    }

    #[test]
    fn what_cargo_has_vendored_is_a_dependency_and_what_only_lies_there_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["vendor/theirs", "vendor/ours"] {
            let package = folder.path().join(name);
            std::fs::create_dir_all(package.join("src/deep")).expect("made");
            std::fs::write(package.join("Cargo.toml"), "").expect("written");
        }
        let sum = folder.path().join("vendor/theirs/.cargo-checksum.json");
        std::fs::write(sum, "{}").expect("written");
        let of = |path: &str| {
            let source = folder.path().join(path).display().to_string();
            library(&crates(&[]), "a::f", Some(&source))
        };
        let theirs = Some(Library::Dependency("theirs".to_owned()));
        assert_eq!(of("vendor/theirs/src/lib.rs"), theirs);
        assert_eq!(of("vendor/theirs/src/deep/a.rs"), theirs);
        assert_eq!(of("vendor/ours/src/lib.rs"), None);
    }

    #[test]
    fn crates_of_one_name_are_told_apart_by_their_hashes() {
        // `test[1]::main`, `test[1]::run` and libtest's `test[2]::run_tests`
        let names = [
            "_RNvCs1_4test4main",
            "_RNvCs1_4test3run",
            "_RNvCs2_4test9run_tests",
        ];
        let newer = crates(&names);
        assert_eq!(library(&newer, names[1], None), None);
        assert_eq!(library(&newer, names[2], None), RUNTIMES);
        // the older mangling has no hashes: what a crate of the toolchain's has as well
        let older = [
            "_ZN3std4main17h0123456789abcdefE",
            "_ZN3std4same5reads17h0123456789abcdefE",
            "_ZN3std2rt10lang_start17h0123456789abcdefE",
            "_RNvNtCs2_3std2rt19lang_start_internal",
        ];
        let crates = crates(&older);
        assert_eq!(library(&crates, older[1], None), None);
        assert_eq!(library(&crates, older[2], None), RUNTIMES);
        assert_eq!(library(&crates, older[3], None), RUNTIMES);
    }

    #[test]
    fn packages_are_found_in_data_and_nothing_absurd_is() {
        let mut packages = HashSet::new();
        let data = b"\0/h/.cargo/registry/src/index-0a/tokio-1.54.1/src/a.rs\0\
            /registry/src/a/b/registry/src//registry/src/x/\xff-1.0.0/";
        packages_in(data, &mut packages);
        assert_eq!(packages, HashSet::from(["tokio-1.54.1".to_owned()]));
        assert_eq!(version_of("sha-1-0.10.1"), Some(("sha-1", "0.10.1")));
        assert_eq!(version_of("a-2"), None);
    }
}
