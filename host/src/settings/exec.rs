//! `wasmtest exec`: what its flags mean.

use super::limits::limits;
use super::{CacheRoot, HostPaths, ProcessEnv, cache_root, env_grant, limit_of, seconds};
use crate::cli::{CargoRunnerArgs, ExecArgs, UsageError, usage};
use crate::grant::{DirGrant, Tmp};
use crate::protocol::{GuestLimits, LimitOf, StdGaps, UnknownImports};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// What is to be run, and what it is granted beside its arguments and its standard
/// streams.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The program.
    pub file: PathBuf,
    /// All of its arguments, `argv[0]` included.
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub dirs: Vec<DirGrant>,
    /// Whether it has a folder of its own.
    pub tmp: Tmp,
    /// WebAssembly stack, in bytes.
    pub wasm_stack: usize,
    /// How much it may take beside that.
    pub limits: GuestLimits,
    /// What is done about unknown imports.
    pub unknown_imports: UnknownImports,
    /// What becomes of what std lacks on WASI.
    pub std_gaps: StdGaps,
    pub cache_root: CacheRoot,
    /// How long it may run; without one, as long as it likes.
    pub timeout: Option<Duration>,
    /// Who set that limit, where it is not `exec`'s own flag.
    pub limit_of: Option<LimitOf>,
    /// What becomes of its output.
    pub output: Output,
    /// Where this process is.
    pub host: HostPaths,
}

/// What becomes of a program's stdout and stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// They are this process's.
    Inherited,
    /// So many bytes of each one's head and of its tail are passed on when it has ended:
    /// whoever reads them holds all of it in memory.
    Bounded {
        /// How many.
        cap: usize,
        /// How it is told apart from what others say in the same stream.
        marks: Option<Marks>,
    },
}

/// How whoever reads a stream tells a guest's words from everybody else's, and learns of
/// what no exit code tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// What every line of a guest's begins with: no guest knows it.
    pub word: String,
    /// A folder in which a file is made for each program that the host ended.
    pub stops: PathBuf,
}

impl Exec {
    /// Resolves `wasmtest exec`'s flags.
    ///
    /// # Errors
    /// For the first value that makes no sense.
    pub fn of(args: &ExecArgs, process: &ProcessEnv) -> Result<Exec, UsageError> {
        let mut program = args.program.iter();
        let file = program.next().map(OsString::as_os_str).unwrap_or_default();
        let called = match &args.argv0 {
            Some(name) => name.clone(),
            None => text(file, "FILE", " (--argv0 gives the program another name)")?,
        };
        let args_of_program = program.map(|arg| text(arg, "ARGS", ""));
        let texts = std::iter::once(Ok(called)).chain(args_of_program);
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let tmp = if args.tmp { Tmp::Own } else { Tmp::Absent };
        let mut env: Vec<(String, String)> = Vec::new();
        for grant in &args.guest.env {
            let (name, value) = env_grant(grant, process)?;
            env.retain(|(n, _)| *n != name);
            env.push((name, value));
        }
        Ok(Exec {
            file: file.into(),
            args: texts,
            env,
            tmp,
            dirs: super::dirs(&args.guest.dirs, tmp, process)?,
            wasm_stack: (args.guest.wasm_stack as usize) << 20,
            limits: limits(&args.guest.limits, GuestLimits::OF_PROGRAMS)?,
            unknown_imports: UnknownImports::stubbed(args.guest.stub_imports),
            std_gaps: StdGaps::left(args.guest.no_std_gaps),
            cache_root: cache_root(args.cache_dir.as_deref())?,
            timeout: match &args.timeout {
                Some(text) => Some(seconds("--timeout", text)?),
                None => None,
            },
            limit_of: None,
            output: Output::Inherited,
            host: process.host_paths(),
        })
    }

    /// Resolves the call of a program that cargo hands over, without what cargo grants.
    ///
    /// # Errors
    /// As [`Exec::of`].
    pub fn for_cargo(args: &CargoRunnerArgs, process: &ProcessEnv) -> Result<Exec, UsageError> {
        let timeout = args.process_timeout.clone().filter(|t| !t.is_empty());
        let limit_of = limit_of(timeout.as_deref(), process);
        let args = ExecArgs {
            program: args.call.clone(),
            guest: args.guest.clone(),
            // tests start programs, and expect of them what they expect of each other
            tmp: true,
            timeout,
            cache_dir: args.cache_dir.clone(),
            argv0: None,
        };
        let exec = Exec::of(&args, process)?;
        Ok(Exec {
            limit_of: Some(limit_of),
            ..exec
        })
    }
}

/// An argument as the program is told it.
fn text(arg: &OsStr, what: &'static str, instead: &str) -> Result<String, UsageError> {
    match arg.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => {
            let text = arg.to_string_lossy();
            usage(
                what,
                format!("`{text}` is not Unicode, as WASI wants it{instead}"),
            )
        }
    }
}
