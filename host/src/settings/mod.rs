//! What a run is to do, resolved from flags, variables and `wasmtest.toml`.
//!
//! Everything else takes a [`Settings`]; nothing else reads a flag, and variables come from
//! [`ProcessEnv`] alone. A value that makes no sense is an error that names its flag.

mod cache_root;
mod exec;
mod libtest;
mod limits;
mod process_env;
mod reports;
mod rerun;
mod selection;

pub use cache_root::{CacheRoot, Chosen, cache_root};
pub use exec::{Exec, Marks, Output};
pub use limits::limits_of_tests;
pub use process_env::{HostPaths, ProcessEnv};
pub use reports::{ReportFile, Reporting, report_files};
pub(crate) use rerun::rerun;
pub use selection::{Selection, Silence, TestFile};

use crate::cli::cargo::CargoRest;
use crate::cli::{
    CallArgs, CompileArgs, CompilerChoice, ConfigArgs, Given, GuestArgs, LibtestHow, ListArgs,
    MessageFormat, PlanArgs, RunArgs, RunOptions, UsageError, When, usage,
};
use crate::config::{self, Config, ConfigError};
use crate::grant::{DirGrant, HowToGrant, InputError, Tmp, folders};
use crate::protocol::{
    CompileLimits, Compiler, Compilers, DEFAULT_WASM_STACK, GuestLimits, Keep, LibtestCalls,
    LimitOf, MaxScratch, Outputs, StdGaps, UnknownImports,
};
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::time::Duration;
use wasmtest_section::LONGEST_TIMEOUT;

/// Where tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// In this process.
    Primary,
    /// On as many worker processes.
    Workers(usize),
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Only the summary.
    Quiet,
    /// A dot a test.
    Normal,
    /// A line a test.
    Verbose,
}

/// How a test that did not pass changes the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxFail {
    /// Not at all.
    Unlimited,
    /// After as many, nothing new is started.
    After(u64),
}

/// A resolved run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which tests.
    pub selection: Selection,
    /// Where they run.
    pub processes: Processes,
    /// How long a test may run that does not say so itself.
    pub timeout: Duration,
    /// How long any test may run, whatever it says itself.
    pub max_timeout: Duration,
    /// Who set these limits.
    pub limit_of: LimitOf,
    /// How long the whole run may take, if that is limited.
    pub run_timeout: Option<Duration>,
    /// When to stop early.
    pub max_fail: MaxFail,
    pub dirs: Vec<DirGrant>,
    /// How more folders can be granted, in the mode in which this runs.
    pub how_to_grant: HowToGrant,
    /// The environment granted.
    pub env: Vec<(String, String)>,
    /// WebAssembly stack, in bytes.
    pub wasm_stack: usize,
    /// How much a guest may take beside that.
    pub limits: GuestLimits,
    /// What is kept of the beginning of each stream of a test's, and again of its end, in bytes.
    pub keep_output: usize,
    /// What is done about unknown imports.
    pub unknown_imports: UnknownImports,
    /// What becomes of what std lacks on WASI.
    pub std_gaps: StdGaps,
    /// How libtest's tests are called.
    pub libtest: LibtestCalls,
    /// What it may cost to compile a module.
    pub compile: CompileLimits,
    /// Which compilers may be used.
    pub compilers: Compilers,
    /// Whether states of split fixtures are kept.
    pub snapshots: Snapshots,
    /// Whose output is reported.
    pub outputs: Outputs,
    /// From what the random numbers of each test follow, if they are to be the same each time.
    pub random_seed: Option<u64>,
    /// The order in which tests are begun: the plan's, or one that follows from a seed.
    pub shuffle: Option<u64>,
    /// How much each scratch folder may hold.
    pub max_scratch: MaxScratch,
    /// What becomes of scratch folders.
    pub keep_scratch: Keep,
    /// What `wasmtest.toml` says.
    pub config: Config,
    /// Where this process is.
    pub host: HostPaths,
    /// What is printed.
    pub message_format: MessageFormat,
    /// What is written to files besides.
    pub reports: Vec<ReportFile>,
    /// How much is said.
    pub verbosity: Verbosity,
    /// Whether to use colour.
    pub color: bool,
    /// Whether a person watches: a bar may move.
    pub progress: bool,
    /// The flags that a command needs to run a test again in the same mode.
    pub rerun: String,
}

/// Whether the state after a split fixture's setup is kept and replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshots {
    /// Where that can be done.
    On,
    /// The setup is run again for each test.
    Off,
}

/// How long a test may run unless asked for otherwise: unoptimised wasm is slow,
/// and a false timeout is worse than a late one.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How much of each stream is kept at its head, and again at its tail.
pub const CAPTURE: usize = 256 << 10;

impl Settings {
    /// Resolves `wasmtest run`'s flags.
    ///
    /// # Errors
    /// For the first value that makes no sense.
    pub fn for_run(args: &RunArgs, process: &ProcessEnv) -> Result<Settings, InputError> {
        let base = Settings::base(Selection::new(&args.select)?, process);
        let mut settings = base.with(&args.options, process)?;
        settings.rerun.push_str(&rerun::of_selection(&args.select));
        settings.config = configuration(&args.options.configuration, process)?;
        settings.refuse_reports()?;
        Ok(settings)
    }

    /// Resolves what stands after `cargo wasmtest --`, for files that were built.
    ///
    /// # Errors
    /// For the first value that makes no sense.
    pub fn for_cargo(
        rest: &CargoRest,
        filter: Option<&String>,
        files: Vec<TestFile>,
        config: Config,
        process: &ProcessEnv,
    ) -> Result<Settings, UsageError> {
        let filters: Vec<String> = filter.into_iter().chain(&rest.filters).cloned().collect();
        let mut selection = Selection::of(Vec::new(), &filters, &rest.matching)?;
        selection.files = files;
        let settings = Settings {
            config,
            how_to_grant: HowToGrant::Rw,
            ..Settings::base(selection, process).with(&rest.options, process)?
        };
        settings.refuse_reports()?;
        Ok(settings)
    }

    /// What `wasmtest list` needs of a run.
    ///
    /// # Errors
    /// For the first value that makes no sense.
    pub fn for_list(args: &ListArgs, process: &ProcessEnv) -> Result<Settings, InputError> {
        let base = Settings::base(Selection::new(&args.select)?, process);
        Ok(Settings {
            processes: processes("auto", process)?,
            libtest: libtest_calls(&args.calls),
            compile: compile_limits(&args.compile),
            compilers: compilers(&args.compile),
            config: configuration(&args.configuration, process)?,
            rerun: rerun::of_a_list(args),
            verbosity: match args.verbose {
                true => Verbosity::Verbose,
                false => Verbosity::Normal,
            },
            ..base
        })
    }

    /// What `wasmtest plan` needs of a run.
    ///
    /// # Errors
    /// For the first value that makes no sense.
    pub fn for_plan(args: &PlanArgs, process: &ProcessEnv) -> Result<Settings, InputError> {
        let base = Settings::base(Selection::new(&args.select)?, process);
        Ok(Settings {
            processes: processes(&args.processes, process)?,
            compile: compile_limits(&args.compile),
            compilers: compilers(&args.compile),
            snapshots: Snapshots::unless(args.no_snapshot),
            config: configuration(&args.configuration, process)?,
            ..base
        })
    }

    /// A run for which nothing was asked but these files and tests, and that says nothing.
    fn base(selection: Selection, process: &ProcessEnv) -> Settings {
        Settings {
            selection,
            processes: Processes::Primary,
            timeout: DEFAULT_TIMEOUT,
            max_timeout: LONGEST_TIMEOUT,
            limit_of: LimitOf::Default,
            run_timeout: None,
            max_fail: MaxFail::Unlimited,
            dirs: Vec::new(),
            how_to_grant: HowToGrant::Dir,
            env: Vec::new(),
            wasm_stack: DEFAULT_WASM_STACK,
            limits: GuestLimits::OF_TESTS,
            keep_output: CAPTURE,
            unknown_imports: UnknownImports::Trap,
            std_gaps: StdGaps::Filled,
            libtest: LibtestCalls::WhereProved,
            compile: CompileLimits::DEFAULT,
            compilers: Compilers::Auto,
            snapshots: Snapshots::On,
            outputs: Outputs::NotPassed,
            random_seed: None,
            shuffle: None,
            max_scratch: MaxScratch::DEFAULT,
            keep_scratch: Keep::Nothing,
            config: Config::default(),
            host: process.host_paths(),
            message_format: MessageFormat::Human,
            reports: Vec::new(),
            verbosity: Verbosity::Normal,
            color: false,
            progress: false,
            rerun: String::new(),
        }
    }

    /// The same with the flags that every way of running tests has.
    fn with(self, args: &Given<RunOptions>, process: &ProcessEnv) -> Result<Settings, UsageError> {
        let color = match args.color {
            When::Always => true,
            When::Never => false,
            When::Auto => process.allows_color() && std::io::stdout().is_terminal(),
        };
        let limit = args.process_timeout.as_deref();
        let settings = self
            .limited_to(limit, process)?
            .granting(&args.guest, process)?;
        let mut limits = settings.limits;
        if let Some(output) = limits::max_output(&args.output)? {
            limits.output = output;
        }
        Ok(Settings {
            limits,
            keep_output: limits::keep_output(&args.output)?,
            processes: processes(&args.processes, process)?,
            max_fail: match (args.fail_fast, args.max_fail) {
                (true, _) => MaxFail::After(1),
                (false, Some(n)) => MaxFail::After(n),
                (false, None) => MaxFail::Unlimited,
            },
            run_timeout: match args.run_timeout.as_deref() {
                None => None,
                Some(text) => Some(seconds("--run-timeout", text)?),
            },
            compile: compile_limits(&args.compile),
            compilers: compilers(&args.compile),
            snapshots: Snapshots::unless(args.no_snapshot),
            libtest: libtest_calls(&args.calls),
            random_seed: args.random_seed,
            outputs: match args.show_output {
                true => Outputs::All,
                false => Outputs::NotPassed,
            },
            max_scratch: MaxScratch {
                bytes: args.max_scratch,
                entries: args.max_scratch_entries,
            },
            keep_scratch: match args.keep_scratch {
                true => Keep::Failed,
                false => Keep::Nothing,
            },
            message_format: args.message_format,
            reports: report_files(&args.reports)?,
            verbosity: match (args.quiet, args.verbose) {
                (true, _) => Verbosity::Quiet,
                (_, true) => Verbosity::Verbose,
                _ => Verbosity::Normal,
            },
            color,
            progress: args.message_format == MessageFormat::Human
                && !args.quiet
                && std::io::stdout().is_terminal()
                && std::io::stderr().is_terminal()
                && process.var_os("TERM").is_none_or(|t| t != "dumb"),
            rerun: rerun(args),
            ..settings
        })
    }

    /// The same with a limit for each test, if one is given that is not empty. What the user
    /// asks for holds for everybody; a test may lower it.
    fn limited_to(self, text: Option<&str>, process: &ProcessEnv) -> Result<Settings, UsageError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(self);
        };
        let limit = timeout(text)?;
        Ok(Settings {
            timeout: limit,
            max_timeout: limit,
            limit_of: limit_of(Some(text), process),
            ..self
        })
    }

    /// The same with what guests are given.
    fn granting(self, guest: &GuestArgs, process: &ProcessEnv) -> Result<Settings, UsageError> {
        Ok(Settings {
            dirs: dirs(&guest.dirs, Tmp::Own, process)?,
            env: env_grants(&guest.env, process)?,
            wasm_stack: (guest.wasm_stack as usize) << 20,
            limits: limits_of_tests(&guest.limits)?,
            unknown_imports: UnknownImports::stubbed(guest.stub_imports),
            std_gaps: StdGaps::left(guest.no_std_gaps),
            ..self
        })
    }

    /// All folders that some test is granted, as far as that is known before it runs.
    pub fn granted(&self) -> Vec<&DirGrant> {
        let files = self.selection.files.iter();
        let of_files = files.flat_map(|file| &file.grants.dirs);
        self.dirs.iter().chain(of_files).collect()
    }
}

/// What `--libtest` asks for.
fn libtest_calls(args: &CallArgs) -> LibtestCalls {
    match args.libtest {
        None => LibtestCalls::WhereProved,
        Some(LibtestHow::Direct) => LibtestCalls::Directly,
        Some(LibtestHow::Plain) => LibtestCalls::Plainly,
    }
}

impl Snapshots {
    fn unless(off: bool) -> Snapshots {
        match off {
            true => Snapshots::Off,
            false => Snapshots::On,
        }
    }
}

fn compile_limits(args: &CompileArgs) -> CompileLimits {
    CompileLimits {
        seconds: args.compile_timeout,
        memory: args.compile_memory,
    }
}

/// What `--compiler` asks for.
fn compilers(args: &CompileArgs) -> Compilers {
    match args.compiler {
        CompilerChoice::Auto => Compilers::Auto,
        CompilerChoice::Winch => Compilers::Only(Compiler::Winch),
        CompilerChoice::Cranelift => Compilers::Only(Compiler::Cranelift),
    }
}

/// What `wasmtest.toml` says, where these flags have it looked for.
///
/// # Errors
/// If it cannot be read or does not make sense.
pub fn configuration(args: &ConfigArgs, process: &ProcessEnv) -> Result<Config, ConfigError> {
    let source = match (&args.config, args.no_config) {
        (_, true) => config::ConfigSource::Nowhere,
        (Some(file), false) => config::ConfigSource::File(file.clone()),
        (None, false) => config::ConfigSource::Search,
    };
    Config::load(&source, process.current_dir().ok())
}

/// What the nearest `wasmtest.toml` says, where no flag can name another.
///
/// # Errors
/// As [`configuration`].
pub fn nearest_configuration(process: &ProcessEnv) -> Result<Config, ConfigError> {
    Config::load(&config::ConfigSource::Search, process.current_dir().ok())
}

/// The variable that stands for `--processes`.
const PROCESSES: &str = "WASMTEST_PROCESSES";

/// Whether this is the text of a variable that is there and empty, which is none.
fn is_unset(text: &str, variable: &str, process: &ProcessEnv) -> bool {
    text.is_empty() && process.var_os(variable).is_some_and(OsStr::is_empty)
}

fn processes(text: &str, process: &ProcessEnv) -> Result<Processes, UsageError> {
    let cpus = || {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Processes::Workers(cpus)
    };
    match (text, text.parse::<usize>()) {
        ("auto" | "-1", _) => Ok(cpus()),
        (text, _) if is_unset(text, PROCESSES, process) => Ok(cpus()),
        (_, Ok(0)) => Ok(Processes::Primary),
        (_, Ok(n)) if n <= 1024 => Ok(Processes::Workers(n)),
        _ => usage(
            "--processes (WASMTEST_PROCESSES)",
            format!("`{text}` is neither a number up to 1024 nor `auto` nor -1"),
        ),
    }
}

/// The variable that stands for `--process-timeout`.
const TIMEOUT: &str = "WASMTEST_PROCESS_TIMEOUT";

fn timeout(text: &str) -> Result<Duration, UsageError> {
    seconds("--process-timeout (WASMTEST_PROCESS_TIMEOUT)", text)
}

/// Who set the limit that is given, if one is: the flag, or the variable in its place.
fn limit_of(text: Option<&str>, process: &ProcessEnv) -> LimitOf {
    match text {
        None | Some("") => LimitOf::Default,
        Some(text) if process.var(TIMEOUT) == Some(text) => LimitOf::Variable,
        Some(_) => LimitOf::Flag,
    }
}

fn seconds(flag: &'static str, text: &str) -> Result<Duration, UsageError> {
    match text.parse::<f64>() {
        // what is no nanosecond is no time
        Ok(s) if (1e-9..=1e9).contains(&s) => Ok(Duration::from_secs_f64(s)),
        _ => usage(
            flag,
            format!("`{text}` is no number of seconds above 0 and up to 1e9"),
        ),
    }
}

/// A test's environment: what is granted, and where its own folder is.
fn env_grants(
    grants: &[String],
    process: &ProcessEnv,
) -> Result<Vec<(String, String)>, UsageError> {
    let mut env: Vec<(String, String)> = Vec::new();
    for grant in grants {
        let (name, value) = env_grant(grant, process)?;
        env.retain(|(n, _)| *n != name);
        env.push((name, value));
    }
    Ok(env)
}

/// The folders that `--dir` grants.
fn dirs(texts: &[String], tmp: Tmp, process: &ProcessEnv) -> Result<Vec<DirGrant>, UsageError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let here = process
        .current_dir()
        .or_else(|e| usage("--dir", format!("the current folder cannot be told: {e}")))?;
    folders::grants(texts, here, tmp)
}

/// `NAME=VALUE`, or the `NAME` of a variable that has its value here.
///
/// # Errors
/// If it has none, or names no variable.
pub(crate) fn env_grant(text: &str, process: &ProcessEnv) -> Result<(String, String), UsageError> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => match process.var_os(text).map(OsStr::to_str) {
            Some(Some(value)) => (text, value.to_owned()),
            None => {
                return usage(
                    "--env",
                    format!("`{text}` is not set here; give it a value: {text}=VALUE"),
                );
            }
            Some(None) => {
                return usage(
                    "--env",
                    format!("the value of `{text}` here is not Unicode"),
                );
            }
        },
    };
    if name.is_empty() || name.contains('\0') || value.contains('\0') {
        return usage("--env", format!("`{text}` names no variable"));
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn processes_are_a_number_or_auto() {
        let cpus = std::thread::available_parallelism().expect("known").get();
        let nothing = ProcessEnv::made_up(&[], Path::new("/"));
        let processes = |text| super::processes(text, &nothing);
        assert_eq!(processes("auto").expect("valid"), Processes::Workers(cpus));
        assert_eq!(processes("-1").expect("valid"), Processes::Workers(cpus));
        assert_eq!(processes("0").expect("valid"), Processes::Primary);
        assert_eq!(processes("3").expect("valid"), Processes::Workers(3));
        for bad in ["", "-2", "x", "1.5", "99999999999999999999", "2000"] {
            assert!(processes(bad).is_err(), "{bad}");
        }
        // a variable that is empty is none
        let empty = ProcessEnv::made_up(&[(PROCESSES, "")], Path::new("/"));
        let all = super::processes("", &empty).expect("valid");
        assert_eq!(all, Processes::Workers(cpus));
    }

    #[test]
    fn a_limit_is_the_variables_where_that_says_the_same() {
        let process = ProcessEnv::made_up(&[(TIMEOUT, "5")], Path::new("/"));
        assert_eq!(limit_of(None, &process), LimitOf::Default);
        assert_eq!(limit_of(Some("5"), &process), LimitOf::Variable);
        assert_eq!(limit_of(Some("6"), &process), LimitOf::Flag);
    }

    #[test]
    fn a_variable_without_a_value_has_the_one_that_it_has_here() {
        let process = ProcessEnv::made_up(&[("A", "1")], Path::new("/"));
        let of = |text| env_grant(text, &process).ok();
        let is = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        assert_eq!(of("A"), is("A", "1"));
        assert_eq!(of("A=2"), is("A", "2"));
        for none in ["B", "=1", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn timeouts_are_seconds_above_zero() {
        assert_eq!(timeout("0.25").expect("valid"), Duration::from_millis(250));
        for bad in ["0", "-1", "nan", "inf", "1e300", "soon"] {
            assert!(timeout(bad).is_err(), "{bad}");
        }
    }
}
