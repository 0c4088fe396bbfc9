//! Small packages and workspaces, made by the tests that run them.

use crate::support::{Ran, finish};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use xtask::toolchains::Toolchain;

/// A package's manifest, without dependencies.
pub const MANIFEST: &str =
    "[package]\nname = \"made\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n";

/// A folder with a package or a workspace in it, removed at the end.
pub struct Crate {
    _folder: tempfile::TempDir,
    root: PathBuf,
    rust: Option<&'static Toolchain>,
}

impl Crate {
    /// Files by their paths.
    pub fn new(files: &[(&str, &str)]) -> Crate {
        Crate::below("p", files)
    }

    /// The same in a folder of this name.
    pub fn below(name: &str, files: &[(&str, &str)]) -> Crate {
        // outside of this workspace, which cargo would find
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there").join(name);
        std::fs::create_dir(&root).expect("made");
        let made = Crate {
            _folder: folder,
            root,
            rust: None,
        };
        for (path, text) in files {
            made.write(path, text);
        }
        made
    }

    /// The same, with another Rust than the one that the tests are built with.
    pub fn on(mut self, rust: &'static Toolchain) -> Crate {
        self.rust = Some(rust);
        self
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// `cargo wasmtest` here, as cargo starts it.
    pub fn cargo_wasmtest(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-wasmtest"));
        self.prepare(&mut command);
        command.arg("wasmtest").args(args);
        command
    }

    pub fn wasmtest(&self, args: &[&str]) -> Ran {
        finish(&mut self.cargo_wasmtest(args))
    }

    /// cargo here, with the runner for both targets.
    pub fn cargo(&self, args: &[&str]) -> Command {
        let mut command = match self.rust {
            Some(rust) => rust.cargo(),
            None => Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        };
        self.prepare(&mut command);
        let runner = format!("{} cargo-runner", env!("CARGO_BIN_EXE_wasmtest"));
        command
            .env("CARGO_TARGET_WASM32_WASIP1_RUNNER", &runner)
            .env("CARGO_TARGET_WASM32_WASIP2_RUNNER", &runner)
            .args(args);
        command
    }

    fn prepare(&self, command: &mut Command) {
        static TARGETS: OnceLock<()> = OnceLock::new();
        // makes sure of both
        TARGETS.get_or_init(|| {
            xtask::guest::cargo(&[OsString::from("--version")]).expect("the targets are there");
        });
        command
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .env(
                "WASMTEST_CACHE_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
            )
            .env("CARGO_TERM_COLOR", "never")
            .env("RUST_BACKTRACE", "0");
        // what this test was itself given by cargo, or by whoever runs it
        let own = [
            "CARGO_PKG_",
            "CARGO_BIN_EXE_",
            "CARGO_MANIFEST_",
            "INSTA_",
            "NEXTEST",
            "RUST_TEST_",
        ];
        let names = [
            "OUT_DIR",
            "CARGO_TARGET_DIR",
            "WASMTEST_PROCESSES",
            "WASMTEST_PROCESS_TIMEOUT",
            "NO_COLOR",
            "RUST_LOG",
            "CARGO_CRATE_NAME",
        ];
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if own.iter().any(|p| name.starts_with(p)) || names.contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        if let Some(rust) = self.rust {
            rust.choose(command);
        }
    }
}

/// Makes a file a program.
pub fn executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(file, mode).expect("its mode can be set");
}

/// Makes a pipe, which whoever opens it first waits at for the other end.
pub fn pipe(at: &Path) {
    let path = CString::new(at.as_os_str().as_bytes()).expect("no NUL in it");
    // SAFETY: makes a pipe at a path that ends in a NUL, and touches nothing here.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}
