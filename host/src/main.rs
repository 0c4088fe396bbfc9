//! Arguments in, exit code out.

use clap::Parser;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use wasmtest::cli::{CacheAction, CacheArgs, Cli, Command, ListArgs, MessageFormat, RunArgs};
use wasmtest::module::cache::{self, Cache};
use wasmtest::report::{console, json, text};
use wasmtest::settings::{self, Settings, UsageError};
use wasmtest::{exit, module, primary, worker};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::List(args) => list(&args),
        Command::Cache(args) => show_cache(&args),
        Command::Worker => channel()
            .and_then(|(from, to)| worker::serve(from, to))
            .map(|()| exit::OK),
        Command::Compiler => channel()
            .and_then(|(from, to)| module::compile::serve(from, to))
            .map(|()| exit::OK),
    };
    let code = result.unwrap_or_else(|error| {
        eprintln!("error: {}", text::Escaped(&format!("{error:#}")));
        match error.is::<UsageError>() {
            true => exit::USAGE,
            false => exit::LOAD,
        }
    });
    // a guest's thread may still run, and nothing here is worth waiting for
    let _ = io::stdout().flush();
    std::process::exit(i32::from(code));
}

fn run(args: &RunArgs) -> anyhow::Result<u8> {
    let settings = Settings::for_run(args)?;
    let out = BufWriter::new(io::stdout());
    let summary = match settings.message_format {
        MessageFormat::Human => {
            primary::run(&settings, &mut console::Console::new(out, &settings))?
        }
        MessageFormat::Json => primary::run(&settings, &mut json::Json::new(out))?,
    };
    Ok(exit::of(&summary))
}

fn list(args: &ListArgs) -> anyhow::Result<u8> {
    let settings = Settings::for_list(&args.select)?;
    // what could not be listed is told on stderr: stdout is the list
    let mut trouble = console::Trouble::new(io::stderr(), &settings);
    let (summary, mut found) = primary::list(&settings, &mut trouble)?;
    found.sort_by_key(|l| l.test.order);
    let mut out = BufWriter::new(io::stdout());
    match args.message_format {
        MessageFormat::Human => {
            // a reader that is gone wants no more
            let _ = console::write_list(&mut out, found.iter().map(|l| &*l.test.info));
        }
        MessageFormat::Json => {
            for listed in &found {
                json::write_line(&mut out, &json::listed(&listed.test.info, &listed.listed));
            }
        }
    }
    Ok(match (summary.modules_failed, found.is_empty()) {
        (0, false) => exit::OK,
        (0, true) => exit::NOTHING,
        _ => exit::LOAD,
    })
}

fn show_cache(args: &CacheArgs) -> anyhow::Result<u8> {
    let cache = Cache::open(&settings::cache_root(args.cache_dir.as_deref())?)?;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    match args.action.unwrap_or(CacheAction::Show) {
        CacheAction::Show => {
            let usage = cache.usage()?;
            println!("{}", cache.dir().display());
            println!("{} compiled modules, {}", usage.artefacts, mib(usage.bytes));
            println!(
                "bounded to {} and {} days without use",
                mib(cache::MAX_BYTES),
                cache::MAX_AGE.as_secs() / 86_400
            );
        }
        CacheAction::Clear => {
            let usage = cache.clear()?;
            println!(
                "removed {} compiled modules, {}",
                usage.artefacts,
                mib(usage.bytes)
            );
        }
    }
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
