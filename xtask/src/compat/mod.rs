//! `cargo xtask compat`: what holds on the Rusts that people have, shown with suites that
//! nobody here wrote.
//!
//! Three parts. `native`: the verdicts of public crates natively beside ours, test by test, on
//! each Rust that is here; a difference without a known cause fails the run (`known.rs`).
//! `hints`: a failing test for each hint that rests on std's words, on each Rust. `runtime`:
//! the verdicts of the wasmtime command line and of cargo-nextest, on the toolchain in use.
//! Minutes for each Rust, and a quarter of an hour the first time for what the last installs:
//! so it is no part of the tests, which have a small reference of their own.

mod hints;
mod known;
mod native;
mod ours;
mod runtime;
mod verdict;

pub use hints::{HINTS, Hint, check as check_hints};
pub use native::runner as native_runner;
pub use runtime::{install_nextest, install_wasmtime};

use crate::suites::{self, Suite};
use crate::toolchains::{self, Meant};
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Command;
use verdict::{Difference, compared};

/// How it is called.
pub const USAGE: &str = "\
cargo xtask compat [PART...] [--rust VERSION]... [--crate NAME]...
  native    public crates' verdicts natively beside ours, on each Rust that is here
  hints     each hint that rests on std's words is given, on each Rust that is here
  runtime   the same verdicts under the wasmtime command line and cargo-nextest
            (installs both: a quarter of an hour)
";

/// What is asked for; nothing named is everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    parts: Vec<String>,
    rusts: Vec<String>,
    crates: Vec<String>,
}

impl Asked {
    /// Reads the command's arguments.
    ///
    /// # Errors
    /// If one is none of them.
    pub fn of(args: &[String]) -> Result<Asked> {
        let mut asked = Asked::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || {
                let value = args.next().cloned();
                value.ok_or_else(|| anyhow::anyhow!("{arg} needs a value\n\n{USAGE}"))
            };
            match arg.as_str() {
                "native" | "hints" | "runtime" => asked.parts.push(arg.clone()),
                "--rust" => asked.rusts.push(value()?),
                "--crate" => asked.crates.push(value()?),
                _ => bail!("`{arg}` is no part of it\n\n{USAGE}"),
            }
        }
        let known = |name: &&String| suites::all().any(|s| s.name == **name);
        if let Some(unknown) = asked.crates.iter().find(|c| !known(c)) {
            bail!("there is no suite `{unknown}`");
        }
        let known = |name: &&String| toolchains::MEANT.iter().any(|m| is_meant(m, name));
        if let Some(unknown) = asked.rusts.iter().find(|r| !known(r)) {
            bail!("Rust `{unknown}` is none of those that are meant");
        }
        Ok(asked)
    }

    fn part(&self, name: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|p| p == name)
    }

    fn rust(&self, meant: &Meant) -> bool {
        self.rusts.is_empty() || self.rusts.iter().any(|r| is_meant(meant, r))
    }

    fn suite(&self, suite: &Suite) -> bool {
        self.crates.is_empty() || self.crates.iter().any(|c| c == suite.name)
    }
}

fn is_meant(meant: &Meant, name: &str) -> bool {
    meant.name == name
        || meant.name.starts_with(&format!("{name}."))
        || name == "nightly" && meant.name.starts_with("nightly")
}

/// Does what is asked for; what is not as it should be is told as it is found.
///
/// # Errors
/// If something cannot be installed, built or run, or is not as it should be.
pub fn compat(root: &Path, wasmtest: &Path, asked: &Asked) -> Result<()> {
    let folder = root.join("target/compat/suites");
    std::fs::create_dir_all(&folder)?;
    let mut wrong: Vec<String> = Vec::new();
    for (meant, there) in toolchains::all() {
        if !asked.rust(meant) || !(asked.part("native") || asked.part("hints")) {
            continue;
        }
        let toolchain = match there {
            Ok(toolchain) => toolchain,
            Err(why) => {
                toolchains::say(meant, why);
                continue;
            }
        };
        println!("== Rust {} ({})", meant.name, meant.role);
        if asked.part("hints") {
            wrong.extend(hints::check(root, wasmtest, toolchain)?);
        }
        if !asked.part("native") {
            continue;
        }
        for suite in suites::all().filter(|s| asked.suite(s)) {
            suites::fetch(&folder, suites::all())?;
            let place = native::Place {
                suite,
                source: folder.join(suite.name),
                target: root.join("target/compat").join(meant.name),
                toolchain,
            };
            let Some(native) = native::verdicts(&place)? else {
                continue;
            };
            let ours = ours::verdicts(&place, wasmtest)?;
            let unknown = told(suite, meant, &native, &ours);
            if unknown > 0 {
                wrong.push(format!(
                    "{} {} on {}: {unknown} differences without a known cause",
                    suite.name, suite.version, meant.name
                ));
            }
        }
    }
    if asked.part("runtime") {
        let differences = runtime::compare(root, wasmtest, |suite| asked.suite(suite))?;
        if differences > 0 {
            wrong.push(format!(
                "{differences} verdicts are not the plain runtime's"
            ));
        }
    }
    if !wrong.is_empty() {
        bail!("not as it should be:\n  {}", wrong.join("\n  "));
    }
    println!("everything is as it should be");
    Ok(())
}

/// Flags without which a guest gets more than a plain runtime gives it.
fn plain(wasmtest: &Path) -> Result<Vec<&'static str>> {
    let help = Command::new(wasmtest)
        .args(["run", "--help"])
        .output()
        .context("wasmtest cannot be started")?;
    let flag = "--no-std-gaps";
    let is_known = String::from_utf8_lossy(&help.stdout).contains(flag);
    Ok(is_known.then_some(flag).into_iter().collect())
}

/// Prints how a suite's verdicts compare; gives how many differ without a known cause.
fn told(
    suite: &Suite,
    meant: &Meant,
    native: &verdict::Verdicts,
    ours: &verdict::Verdicts,
) -> usize {
    let differences = compared(native, ours);
    println!(
        "{} {}: natively {}; here {}; {} differ",
        suite.name,
        suite.version,
        verdict::counts(native),
        verdict::counts(ours),
        differences.len()
    );
    let mut by_cause: Vec<(Option<&str>, Vec<&Difference>)> = Vec::new();
    for difference in &differences {
        let cause = known::cause(suite.name, meant.name, difference);
        match by_cause.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, all)) => all.push(difference),
            None => by_cause.push((cause, vec![difference])),
        }
    }
    for (cause, all) in &by_cause {
        println!(
            "  {} because {}",
            all.len(),
            cause.unwrap_or("of something UNKNOWN")
        );
        for difference in all {
            println!("    {difference}");
        }
    }
    let unknown = by_cause.iter().filter(|(cause, _)| cause.is_none());
    unknown.map(|(_, all)| all.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_parts_rusts_and_crates() {
        let asked = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
            Asked::of(&args)
        };
        let all = asked(&[]).expect("everything");
        assert!(all.part("native") && all.rust(&toolchains::MEANT[2]));
        let some = asked(&["native", "--rust", "1.95", "--crate", "csv"]).expect("known");
        assert!(some.part("native") && !some.part("hints"));
        assert!(some.rust(&toolchains::MEANT[0]) && !some.rust(&toolchains::MEANT[1]));
        let crates: Vec<&str> = suites::all()
            .filter(|s| some.suite(s))
            .map(|s| s.name)
            .collect();
        assert_eq!(crates, ["csv"]);
        for wrong in [
            &["nativ"][..],
            &["--rust", "1.0"],
            &["--crate", "nope"],
            &["--rust"],
        ] {
            assert!(asked(wrong).is_err(), "{wrong:?}");
        }
    }
}
