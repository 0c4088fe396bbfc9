//! What can be typed after `cargo wasmtest`: cargo's own flags, then ours; and whose each is: what is
//! not `OURS` goes to cargo as it was typed.

use super::{Given, MatchArgs, RunOptions, STYLES, When, Words};
use clap::{ArgAction, Args, Parser};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Build the tests of a package or workspace for WASI with cargo, and run them isolated and in parallel.
#[derive(Debug, Parser)]
#[command(name = "cargo-wasmtest", bin_name = "cargo wasmtest", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = "\
Examples:
  cargo wasmtest                          the tests of this package, doctests included
  cargo wasmtest parser::                 those whose id contains `parser::`
  cargo wasmtest --workspace --keep-going all members; those that do not build are listed
  cargo wasmtest --test api -- --exact get_user
  cargo wasmtest --target wasm32-wasip2 --release
  cargo wasmtest -- --rw tests/snapshots  let tests write there
  cargo wasmtest -- --help                what can stand after `--`

Tests read the package and its workspace where they lie, and write only to TMPDIR.

A dependency that does not build for WASI takes nothing along but what names it.

Exit codes: those of `wasmtest run`, and 5 if something could not be built.")]
pub struct CargoWasmtest {
    /// Run tests whose id (`package::target module::test`) contains this
    #[arg(value_name = "FILTER")]
    pub filter: Option<String>,

    /// More filters, and flags for the run: `cargo wasmtest -- --help` lists them
    #[arg(last = true, value_name = "FILTER or FLAG")]
    pub rest: Vec<OsString>,

    /// Which packages.
    #[command(flatten)]
    pub packages: Given<PackageArgs>,

    /// Which targets.
    #[command(flatten)]
    pub targets: Given<TargetArgs>,

    /// How they are built.
    #[command(flatten)]
    pub build: Given<BuildArgs>,
}

/// Which packages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Packages")]
pub struct PackageArgs {
    /// Test this package
    #[arg(short, long, value_name = "SPEC", action = ArgAction::Append)]
    pub package: Vec<String>,

    /// Test all packages of the workspace
    #[arg(long, visible_alias = "all")]
    pub workspace: bool,

    /// Leave out a package
    #[arg(long, value_name = "SPEC", action = ArgAction::Append)]
    pub exclude: Vec<String>,

    /// The Cargo.toml [default: the one here or in a folder above]
    #[arg(long, value_name = "PATH")]
    pub manifest_path: Option<PathBuf>,
}

/// Which targets.
#[derive(Debug, Args)]
#[command(next_help_heading = "Targets")]
pub struct TargetArgs {
    /// The library's unit tests
    #[arg(long)]
    pub lib: bool,

    /// The unit tests of all binaries
    #[arg(long)]
    pub bins: bool,

    /// The unit tests of this binary
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub bin: Vec<String>,

    /// The tests in all examples
    #[arg(long)]
    pub examples: bool,

    /// The tests in this example
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub example: Vec<String>,

    /// All targets that have `test = true`
    #[arg(long)]
    pub tests: bool,

    /// This test target
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub test: Vec<String>,

    /// All targets that have `bench = true`, each benchmark once
    #[arg(long)]
    pub benches: bool,

    /// This bench target, each benchmark once
    #[arg(long, value_name = "NAME", action = ArgAction::Append)]
    pub bench: Vec<String>,

    /// All targets, without doctests
    #[arg(long)]
    pub all_targets: bool,

    /// Only the doctests
    #[arg(long, conflicts_with_all = ["lib", "bins", "bin", "examples", "example", "tests", "test", "benches", "bench", "all_targets"])]
    pub doc: bool,
}

/// How they are built.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Building")]
pub struct BuildArgs {
    /// wasm32-wasip1 or wasm32-wasip2, or both, one flag each [default: the settings', else those of them in cargo's `build.target`, else wasm32-wasip1]
    #[arg(long, value_name = "TRIPLE", action = ArgAction::Append)]
    pub target: Vec<String>,

    /// Build optimised
    #[arg(short, long)]
    pub release: bool,

    /// Build with this profile
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,

    /// Activate features
    #[arg(short = 'F', long, value_name = "FEATURES", action = ArgAction::Append)]
    pub features: Vec<String>,

    /// Activate all features
    #[arg(long)]
    pub all_features: bool,

    /// Do not activate the `default` feature
    #[arg(long)]
    pub no_default_features: bool,

    /// Build, and run nothing
    #[arg(long)]
    pub no_run: bool,

    /// Build and run what builds, and list what does not
    #[arg(long)]
    pub keep_going: bool,

    /// Do not fail because of what was not built, where the rest is run
    #[arg(long)]
    pub allow_not_built: bool,

    /// How many jobs the build may use
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub jobs: Option<String>,

    /// Where build products go
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,

    /// Cargo.lock must not change
    #[arg(long)]
    pub locked: bool,

    /// No network
    #[arg(long)]
    pub offline: bool,

    /// --locked and --offline
    #[arg(long)]
    pub frozen: bool,

    /// Ignore `rust-version` of packages
    #[arg(long)]
    pub ignore_rust_version: bool,

    /// Override a value of cargo's configuration
    #[arg(long, value_name = "KEY=VALUE or PATH", action = ArgAction::Append)]
    pub config: Vec<String>,

    /// Unstable flags of cargo's
    #[arg(short = 'Z', value_name = "FLAG", action = ArgAction::Append)]
    pub unstable: Vec<String>,

    /// What cargo says: more (may be given twice)
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// What cargo says: nothing but errors; and of the run only the summary
    #[arg(short, long)]
    pub quiet: bool,

    /// When to use colour (NO_COLOR is respected)
    #[arg(long, value_name = "WHEN", value_enum)]
    pub color: Option<When>,

    /// As cargo's; tests go on after a failure anyway (`-- --fail-fast` stops)
    #[arg(long)]
    pub no_fail_fast: bool,
}

/// Flags of how something is built that cargo does not get as they are: the target is given for
/// each of several, and what is to be run or told is decided here.
pub(crate) const OURS: [&str; 5] = [
    "target",
    "no-run",
    "keep-going",
    "allow-not-built",
    "no-fail-fast",
];

/// Flags that every call of cargo needs.
pub(crate) const COMMON: [&str; 5] = ["locked", "offline", "frozen", "config", "Z"];

/// Flags that change what is shown of a build, and nothing of what is built.
pub(crate) const SHOWN: [&str; 4] = ["quiet", "verbose", "color", "jobs"];

/// Flags that a command needs to build the same again, beside the target's.
pub(crate) const RERUN: [&str; 8] = [
    "profile",
    "release",
    "all-features",
    "no-default-features",
    "features",
    "config",
    "manifest-path",
    "target-dir",
];

/// Flags of the run that the runner of doctests needs, beside those of what is granted
/// inside cargo.
pub(crate) const OF_RUNNER: [&str; 9] = [
    "dir",
    "env",
    "wasm-stack",
    "max-memory",
    "max-table-elements",
    "max-instances",
    "max-open-files",
    "stub-imports",
    "no-std-gaps",
];

/// What cargo is told of how something is built, for one target.
pub fn words_of_build(build: &Words, target: &OsStr) -> Words {
    let mut words = Words::default();
    words.add("--target", Some(target.to_owned()));
    words.extend(build.without(&OURS));
    words
}

/// What stands after `cargo wasmtest --`.
#[derive(Debug, Parser)]
#[command(
    name = "cargo-wasmtest",
    bin_name = "cargo wasmtest --",
    styles = STYLES,
    max_term_width = 100,
    disable_version_flag = true
)]
#[command(about = "What can stand after `cargo wasmtest --`: filters, and how tests are run.")]
pub struct CargoRest {
    /// Run tests whose id (`package::target module::test`) contains one of these
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,

    /// Which tests.
    #[command(flatten)]
    pub matching: MatchArgs,

    /// How they are run.
    #[command(flatten)]
    pub options: Given<RunOptions>,

    /// What they may reach inside cargo.
    #[command(flatten)]
    pub grants: Given<CargoGrantArgs>,
}

/// What tests may reach inside cargo, beside what every run can grant.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Granting")]
pub struct CargoGrantArgs {
    /// Let tests write to this folder, relative to the package; it is made if it is missing
    #[arg(long = "rw", value_name = "PATH", action = ArgAction::Append)]
    pub rw: Vec<PathBuf>,

    /// Do not let tests read the package and its workspace
    #[arg(long)]
    pub no_package_dir: bool,
}
