//! What can be typed: flags, their defaults, their help. No logic.

pub mod advice;
pub mod cargo;
mod given;
pub mod libtest;
mod limits;
mod run;
pub(crate) mod size;
mod usage;

pub use given::{Given, Words};
pub use limits::{LimitArgs, OutputArgs};
pub use run::{
    CallArgs, CompileArgs, CompilerChoice, ConfigArgs, GuestArgs, LibtestHow, RunArgs, RunOptions,
};
pub(crate) use run::{RERUN, TAKEN_FOR};
pub use usage::UsageError;
pub(crate) use usage::usage;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// A test runner for WebAssembly: every test in an instance of its own, on worker processes.
#[derive(Debug, Parser)]
#[command(name = "wasmtest", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = "\
In a Rust crate or workspace, as it is:
  cargo wasmtest
Any test module:
  wasmtest run target/wasm32-wasip1/debug/deps/NAME-HASH.wasm
As cargo's runner, for cargo test, cargo nextest, cargo run and doctests:
  wasmtest init

Exit codes: 0 all passed, 1 some test did not, 2 usage, 3 a module could not be loaded or
listed or the results not be written, 4 nothing to run or all skipped, 5 (cargo wasmtest)
something could not be built, 129 hung up (SIGHUP), 130 interrupted, 143 terminated.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run tests.
    Run(Box<RunArgs>),
    /// List tests without running them.
    List(ListArgs),
    /// Show what goes where, and why, without running tests.
    Plan(PlanArgs),
    /// Run one WASI program, as a plain runtime does.
    Exec(ExecArgs),
    /// Make wasmtest cargo's runner for WASI in this project.
    Init(InitArgs),
    /// Show or clear the cache of compiled modules.
    Cache(CacheArgs),
    /// Run a file that cargo built, as cargo asks for it.
    CargoRunner(CargoRunnerArgs),
    /// A worker; started by `wasmtest run`.
    #[command(name = "__worker", hide = true)]
    Worker,
    /// The compiler; started by `wasmtest run`.
    #[command(name = "__compiler", hide = true)]
    Compiler,
    /// The process in which shared fixtures stand; started by `wasmtest run`.
    #[command(name = "__fixture-host", hide = true)]
    FixtureHost,
    /// The guardian of a host fixture; started by `wasmtest run`.
    #[command(name = "__guardian", hide = true)]
    Guardian,
}

impl Command {
    /// The process that a run starts by this word, if it is one.
    pub fn part(word: &str) -> Option<Command> {
        Some(match word {
            "__worker" => Command::Worker,
            "__compiler" => Command::Compiler,
            "__fixture-host" => Command::FixtureHost,
            "__guardian" => Command::Guardian,
            _ => return None,
        })
    }
}

/// `wasmtest plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasmtest plan tests.wasm              the suites of a file, how each is distributed, and the host
                                        fixtures of wasmtest.toml that its tests are bound to
  wasmtest plan -v tests.wasm -- db::   the same for some tests, each by its name")]
pub struct PlanArgs {
    /// Which tests.
    #[command(flatten)]
    pub select: SelectArgs,

    /// Name every test
    #[arg(short, long)]
    pub verbose: bool,

    /// As with `wasmtest run --no-snapshot`
    #[arg(long)]
    pub no_snapshot: bool,

    /// As with `wasmtest run --processes`: with 0, split suites stay whole, and verdicts can differ
    #[arg(
        long,
        value_name = "N",
        default_value = "auto",
        allow_hyphen_values = true
    )]
    pub processes: String,

    /// What it may cost to compile a module.
    #[command(flatten)]
    pub compile: CompileArgs,

    /// Which configuration file.
    #[command(flatten)]
    pub configuration: ConfigArgs,
}

/// Which tests.
#[derive(Debug, Args)]
pub struct SelectArgs {
    /// Test modules, or folders to search for them [default: the current folder]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Run tests whose id (`tests.wasm db::insert`) contains one of these
    #[arg(last = true, value_name = "FILTER")]
    pub filters: Vec<String>,

    /// Call plain programs as files beside them say, and expect of them what stands there
    ///
    /// Beside x.wasm that is x.json, as in the WASI test suite, with args, env, dirs (each test
    /// gets copies of its own), root, stdin, exit_code, stdout and stderr; docs/side-files.md.
    /// Without this flag such a file means nothing.
    #[arg(long, help_heading = "Selecting")]
    pub side_files: bool,

    /// Which of their tests.
    #[command(flatten)]
    pub matching: MatchArgs,
}

/// Which tests of those that there are.
#[derive(Debug, Args)]
pub struct MatchArgs {
    /// Filters name whole ids, or whole paths in a module
    #[arg(long, help_heading = "Selecting")]
    pub exact: bool,

    /// Leave out tests whose id contains this (with --exact: is this)
    #[arg(long, value_name = "FILTER", action = ArgAction::Append, help_heading = "Selecting")]
    pub skip: Vec<String>,

    /// Run only tests that have one of these tags
    #[arg(long = "tag", value_name = "TAG", action = ArgAction::Append, help_heading = "Selecting")]
    pub tags: Vec<String>,

    /// Leave out tests that have this tag
    #[arg(long = "skip-tag", value_name = "TAG", action = ArgAction::Append, help_heading = "Selecting")]
    pub skip_tags: Vec<String>,

    /// Run only the tests marked as ignored
    #[arg(
        long,
        alias = "ignored",
        help_heading = "Selecting",
        conflicts_with = "include_ignored"
    )]
    pub run_ignored: bool,

    /// Run the tests marked as ignored too
    #[arg(long, help_heading = "Selecting")]
    pub include_ignored: bool,

    /// Of the tests chosen, run this one and those before it in its unit
    ///
    /// TEST is a whole id, or a whole path in a module. A unit's tests share an instance, and
    /// one can see what another left there: this is how a report names one of them to be run
    /// again. A test that is in no unit is run alone.
    #[arg(long, value_name = "TEST", help_heading = "Selecting")]
    pub up_to: Option<String>,

    /// Where compiled modules are kept [default: the user's cache folder]
    #[arg(
        long,
        value_name = "DIR",
        env = "WASMTEST_CACHE_DIR",
        hide_env_values = true,
        help_heading = "Running"
    )]
    pub cache_dir: Option<OsString>,
}

/// `wasmtest list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasmtest list tests.wasm
  wasmtest list tests.wasm --message-format json -- parser::

Rust test binaries are asked for their list in a closed sandbox.")]
pub struct ListArgs {
    /// Which tests.
    #[command(flatten)]
    pub select: Given<SelectArgs>,

    /// What to print: ids, or everything known as one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = MessageFormat::Human, help_heading = "Reporting")]
    pub message_format: MessageFormat,

    /// Say of each module how its tests are called, too
    #[arg(short, long, help_heading = "Reporting")]
    pub verbose: bool,

    /// How the tests of Rust's test binaries are called.
    #[command(flatten)]
    pub calls: Given<CallArgs>,

    /// What it may cost to compile a module.
    #[command(flatten)]
    pub compile: Given<CompileArgs>,

    /// Which configuration file.
    #[command(flatten)]
    pub configuration: Given<ConfigArgs>,
}

/// `wasmtest exec`.
#[derive(Debug, Args)]
#[command(override_usage = "wasmtest exec [OPTIONS] FILE [ARGS]...")]
#[command(after_help = "\
Examples:
  wasmtest exec program.wasm --verbose in.txt   everything after FILE is the program's
  wasmtest exec --dir data:rw --env RUST_LOG program.wasm
  producer | wasmtest exec filter.wasm | consumer

The program has this terminal or these pipes as its own, unread and unchanged: what it writes
to a terminal acts on that terminal. It sees its arguments and what --dir, --env and --tmp grant,
and nothing else: no variable, no folder. FILE and ARGS have to be Unicode, as WASI wants them
(with --argv0, FILE need not be).

Exit codes: the program's own; 134 it trapped, 124 it was stopped at --timeout, 126 it cannot
be run, 127 it is not there, 2 usage.")]
pub struct ExecArgs {
    /// The program, a core module or a component; what follows are its arguments, flags included
    #[arg(value_name = "FILE", required = true, num_args = 1.., trailing_var_arg = true)]
    pub program: Vec<OsString>,

    /// What the program is told as its own name [default: FILE]
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<String>,

    /// Give the program an empty folder of its own at /tmp, and TMPDIR=/tmp; it is gone afterwards
    #[arg(long)]
    pub tmp: bool,

    /// What it may reach and use.
    #[command(flatten)]
    pub guest: GuestArgs,

    /// Stop the program after this time; fractions are allowed [default: never]
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub timeout: Option<String>,

    /// Where compiled modules are kept [default: the user's cache folder]
    #[arg(
        long,
        value_name = "DIR",
        env = "WASMTEST_CACHE_DIR",
        hide_env_values = true
    )]
    pub cache_dir: Option<OsString>,
}

/// `wasmtest init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Adds to .cargo/config.toml, in the folder of the workspace:
  [target.wasm32-wasip1]
  runner = [\"wasmtest\", \"cargo-runner\"]
and the same for wasm32-wasip2, after showing the change. From then on `cargo test --target
wasm32-wasip1`, `cargo nextest run --target wasm32-wasip1` and `cargo run` use wasmtest.")]
pub struct InitArgs {
    /// The folder that .cargo lies in [default: the workspace's]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// Show the change, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Replace a runner that is there
    #[arg(long)]
    pub force: bool,
}

/// `wasmtest cache`.
#[derive(Debug, Args)]
pub struct CacheArgs {
    /// What to do with the cache.
    #[command(subcommand)]
    pub action: Option<CacheAction>,

    /// Where compiled modules are kept [default: the user's cache folder]
    #[arg(
        long,
        value_name = "DIR",
        env = "WASMTEST_CACHE_DIR",
        hide_env_values = true,
        global = true
    )]
    pub cache_dir: Option<OsString>,
}

/// What can be done with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum CacheAction {
    /// Say where it is, what it holds and how it is bounded (the default)
    Show,
    /// Remove everything in it
    Clear,
}

/// `wasmtest cargo-runner`.
#[derive(Debug, Args)]
#[command(override_usage = "wasmtest cargo-runner [OPTIONS] BIN [ARGS]...")]
#[command(after_help = "\
cargo calls it, when told so:
  CARGO_TARGET_WASM32_WASIP1_RUNNER=\"wasmtest cargo-runner\" cargo test --target wasm32-wasip1
or in .cargo/config.toml:
  [target.wasm32-wasip1]
  runner = \"wasmtest cargo-runner\"

ARGS are a Rust test binary's own (libtest's): they mean what they mean there.")]
pub struct CargoRunnerArgs {
    /// The file, and whatever its program is called with
    #[arg(value_name = "BIN", required = true, trailing_var_arg = true)]
    pub call: Vec<OsString>,

    /// What the program may reach and use.
    #[command(flatten)]
    pub guest: GuestArgs,

    /// How long one test may run; fractions are allowed [default: 60, or the test's own limit]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "WASMTEST_PROCESS_TIMEOUT",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub process_timeout: Option<String>,

    /// Where compiled modules are kept [default: the user's cache folder]
    #[arg(
        long,
        value_name = "DIR",
        env = "WASMTEST_CACHE_DIR",
        hide_env_values = true
    )]
    pub cache_dir: Option<OsString>,

    /// What is granted inside cargo.
    #[command(flatten)]
    pub grants: cargo::CargoGrantArgs,

    /// A variable of cargo's `[env]` that passes, as `cargo wasmtest` names it
    #[arg(long, value_name = "NAME", action = ArgAction::Append, hide = true)]
    pub configured_env: Vec<String>,

    /// How doctests are told apart from what they print: a word and a folder, as
    /// `cargo wasmtest` gives them
    #[arg(long, num_args = 2, value_names = ["WORD", "DIR"], hide = true)]
    pub doctests: Vec<String>,
}

/// What is printed on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// Text for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
