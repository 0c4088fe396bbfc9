//! Arguments in, exit code out: what the executables do.

use crate::cli::advice::{self, Side};
use crate::cli::cargo::CargoWasmtest;
use crate::cli::{
    CacheAction, CacheArgs, Cli, Command, ListArgs, MessageFormat, PlanArgs, RunArgs, UsageError,
};
use crate::config::ConfigError;
use crate::exec::{self, NotRun};
use crate::module::cache::{self, Cache, Usage};
use crate::module::{self};
use crate::plan::tree::{Detail, host_fixtures, tree};
use crate::report::output::Output;
use crate::report::{Reporter, console, json};
use crate::settings::{self, Exec, ProcessEnv, Settings, SettingsError};
use crate::{cargo, exit, guardian, primary, runner, text, worker};
use anyhow::Context as _;
use clap::Parser;
use std::ffi::OsString;
use std::io::{self, BufWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

/// `wasmtest`; also every process that a run starts of either executable.
pub fn wasmtest() -> ExitCode {
    wasmtest_in(&ProcessEnv::read())
}

fn wasmtest_in(process: &ProcessEnv) -> ExitCode {
    if let Some(code) = cargo::stand_ins::wrapper(process) {
        std::process::exit(code);
    }
    let cli = Cli::try_parse_from(cargo::rustdoc::arguments(process)).unwrap_or_else(|error| {
        let first = process.args().get(1).map(PathBuf::from);
        let is_file = first.is_some_and(|f| f.extension().is_some_and(|e| e == "wasm"));
        if error.kind() == clap::error::ErrorKind::InvalidSubcommand && is_file {
            let _ = error.print();
            text::tell("hint: cargo's runner is `wasmtest cargo-runner`; by hand, `wasmtest run FILE` runs tests and `wasmtest exec FILE` a program");
            std::process::exit(error.exit_code());
        }
        error.exit()
    });
    let result = match cli.command {
        Command::Run(args) => run(&args, process),
        Command::List(args) => list(&args, process),
        Command::Plan(args) => plan(&args, process),
        Command::Init(args) => cargo::init::run(&args, process),
        Command::Cache(args) => show_cache(&args),
        Command::Exec(args) => Exec::of(&args, process)
            .map_err(Into::into)
            .and_then(|exec| Ok(exec::run(&exec)?.code))
            // a status that the system masks, not this
            .map(|code| std::process::exit(code)),
        Command::CargoRunner(args) => {
            runner::run(&args, process).map(|code| std::process::exit(code))
        }
        Command::Worker | Command::FixtureHost => channel()
            // its panic is on stderr already
            .and_then(|(from, to)| worker::serve(from, to, || std::process::exit(101)))
            .map(|()| exit::OK),
        Command::Compiler => channel()
            .and_then(|(from, to)| module::compile::serve(from, to))
            .map(|()| exit::OK),
        Command::Guardian => channel()
            .and_then(|(from, to)| guardian::serve(from, to))
            .map(|()| exit::OK),
    };
    end(result)
}

/// Says what went wrong, if something did, and leaves.
fn end(result: anyhow::Result<u8>) -> ! {
    let code = result.unwrap_or_else(|error| {
        text::tell(&format!("error: {}", text::Escaped(&format!("{error:#}"))));
        match error.downcast_ref::<NotRun>() {
            Some(not_run) => not_run.code(),
            None if error.is::<UsageError>()
                || error.is::<ConfigError>()
                || error.is::<SettingsError>() =>
            {
                exit::USAGE
            }
            None => exit::LOAD,
        }
    });
    // a guest's thread may still run, and nothing here is worth waiting for
    std::process::exit(i32::from(code));
}

fn run(args: &RunArgs, process: &ProcessEnv) -> anyhow::Result<u8> {
    let settings = Settings::for_run(args, process)?;
    let out = BufWriter::new(io::stdout());
    let mut reporter: Box<dyn Reporter> = match settings.message_format {
        MessageFormat::Human => Box::new(console::Console::new(out, &settings)),
        MessageFormat::Json => Box::new(json::Json::new(out)),
    };
    let summary = primary::run(&settings, reporter.as_mut())?;
    reporter.result().context("the results cannot be written")?;
    Ok(exit::of(&summary))
}

fn list(args: &ListArgs, process: &ProcessEnv) -> anyhow::Result<u8> {
    let settings = Settings::for_list(args, process)?;
    let mut trouble = console::Trouble::new(&settings);
    let (summary, mut found) = primary::list(&settings, &mut trouble)?;
    found.sort_by_key(|t| t.order);
    let mut out = Output::new(BufWriter::new(io::stdout()));
    match args.message_format {
        MessageFormat::Human => {
            console::write_list(&mut out, found.iter().map(|t| &*t.info));
        }
        MessageFormat::Json => {
            for test in &found {
                let value = json::listed(&test.info, &test.listed);
                json::write_line(&mut out, &value);
            }
        }
    }
    out.result().context("the list cannot be written")?;
    Ok(match (summary.modules_failed, found.is_empty()) {
        (0, false) => exit::OK,
        (0, true) => exit::NOTHING,
        _ => exit::LOAD,
    })
}

fn plan(args: &PlanArgs, process: &ProcessEnv) -> anyhow::Result<u8> {
    let settings = Settings::for_plan(args, process)?;
    let detail = match args.verbose {
        true => Detail::Tests,
        false => Detail::Suites,
    };
    let mut trouble = console::Trouble::new(&settings);
    let (summary, mut plans) = primary::plan(&settings, &mut trouble)?;
    plans.sort_by_key(|p| p.order);
    let mut out = Output::new(BufWriter::new(io::stdout()));
    for p in &plans {
        let why = &p.no_snapshots;
        let mut lines = tree(&p.module, &p.plan, &p.furniture, why, p.splitting, detail);
        lines.extend(host_fixtures(&p.host_fixtures, detail));
        console::write_plan(&mut out, &lines);
    }
    out.result().context("the plan cannot be written")?;
    let nothing = plans.iter().all(|p| p.plan.tests() == 0);
    Ok(match (summary.modules_failed, nothing) {
        (0, false) => exit::OK,
        (0, true) => exit::NOTHING,
        _ => exit::LOAD,
    })
}

fn show_cache(args: &CacheArgs) -> anyhow::Result<u8> {
    let root = settings::cache_root(args.cache_dir.as_deref())?;
    let amount = |usage: Usage| {
        let modules = if usage.artefacts == 1 {
            "module"
        } else {
            "modules"
        };
        let mib = usage.bytes as f64 / f64::from(1 << 20);
        format!("{} compiled {modules}, {mib:.1} MiB", usage.artefacts)
    };
    let text = match (args.action.unwrap_or(CacheAction::Show), root.exists()) {
        // looking makes nothing
        (_, false) => format!("{}\nnothing is kept there yet\n", root.display()),
        (CacheAction::Show, true) => {
            let cache = Cache::open(&root)?;
            let days = cache::MAX_AGE.as_secs() / 86_400;
            format!(
                "{}\n{}\nbounded to {} GiB and {days} days without use\n",
                cache.dir().display(),
                amount(cache.usage()?),
                cache::MAX_BYTES >> 30,
            )
        }
        (CacheAction::Clear, true) => format!("removed {}\n", amount(Cache::open(&root)?.clear()?)),
    };
    let mut out = Output::new(io::stdout());
    out.write(text.as_bytes());
    out.result().context("it cannot be written")?;
    Ok(exit::OK)
}

/// The channel to the primary: a socket that is this process's stdin.
fn channel() -> anyhow::Result<(io::BufReader<UnixStream>, UnixStream)> {
    let stdin: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let to = UnixStream::from(stdin);
    anyhow::ensure!(
        to.peer_addr().is_ok(),
        "this is a part of `wasmtest run`, which starts it by itself"
    );
    Ok((io::BufReader::new(to.try_clone()?), to))
}

/// `cargo wasmtest`, as cargo calls it: with its own name as first argument.
pub fn cargo_wasmtest() -> ExitCode {
    let process = ProcessEnv::read();
    let mut args = process.args().iter().skip(1).cloned();
    match args.next() {
        Some(first) if first == "wasmtest" => {
            let name = std::iter::once(OsString::from("cargo wasmtest"));
            let args: CargoWasmtest = advice::parse(name.chain(args), Side::OfCargo);
            end(cargo::command::run(&args, &process))
        }
        // what it starts of itself, or has cargo start
        _ => wasmtest_in(&process),
    }
}
