//! The flags of `wasmtest run`, many of which other commands share.

use super::{Given, LimitArgs, MessageFormat, OutputArgs, SelectArgs, When, size};
use clap::{ArgAction, Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

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

    /// Let tests draw the same random numbers in each run, by this seed
    ///
    /// To run a test again that failed with what it drew: each test, and each setup, draws what
    /// follows from the seed. Nothing is random then: not for what guards secrets.
    #[arg(long, value_name = "SEED", help_heading = "Running")]
    pub random_seed: Option<u64>,

    /// How the tests of Rust's test binaries are called.
    #[command(flatten)]
    pub calls: CallArgs,

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
pub(crate) const RERUN: [&str; 24] = [
    "processes",
    "process-timeout",
    "compiler",
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
    "random-seed",
    "libtest",
    "keep-scratch",
];

/// The flags of a selection that say what its programs are taken for: they decide it as well.
pub(crate) const TAKEN_FOR: [&str; 1] = ["side-files"];

/// How tests are called.
#[derive(Clone, Debug, Args)]
pub struct CallArgs {
    /// Insist on how tests of a Rust test binary (libtest) are called; plain takes several times as long
    ///
    /// direct: past libtest's own start-up, in the real start of the program. Which function is
    /// which test libtest proves itself, once a file; where it does not, each test is started
    /// through libtest (plain) unless direct is insisted on, which then is an error. -v says
    /// which it is, and why.
    #[arg(long, value_name = "HOW", value_enum, help_heading = "Running")]
    pub libtest: Option<LibtestHow>,
}

/// A way to call libtest's tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LibtestHow {
    Direct,
    Plain,
}

/// What it may cost to compile a module.
#[derive(Clone, Debug, Args)]
pub struct CompileArgs {
    /// What compiles modules
    ///
    /// auto: Winch, which is done in a fourth of the time, so that tests begin; where what is
    /// still to run is long enough, Cranelift meanwhile, whose code is up to three times as fast,
    /// for the tests that begin after that. A form of a module that is kept is used at once.
    ///
    /// winch, cranelift: that one alone, but that what Winch cannot compile Cranelift does.
    #[arg(long, value_name = "NAME", value_enum, default_value_t = CompilerChoice::Auto, help_heading = "Running")]
    pub compiler: CompilerChoice,

    /// How much CPU time compiling one module may take, in whole seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Running")]
    pub compile_timeout: u64,

    /// How much memory compiling one module may take
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size::parse_to_compile, help_heading = "Running")]
    pub compile_memory: u64,
}

/// Which compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompilerChoice {
    Auto,
    Winch,
    Cranelift,
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
