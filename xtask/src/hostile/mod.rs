//! `cargo xtask hostile`: attacks on the runner, each beside three ordinary tests, and modules
//! that were cut and changed.
//!
//! What an attack is and what must come of it stands in its file (`entry.rs`). The end-to-end
//! tests run the quick ones by the same means.

mod entry;
mod make;
pub mod mutations;
mod run;
mod watch;

pub use entry::{Entry, entries};
pub use run::{Came, Field};

use crate::guest;
use crate::target::WASIP1;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What can be typed after `cargo xtask hostile`.
pub const USAGE: &str = "\
cargo xtask hostile [NAME...]       attacks of tests/hostile, or those whose names contain one of these
    --quick                         only those that the end-to-end tests run
    --verbose                       with what was said of each
    --mutations N                   besides, or without a NAME instead, so many changed modules through
                                    `wasmtest list`, each alone
    --seed S                        of the changes [default: 1]
    --only I                        of the changed modules, this one: what a failure names
    --wasmtest FILE                 this binary, in place of one that is built
";

/// What was typed.
#[derive(Debug, Default)]
pub struct Asked {
    names: Vec<String>,
    quick: bool,
    verbose: bool,
    mutations: Option<u64>,
    seed: Option<u64>,
    only: Option<u64>,
    /// The binary, if it is not to be built.
    pub wasmtest: Option<PathBuf>,
}

impl Asked {
    /// Reads arguments.
    ///
    /// # Errors
    /// If a flag is not known or lacks its number.
    pub fn of(args: &[String]) -> Result<Asked> {
        let mut asked = Asked::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let number = match arg.as_str() {
                "--mutations" => &mut asked.mutations,
                "--seed" => &mut asked.seed,
                "--only" => &mut asked.only,
                "--quick" | "--verbose" => {
                    asked.quick |= arg == "--quick";
                    asked.verbose |= arg == "--verbose";
                    continue;
                }
                "--wasmtest" => {
                    let file = args.next().context("--wasmtest takes a file")?;
                    asked.wasmtest = Some(std::path::absolute(file)?);
                    continue;
                }
                flag if flag.starts_with('-') => bail!("there is no `{flag}`\n\n{USAGE}"),
                name => {
                    asked.names.push(name.to_owned());
                    continue;
                }
            };
            let value = args
                .next()
                .with_context(|| format!("{arg} takes a number"))?;
            *number = Some(value.parse().with_context(|| format!("{arg} {value}"))?);
        }
        Ok(asked)
    }
}

/// The corpus's crate, built: its siblings, and its attacks that are tests.
///
/// # Errors
/// If it does not build.
pub fn crate_module(root: &Path) -> Result<PathBuf> {
    let manifest = root.join("tests/guests/Cargo.toml");
    let args = [
        "--quiet",
        "-p",
        "hostile",
        "--target",
        WASIP1,
        "--manifest-path",
    ];
    let built = guest::build_tests(&[&args[..], &[&manifest.to_string_lossy()]].concat())?;
    Ok(built.into_iter().next().context("it has no tests")?.1)
}

/// Runs what was asked for, with a line for each and a table at the end; whether all holds.
///
/// # Errors
/// If something cannot be built or started.
pub fn hostile(root: &Path, wasmtest: &Path, asked: &Asked) -> Result<bool> {
    let folder = root.join("target/hostile");
    std::fs::create_dir_all(&folder)?;
    let mut all_hold = true;
    if asked.mutations.is_none() || !asked.names.is_empty() {
        let field = Field {
            wasmtest: wasmtest.to_owned(),
            crate_module: crate_module(root)?,
            folder: folder.join("corpus"),
        };
        all_hold &= corpus(root, &field, asked)?;
    }
    if let Some(count) = asked.mutations {
        let campaign = mutations::Campaign {
            wasmtest: wasmtest.to_owned(),
            folder: folder.join("mutations"),
            seed: asked.seed.unwrap_or(1),
        };
        let range = asked.only.map_or(0..count, |i| i..i + 1);
        let tally = campaign.run(range, |done| {
            eprint!("\rxtask: {done} of {count} changed modules");
        })?;
        eprintln!();
        println!("{tally}");
        all_hold &= tally.complaints.is_empty();
    }
    Ok(all_hold)
}

fn corpus(root: &Path, field: &Field, asked: &Asked) -> Result<bool> {
    let mut entries = entries(root)?;
    let names = &asked.names;
    entries.retain(|e| !asked.quick || e.is_quick());
    entries.retain(|e| names.is_empty() || names.iter().any(|n| e.name.contains(n)));
    if entries.is_empty() {
        bail!("no attack has a name like {names:?}");
    }
    let mut rows = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        eprintln!("xtask: {} of {}: {}", number + 1, entries.len(), entry.name);
        let began = Instant::now();
        let came = field.run(entry).with_context(|| entry.name.clone())?;
        rows.push((entry, came, began.elapsed()));
    }
    println!("\n{:28} {:>8} {:>8}  attack", "entry", "seconds", "MiB");
    for (entry, came, took) in &rows {
        let holds = if came.complaints.is_empty() {
            ""
        } else {
            "DOES NOT HOLD: "
        };
        let (took, peak) = (took.as_secs_f64(), came.peak >> 20);
        println!(
            "{:28} {took:8.1} {peak:8}  {holds}{}",
            entry.name, entry.attack
        );
        for end in came.ends.iter().filter(|_| asked.verbose) {
            println!("{:28} {end}", "");
        }
    }
    let wrong: Vec<_> = rows.iter().filter(|r| !r.1.complaints.is_empty()).collect();
    for (entry, came, _) in &wrong {
        let open = entry.open.as_ref().map(|o| format!(" (open: {o})"));
        println!("\n{}{}", entry.name, open.unwrap_or_default());
        for complaint in &came.complaints {
            println!("  {complaint}");
        }
    }
    println!("\n{} of {} hold", rows.len() - wrong.len(), rows.len());
    for (entry, ..) in rows
        .iter()
        .filter(|r| r.1.complaints.is_empty() && r.0.open.is_some())
    {
        println!("{} holds: its line `open` is to go", entry.name);
    }
    Ok(wrong.is_empty())
}
