//! What can be typed: flags, their defaults, their help. No logic.

pub mod advice;
pub mod cargo;
mod given;
pub mod libtest;
mod limits;
pub(crate) mod size;
mod usage;

pub use given::{Given, Words};
pub use limits::{LimitArgs, OutputArgs};
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

/// `wasmtest run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wasmtest run tests.wasm                      every test in the file, a worker for each CPU
  wasmtest run target/wasm32-wasip1/debug/deps every test module below a folder
  wasmtest run tests.wasm -- parser::          tests whose id contains `parser::`
  wasmtest run tests.wasm --exact -- db::open  that one test
  wasmtest run tests.wasm --dir tests/data --env RUST_LOG=debug
  wasmtest run tests.wasm --processes 0        in this process, for a debugger
  wasmtest run programs --side-files           programs, each as the file beside it says

A test sees an empty stdin, TMPDIR=/tmp, an empty folder at /tmp (its own, or that of the unit
that it is in), and nothing else of this machine but what --dir, --env and the host fixtures of
wasmtest.toml grant.")]
pub struct RunArgs {
    /// Which tests.
    #[command(flatten)]
    pub select: Given<SelectArgs>,

    /// How they are run, what they may reach, what is said of them.
    #[command(flatten)]
    pub options: Given<RunOptions>,
}

/// How tests are run, what they may reach, what is said of them.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// How many worker processes: a number, `auto` or -1 for one a CPU, 0 to run in this process
    ///
    /// With 0 suites marked `split` stay whole: their tests share an instance, so one can see
    /// what another left, and verdicts can differ. 1 gives each an instance of its own.
    #[arg(
        long,
        alias = "test-threads",
        value_name = "N",
        default_value = "auto",
        env = "WASMTEST_PROCESSES",
        hide_env_values = true,
        allow_hyphen_values = true,
        help_heading = "Running"
    )]
    pub processes: String,

    /// How long one test may run; fractions are allowed [default: 60, or the test's own limit]
    ///
    /// A limit given here holds for every test: one that sets a limit of its own
    /// (the SDK's `timeout`) can then only be stopped earlier. Without it a test's
    /// own limit counts, up to a day.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "WASMTEST_PROCESS_TIMEOUT",
        hide_env_values = true,
        allow_hyphen_values = true,
        help_heading = "Running"
    )]
    pub process_timeout: Option<String>,

    /// How long the whole run may take; fractions are allowed [default: as long as it takes]
    ///
    /// Then nothing new begins: tests that run are stopped and reported as timed out, those
    /// that have not begun as not run, and what was set up is taken down, under limits of
    /// its own. The exit code is 1. What cargo builds before does not count.
    #[arg(long, value_name = "SECONDS", help_heading = "Running")]
    pub run_timeout: Option<String>,

    /// What it may cost to compile a module.
    #[command(flatten)]
    pub compile: CompileArgs,

    /// Which configuration file.
    #[command(flatten)]
    pub configuration: ConfigArgs,

    /// Stop at the first test that does not pass
    #[arg(
        short = 'x',
        long,
        conflicts_with = "max_fail",
        help_heading = "Running"
    )]
    pub fail_fast: bool,

    /// Stop once N tests did not pass
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Running")]
    pub max_fail: Option<u64>,

    /// What tests may reach and use.
    #[command(flatten)]
    pub guest: GuestArgs,

    /// How much a test may have in its own /tmp: bytes, or with KiB, MiB, GiB
    ///
    /// More is refused to it as a full disk refuses it. What counts is what the disk gives for it: neither holes in files nor what was removed.
    /// Folders that --dir grants for writing are not counted.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "1GiB",
        value_parser = size::parse,
        help_heading = "Running"
    )]
    pub max_scratch: u64,

    /// How many files, folders and links a test may have in its own /tmp
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        help_heading = "Running"
    )]
    pub max_scratch_entries: u64,

    /// What they may write.
    #[command(flatten)]
    pub output: OutputArgs,

    /// Run the setup of split suites and fixtures again for each test
    ///
    /// Otherwise a setup that does nothing outside of its own memory is run once a
    /// worker at most, and its state is kept and replayed. Random numbers that it drew
    /// and times that it read are then the same for all tests that begin from it, and a
    /// generator that was seeded in it (RandomState, thread_rng, fastrand, uuid with
    /// fast-rng) goes on alike in each of them. WASI's own random numbers are fresh in
    /// each test, and the monotonic clock goes on from where it stood.
    #[arg(long, help_heading = "Running")]
    pub no_snapshot: bool,

    /// Show what tests wrote that passed, too
    #[arg(
        long,
        alias = "nocapture",
        alias = "no-capture",
        help_heading = "Reporting"
    )]
    pub show_output: bool,

    /// Keep the /tmp of tests that did not pass, and say where
    #[arg(long, help_heading = "Reporting")]
    pub keep_scratch: bool,

    /// What to print on stdout: text for people, or one JSON event a line (libtest's shapes)
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = MessageFormat::Human, help_heading = "Reporting")]
    pub message_format: MessageFormat,

    /// Write a report to a file besides: KIND is `json` (as `--message-format json`) or `console` (as `-v`, without colour); may be repeated
    ///
    /// The file is made, or emptied, before anything runs, and is written while the run goes
    /// on. It may not lie where tests may write.
    #[arg(long = "report", value_name = "KIND=FILE", action = ArgAction::Append, help_heading = "Reporting")]
    pub reports: Vec<OsString>,

    /// A line for each test, every frame of a failure's backtrace, notes about slow tests and about files that hold none
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Reporting")]
    pub verbose: bool,

    /// Only the summary
    #[arg(short, long, help_heading = "Reporting")]
    pub quiet: bool,

    /// When to use colour (NO_COLOR is respected)
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, help_heading = "Reporting")]
    pub color: When,
}

/// The flags of a run that decide how a test ends: a command that runs it again has them.
pub(crate) const RERUN: [&str; 21] = [
    "processes",
    "process-timeout",
    "compile-timeout",
    "compile-memory",
    "config",
    "no-config",
    "dir",
    "env",
    "wasm-stack",
    "max-memory",
    "max-table-elements",
    "max-instances",
    "max-open-files",
    "max-output",
    "keep-output",
    "stub-imports",
    "no-std-gaps",
    "max-scratch",
    "max-scratch-entries",
    "no-snapshot",
    "keep-scratch",
];

/// The flags of a selection that say what its programs are taken for: they decide it as well.
pub(crate) const TAKEN_FOR: [&str; 1] = ["side-files"];

/// What it may cost to compile a module.
#[derive(Clone, Debug, Args)]
pub struct CompileArgs {
    /// How much CPU time compiling one module may take, in whole seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Running")]
    pub compile_timeout: u64,

    /// How much memory compiling one module may take
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size::parse, help_heading = "Running")]
    pub compile_memory: u64,
}

/// Which configuration file is read.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// Read this configuration file [default: wasmtest.toml here or in a folder above]
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    pub config: Option<PathBuf>,

    /// Read no configuration file
    #[arg(long, conflicts_with = "config", help_heading = "Running")]
    pub no_config: bool,
}

/// What a guest may reach and use, whatever starts it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Granting")]
pub struct GuestArgs {
    /// Let guests read a folder, or write too; as GUEST, or under its own name and absolute path
    #[arg(long = "dir", value_name = "HOST[::GUEST][:ro|:rw]")]
    pub dirs: Vec<String>,

    /// Give guests a variable, with this value or the one it has here
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,

    /// WebAssembly stack of a guest, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub wasm_stack: u64,

    /// Let modules run whose imports nobody provides; calling such an import is a trap
    #[arg(long)]
    pub stub_imports: bool,

    /// Leave std::env::temp_dir() and std::process::id() as they are on WASI, where both panic
    ///
    /// Otherwise the first gives what TMPDIR says, and the second a number, in a
    /// file in which that can be put right for certain; -v says what was done.
    #[arg(long)]
    pub no_std_gaps: bool,

    /// How much it may take.
    #[command(flatten)]
    pub limits: LimitArgs,
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
