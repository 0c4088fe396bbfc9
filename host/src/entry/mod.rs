//! Arguments in, exit code out: what the executables do.
//!
//! What `list`, `plan` and `cache` print is no report of events: each has a file here.

mod cache;
mod list;
mod parent;
mod plan;

use crate::cli::advice::{self, Side};
use crate::cli::cargo::CargoWasmtest;
use crate::cli::{Cli, Command, RunArgs, UsageError};
use crate::config::ConfigError;
use crate::exec::{self, NotRun};
use crate::grant::InputError;
use crate::module::compile;
use crate::protocol::{Place, ResultWriter};
use crate::report::{self, Reporter as _, Stdout};
use crate::settings::{Exec, ProcessEnv, Settings};
use crate::{cargo, exit, guardian, primary, resources, runner, signal, text, worker};
use clap::Parser;
use std::ffi::OsString;
use std::fs::File;
use std::io;
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
    let command = part(process).unwrap_or_else(|| typed(process));
    match command {
        Command::Worker | Command::FixtureHost | Command::Compiler => resources::prefer_for_oom(),
        _ => signal::survive_long_files(),
    }
    let result = match command {
        Command::Run(args) => run(&args, process),
        Command::List(args) => list::list(&args, process),
        Command::Plan(args) => plan::plan(&args, process),
        Command::Init(args) => cargo::init::run(&args, process),
        Command::Cache(args) => cache::show(&args),
        Command::Exec(args) => Exec::of(&args, process)
            .map_err(Into::into)
            .and_then(|exec| Ok(exec::run(&exec)?.code))
            // a status that the system masks, not this
            .map(|code| std::process::exit(code)),
        Command::CargoRunner(args) => {
            runner::run(&args, process).map(|code| std::process::exit(code))
        }
        Command::Worker | Command::FixtureHost => tied_channel()
            // its panic is on stderr already
            .and_then(|channel| {
                let on_death = || std::process::exit(101);
                worker::serve(channel, results()?, on_death, Place::OwnProcess)
            })
            .map(|()| exit::OK),
        Command::Compiler => tied_channel()
            .and_then(|(from, to)| compile::serve(from, to, Place::OwnProcess))
            .map(|()| exit::OK),
        // it outlives its primary: it has a fixture to end
        Command::Guardian => channel()
            .and_then(|(from, to)| guardian::serve(from, to))
            .map(|()| exit::OK),
    };
    end(result)
}

/// What a person, or a tool, has typed.
fn typed(process: &ProcessEnv) -> Command {
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
    cli.command
}

/// What a process that a run has started is: it reads no flags, and so knows none of them.
fn part(process: &ProcessEnv) -> Option<Command> {
    let [_, word] = process.args() else {
        return None;
    };
    Command::part(word.to_str()?)
}

/// Says what went wrong, if something did, and leaves.
fn end(result: anyhow::Result<u8>) -> ! {
    let code = result.unwrap_or_else(|error| {
        text::tell(&format!("error: {}", text::Escaped(&format!("{error:#}"))));
        match error.downcast_ref::<NotRun>() {
            Some(not_run) => not_run.code(),
            None if error.is::<UsageError>()
                || error.is::<ConfigError>()
                || error.is::<InputError>() =>
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
    let mut reporters = report::open(&settings.reporting(), Stdout::AsAsked)?;
    let summary = primary::run(&settings, &mut reporters)?;
    reporters.result()?;
    Ok(exit::of(&summary))
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

/// Where a worker writes results, if its primary has made that its stdout: nothing else gets
/// there from now on.
fn results() -> anyhow::Result<Option<ResultWriter>> {
    let results = ResultWriter::open(&io::stdout().as_fd().try_clone_to_owned()?.into());
    if results.is_some() {
        let nowhere = File::options().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(nowhere)?;
    }
    Ok(results)
}

/// The same for a process that ends with its primary.
fn tied_channel() -> anyhow::Result<(io::BufReader<UnixStream>, UnixStream)> {
    let (from, to) = channel()?;
    parent::die_with_the_primary(&to)?;
    Ok((from, to))
}

/// `cargo wasmtest`, as cargo calls it: with its own name as first argument.
pub fn cargo_wasmtest() -> ExitCode {
    let process = ProcessEnv::read();
    let mut args = process.args().iter().skip(1).cloned();
    match args.next() {
        Some(first) if first == "wasmtest" => {
            signal::survive_long_files();
            let name = std::iter::once(OsString::from("cargo wasmtest"));
            let args: CargoWasmtest = advice::parse(name.chain(args), Side::OfCargo);
            end(cargo::command::run(&args, &process))
        }
        // what it starts of itself, or has cargo start
        _ => wasmtest_in(&process),
    }
}
