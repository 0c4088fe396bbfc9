//! `cargo xtask bench`: what tests cost here, beside what they cost elsewhere.
//!
//! Speed is a ratio to a peer in the same run, never a bound: machines differ and are busy. All
//! are release builds; the peers are the wasmtime command line and cargo-nextest, which are
//! installed where they are not, and bare loops, which are examples of the runner's package. What
//! comes of it is `BENCHMARKS.md`.

mod cold;
mod measure;
mod report;
mod rows;

use crate::compat;
use crate::guest;
use crate::overshoot;
use crate::target::WASIP1;
use anyhow::{Context as _, Result, bail};
use report::Row;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The bare loops: examples of the runner's package.
const LOOPS: [&str; 3] = ["bare_loop", "direct_loop", "replay_loop"];

/// Where everything is.
struct Bench<'a> {
    root: &'a Path,
    wasmtest: PathBuf,
    wasmtime: Option<PathBuf>,
    nextest: Option<PathBuf>,
    /// For what the benchmark makes.
    folder: PathBuf,
    /// The runner's cache.
    cache: PathBuf,
}

/// Measures, prints and writes `BENCHMARKS.md`.
///
/// # Errors
/// If something of this repository does not build or run. A peer that cannot be had is told, and
/// what is compared with it is left out.
pub fn bench(root: &Path) -> Result<()> {
    let built = build(root)?;
    let folder = folder(root, "bench")?;
    let wasmtest = placed(&built.join("wasmtest"), &folder)?;
    for name in LOOPS {
        placed(&built.join("examples").join(name), &folder)?;
    }
    let cache = folder.join("cache");
    std::fs::create_dir_all(&cache)?;
    let peer = |name: &str, found: Result<PathBuf>| match found.and_then(|f| placed(&f, &folder)) {
        Ok(path) => Some(path),
        Err(e) => {
            eprintln!("xtask: without {name}, which cannot be had here: {e:#}");
            None
        }
    };
    let bench = Bench {
        root,
        wasmtest,
        wasmtime: peer("the wasmtime command line", compat::install_wasmtime(root)),
        nextest: peer("cargo-nextest", compat::install_nextest(root)),
        folder: folder.clone(),
        cache,
    };
    let mut peers = vec![bench.version(&bench.wasmtest)?];
    for path in [&bench.wasmtime, &bench.nextest].into_iter().flatten() {
        peers.push(bench.version(path)?);
    }
    let mut rows: Vec<Row> = Vec::new();
    for (what, measured) in rows::ALL.into_iter().chain(cold::ALL) {
        eprintln!("xtask: measuring {what}");
        rows.extend(measured(&bench).with_context(|| what.to_owned())?);
    }
    let page = report::page(&report::machine(), &peers, &rows);
    print!("{page}");
    std::fs::write(root.join("BENCHMARKS.md"), page)?;
    Ok(())
}

/// By how much guests that do not stop by themselves pass their limit.
///
/// # Errors
/// If one of them cannot be run.
pub fn overshoot(root: &Path, wasmtest: &Path) -> Result<()> {
    let warm = folder(root, "bench-warm")?;
    overshoot::measure(wasmtest, &folder(root, "bench-overshoot")?, &warm)
}

/// Builds the runner and the loops beside it, as they are released; gives the folder.
fn build(root: &Path) -> Result<PathBuf> {
    eprintln!("xtask: building release binaries (the first time takes some minutes)");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo.args(["build", "--quiet", "--release", "--package", "wasmtest"]);
    let status = cargo.args(["--bins", "--examples"]).status();
    if !status.context("cargo cannot be started")?.success() {
        bail!("wasmtest does not build");
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    Ok(target.join("release"))
}

/// A copy of a program. In which pieces the system holds a file decides how many page faults a
/// start costs (a fifth more was seen after a linker had written it than after a copy, a
/// millisecond of each process), so those of all that are compared are written in one way.
fn placed(program: &Path, folder: &Path) -> Result<PathBuf> {
    let name = program.file_name().context("a program has a name")?;
    let dir = folder.join("bin");
    std::fs::create_dir_all(&dir)?;
    let place = dir.join(name);
    // one that is running cannot be written to
    let _ = std::fs::remove_file(&place);
    std::fs::copy(program, &place)
        .with_context(|| format!("{} cannot be copied", program.display()))?;
    Ok(place)
}

fn folder(root: &Path, name: &str) -> Result<PathBuf> {
    let dir = root.join("target").join(name);
    std::fs::create_dir_all(&dir)?;
    Ok(dir)
}

impl Bench<'_> {
    fn version(&self, program: &Path) -> Result<String> {
        let output = Command::new(program).arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// The runner on these files.
    fn run(&self, processes: &str, files: &[&Path]) -> Command {
        let mut command = Command::new(&self.wasmtest);
        command.args(["run", "-q", "--no-config", "--processes", processes]);
        command.arg("--cache-dir").arg(&self.cache).args(files);
        command
    }

    /// The same for the first time, after which everything is there: compiled by Cranelift, as the
    /// peers compile.
    fn warm(&self, files: &[&Path]) -> Result<()> {
        let mut command = self.run("2", files);
        measure::cost(command.args(["--compiler", "cranelift"]))?;
        Ok(())
    }

    /// One of the loops.
    fn bare(&self, name: &str) -> Result<Command> {
        let folder = self.wasmtest.parent().context("it lies in a folder")?;
        Ok(Command::new(folder.join(name)))
    }

    /// The wasmtime command line on a file, with its cache on.
    fn plain(&self, file: &Path) -> Option<Command> {
        let mut command = Command::new(self.wasmtime.as_ref()?);
        command.args(["run", "-C", "cache=y"]).arg(file);
        Some(command)
    }

    /// A test binary of `tests/large`.
    fn large(&self, package: &str, target: &[&str]) -> Result<PathBuf> {
        let manifest = self.root.join("tests/large/Cargo.toml");
        let manifest = manifest.to_string_lossy();
        let mut args = vec!["--quiet", "--manifest-path", &manifest, "--target", WASIP1];
        args.extend(["-p", package]);
        args.extend(target);
        let built = guest::build_tests(&args)?;
        let (_, file) = built.into_iter().next().context("the guest was built")?;
        Ok(file)
    }
}
