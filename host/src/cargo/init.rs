//! `wasmtest init`: makes this program cargo's runner for WASI, in `.cargo/config.toml`.
//!
//! Shows the lines that it adds before it writes them; what else stands in the
//! file stays as it is, comments included. A runner that somebody else has set is
//! not replaced unless that is asked for.

use super::target::{WASIP1, WASIP2};
use crate::cli::{InitArgs, UsageError};
use crate::exit;
use crate::settings::ProcessEnv;
use crate::text::{self, Escaped};
use anyhow::{Context as _, bail};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use toml_edit::{Array, DocumentMut, Item, Table, value};

/// What a configuration file is to become.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    /// Its new text.
    text: String,
    /// The lines of it that are new, or changed.
    shown: Vec<String>,
}

/// Shows the change and makes it.
///
/// # Errors
/// If there is no package here, or the file cannot be read, understood or written.
pub fn run(args: &InitArgs, process: &ProcessEnv) -> anyhow::Result<u8> {
    let root = match &args.dir {
        Some(dir) if dir.is_dir() => dir.clone(),
        Some(dir) => {
            return Err(UsageError {
                flag: "--dir",
                why: format!("there is no folder {}", dir.display()),
            }
            .into());
        }
        None => workspace(process)?,
    };
    let file = root.join(".cargo/config.toml");
    let old_name = root.join(".cargo/config");
    if !file.exists() && old_name.exists() {
        bail!(
            "{}: cargo reads this file in place of config.toml; rename it first",
            old_name.display()
        );
    }
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e).with_context(|| format!("{} cannot be read", file.display())),
    };
    let change =
        change(&before, args.force).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    let Some(change) = change else {
        println!("{} names wasmtest as runner already", file.display());
        return Ok(exit::OK);
    };
    println!("{}", file.display());
    for line in &change.shown {
        println!("{}", Escaped(line));
    }
    if args.dry_run {
        return Ok(exit::OK);
    }
    match (args.yes, io::stdin().is_terminal()) {
        (true, _) => {}
        (false, true) if agreed()? => {}
        (false, true) => {
            println!("nothing was changed");
            return Ok(exit::OK);
        }
        (false, false) => {
            return Err(UsageError {
                flag: "init",
                why: "nothing was changed, since nobody can be asked here; --yes writes it".into(),
            }
            .into());
        }
    }
    write(&file, &change.text).with_context(|| format!("{} cannot be written", file.display()))?;
    println!("written: `cargo test --target {WASIP1}` runs its tests with wasmtest now");
    if !on_the_path(process) {
        text::tell("note: `wasmtest` is not on the PATH, where cargo looks for it");
    }
    Ok(exit::OK)
}

/// The folder of the workspace here: where cargo's configuration of a whole project lies.
fn workspace(process: &ProcessEnv) -> anyhow::Result<PathBuf> {
    let here = process.current_dir();
    let here = here.context("the current folder cannot be told")?;
    let package = here.ancestors().find(|f| f.join("Cargo.toml").is_file());
    match package {
        Some(package) => Ok(crate::config::manifest::around(package)?.0),
        None => Err(UsageError {
            flag: "init",
            why: "there is no Cargo.toml here or in a folder above; --dir names a folder".into(),
        }
        .into()),
    }
}

/// What to write; `None` if nothing has to be changed.
fn change(before: &str, force: bool) -> Result<Option<Change>, String> {
    let mut document: DocumentMut = before
        .parse()
        .map_err(|e: toml_edit::TomlError| format!("it is no TOML: {}", e.message()))?;
    let ours = || -> Array { ["wasmtest", "cargo-runner"].into_iter().collect() };
    let targets = document
        .entry("target")
        .or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        })
        .as_table_like_mut()
        .ok_or("`target` is no table")?;
    let mut changed = false;
    for name in [WASIP1, WASIP2] {
        let target = targets
            .entry(name)
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()
            .ok_or(format!("`target.{name}` is no table"))?;
        match target.get("runner") {
            Some(runner) if is_ours(runner) => continue,
            Some(runner) if !force => {
                return Err(format!(
                    "`target.{name}.runner` is {} already; --force replaces it",
                    runner.to_string().trim()
                ));
            }
            _ => {}
        }
        target.insert("runner", value(ours()));
        changed = true;
    }
    if !changed {
        return Ok(None);
    }
    let mut text = document.to_string();
    let old: Vec<&str> = before.lines().collect();
    let new: Vec<&str> = text.lines().collect();
    let gone = old
        .iter()
        .filter(|line| !line.is_empty() && !new.contains(line));
    let gone: Vec<String> = gone.map(|line| format!("  - {line}")).collect();
    let kept = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| match old.contains(&line) {
            true => format!("    {line}"),
            false => format!("  + {line}"),
        });
    let shown = gone.into_iter().chain(kept).collect();
    // TOML is written with one kind of line end, and the file may have the other
    if before.contains("\r\n") {
        text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    Ok(Some(Change { shown, text }))
}

/// Whether a runner is this program, however it is written.
fn is_ours(runner: &Item) -> bool {
    let words: Vec<String> = match (runner.as_str(), runner.as_array()) {
        (Some(text), _) => text.split_whitespace().map(str::to_owned).collect(),
        (_, Some(list)) => list
            .iter()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect(),
        _ => return false,
    };
    let program = words
        .first()
        .map(|p| Path::new(p).file_stem().unwrap_or_default() == "wasmtest");
    program == Some(true) && words.get(1).is_some_and(|w| w == "cargo-runner")
}

fn agreed() -> anyhow::Result<bool> {
    print!("write it? [Y/n] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}

/// Whole or not at all.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut new = tempfile::Builder::new()
        .prefix(".config-")
        .tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    use std::os::unix::fs::PermissionsExt;
    let mode = match std::fs::metadata(file) {
        Ok(there) => there.permissions(),
        Err(_) => std::fs::Permissions::from_mode(0o644),
    };
    new.as_file().set_permissions(mode)?;
    new.persist(file).map_err(|e| e.error)?;
    Ok(())
}

fn on_the_path(process: &ProcessEnv) -> bool {
    let path = process.var_os("PATH").unwrap_or_default();
    std::env::split_paths(path).any(|folder| folder.join("wasmtest").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gets_both_runners() {
        let change = change("", false).expect("fine").expect("to be written");
        insta::assert_snapshot!(change.text);
        assert_eq!(super::change(&change.text, false), Ok(None));
    }

    #[test]
    fn what_stands_there_stays_and_a_runner_of_somebody_elses_is_not_replaced_unasked() {
        let before = "# mine\n[build]\ntarget = \"wasm32-wasip1\" # always\n\n[target.wasm32-wasip1]\nrustflags = [\"-g\"]\n";
        let changed = change(before, false).expect("fine").expect("to be written");
        assert!(changed.text.starts_with(before), "{}", changed.text);
        insta::assert_snapshot!(changed.shown.join("\n"));
        let theirs = "[target.wasm32-wasip2]\nrunner = \"wasmtime\"\n";
        let why = change(theirs, false).expect_err("somebody else's");
        assert!(why.contains("is \"wasmtime\" already; --force"), "{why}");
        let forced = change(theirs, true).expect("fine").expect("to be written");
        assert!(!forced.text.contains("wasmtime"), "{}", forced.text);
        assert!(
            forced
                .shown
                .contains(&"  - runner = \"wasmtime\"".to_owned())
        );
        let windows = change("[env]\r\nA = \"b\"\r\n", false)
            .expect("fine")
            .expect("to be written");
        assert_eq!(
            windows.text.matches('\n').count(),
            windows.text.matches("\r\n").count()
        );
        assert!(change("[target", false).is_err());
        assert!(change("target = 3", false).is_err());
    }
}
