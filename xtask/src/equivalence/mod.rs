//! `cargo xtask equivalence`: tests that are called directly end as those that are started
//! through libtest, shown with suites that nobody here wrote.
//!
//! Each suite is built in several ways for WASI, and run both ways; verdicts have to be equal, test by
//! test, but for those that libtest does not run (`should_panic`), and what tests wrote is compared.
//! They are run once more as the other compiler makes them, with the same said of that.

mod mutated;

use crate::suites::{self, Suite};
use crate::target::WASIP1;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How it is called.
pub const USAGE: &str = "\
cargo xtask equivalence [--crate NAME]... [--build NAME]... [--mutations N]
  each of these published crates' tests, built as debug, release, stripped, thin and fat, called directly
  and through libtest, and as both compilers make them: the verdicts have to be equal; what they wrote is compared
  --mutations N  then so many of these binaries with some bits changed: nothing passes that libtest does
                 not let pass
";

/// A way to build: its name, cargo's profile, and what is set of it.
const BUILDS: [(&str, &str, &[&str]); 5] = [
    ("debug", "dev", &[]),
    ("release", "release", &[]),
    ("stripped", "release", &["profile.release.strip=true"]),
    ("thin", "release", &["profile.release.lto=\"thin\""]),
    (
        "fat",
        "release",
        &[
            "profile.release.lto=\"fat\"",
            "profile.release.codegen-units=1",
        ],
    ),
];

/// What is asked for; nothing named is everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    crates: Vec<String>,
    builds: Vec<String>,
    mutations: u64,
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
            if arg == "--mutations" {
                let number = args.next().and_then(|n| n.parse().ok());
                asked.mutations =
                    number.with_context(|| format!("{arg} needs a number\n\n{USAGE}"))?;
                continue;
            }
            let (list, known): (_, Vec<&str>) = match arg.as_str() {
                "--crate" => (
                    &mut asked.crates,
                    suites::direct().map(|suite| suite.name).collect(),
                ),
                "--build" => (&mut asked.builds, BUILDS.map(|build| build.0).into()),
                _ => bail!("`{arg}` is no part of it\n\n{USAGE}"),
            };
            let value = args
                .next()
                .with_context(|| format!("{arg} needs a value\n\n{USAGE}"))?;
            if !known.contains(&value.as_str()) {
                bail!("there is no `{value}`; there are {}", known.join(", "));
            }
            list.push(value.clone());
        }
        Ok(asked)
    }
}

/// How a test ended, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    outcome: String,
    should_panic: bool,
    wrote: String,
}

/// What was found of one suite, built in one way.
#[derive(Debug, Default)]
struct Found {
    tests: usize,
    /// Modules in which tests were called directly.
    direct: usize,
    /// Why they were not in others.
    plain: Vec<String>,
    /// Tests that libtest does not run: how many, and how many of them passed.
    should_panic: (usize, usize),
    /// Those whose verdicts differ.
    verdicts: Vec<String>,
    /// Those of which what they wrote differs.
    outputs: Vec<String>,
}

/// Flags of the ways that are compared.
const CRANELIFT: &[&str] = &["--compiler", "cranelift"];
const PLAIN: &[&str] = &["--compiler", "cranelift", "--libtest", "plain"];
const WINCH: &[&str] = &["--compiler", "winch"];

impl Found {
    /// Adds what differs where another compiler made the code.
    fn under_another(&mut self, one: &Run, other: &Run) {
        for (key, ended) in &one.ends {
            let name = format!("{} {}", key.0, key.1);
            match other.ends.get(key) {
                Some(same) if same.outcome == ended.outcome => {
                    if same.wrote != ended.wrote {
                        self.outputs.push(format!("{name}, under winch"));
                    }
                }
                Some(differs) => self.verdicts.push(format!(
                    "{name}: {}, under winch {}",
                    ended.outcome, differs.outcome
                )),
                None => self.verdicts.push(format!("{name}: not under winch")),
            }
        }
    }
}

/// Runs what is asked for, and prints a row of a table for each.
///
/// # Errors
/// If something cannot be built or run, or a verdict differs.
pub fn equivalence(root: &Path, wasmtest: &Path, asked: &Asked) -> Result<()> {
    let folder = root.join("target/equivalence");
    std::fs::create_dir_all(&folder)?;
    suites::fetch(&folder, suites::direct())?;
    println!(
        "| crate | build | tests | modules direct, plain | should_panic: run, passed | verdicts differ | outputs differ |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut wrong = Vec::new();
    let (mut told, mut missing) = (Vec::new(), Vec::new());
    let mut all = Found::default();
    let mut binaries = Vec::new();
    let is_asked = |list: &[String], name: &str| list.is_empty() || list.iter().any(|l| l == name);
    for suite in suites::direct().filter(|suite| is_asked(&asked.crates, suite.name)) {
        for build in BUILDS
            .iter()
            .filter(|build| is_asked(&asked.builds, build.0))
        {
            let modules = match built(&folder, suite, build) {
                Ok(modules) => modules,
                Err(e) => {
                    missing.push(format!("{e:#}"));
                    continue;
                }
            };
            let package = folder.join(suite.name);
            let run = |how| ran(wasmtest, &modules, &package, how, "600");
            let direct = run(CRANELIFT)?;
            let mut found = compared(&direct, &run(PLAIN)?);
            found.under_another(&direct, &run(WINCH)?);
            let of = format!("{} {} {}", suite.name, suite.version, build.0);
            println!(
                "| {} {} | {} | {} | {}, {} | {}, {} | {} | {} |",
                suite.name,
                suite.version,
                build.0,
                found.tests,
                found.direct,
                found.plain.len(),
                found.should_panic.0,
                found.should_panic.1,
                found.verdicts.len(),
                found.outputs.len(),
            );
            let each = |what: &str, list: &[String]| -> Vec<String> {
                list.iter()
                    .map(|one| format!("{of}: {what} {one}"))
                    .collect()
            };
            told.extend(each("plain:", &found.plain));
            told.extend(each("wrote otherwise:", &found.outputs));
            wrong.extend(each("ended otherwise:", &found.verdicts));
            binaries.extend(modules);
            all.tests += found.tests;
            all.direct += found.direct;
            all.should_panic.0 += found.should_panic.0;
            all.should_panic.1 += found.should_panic.1;
        }
    }
    println!(
        "\n{} tests, {} modules called directly; {} should_panic tests run, {} of them passed",
        all.tests, all.direct, all.should_panic.0, all.should_panic.1
    );
    for line in &told {
        println!("{line}");
    }
    if !wrong.is_empty() {
        bail!("verdicts differ:\n{}", wrong.join("\n"));
    }
    if asked.mutations > 0 && !binaries.is_empty() {
        let tally = mutated::campaign(wasmtest, &binaries, &folder, asked.mutations)?;
        let (told, holds) = tally.told();
        print!("{told}");
        if !holds {
            bail!("changed binaries end otherwise");
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => bail!("not compared:\n{}", missing.join("\n")),
    }
}

fn built(
    folder: &Path,
    suite: &Suite,
    (_, profile, settings): &(&str, &str, &[&str]),
) -> Result<Vec<PathBuf>> {
    let manifest = folder.join(suite.name).join("Cargo.toml");
    let (manifest, target) = (manifest.to_string_lossy(), folder.join("target"));
    let target = target.to_string_lossy();
    let mut args = vec!["--quiet", "--manifest-path", &manifest];
    args.extend(["--target-dir", &target, "--target", WASIP1]);
    args.extend(["--profile", profile, "--lib", "--tests"]);
    args.extend(settings.iter().flat_map(|setting| ["--config", setting]));
    let built = crate::guest::build_tests(&args)
        .with_context(|| format!("{} {} does not build", suite.name, suite.version))?;
    Ok(built.into_iter().map(|(_, file)| file).collect())
}

/// What a run tells.
struct Run {
    /// By module and test.
    ends: BTreeMap<(String, String), Ended>,
    /// By module: why its tests are not called directly, if they are not.
    calls: BTreeMap<String, Option<String>>,
}

fn ran(
    wasmtest: &Path,
    modules: &[PathBuf],
    package: &Path,
    flags: &[&str],
    limit: &str,
) -> Result<Run> {
    let mut command = Command::new(wasmtest);
    command.arg("run").args(modules);
    command.args(["--message-format", "json", "--show-output"]);
    command.args(["--process-timeout", limit, "--no-config"]);
    command.args(["--random-seed", "1"]);
    command.arg("--dir").arg(package);
    command.args(flags);
    let output = command
        .current_dir(package)
        .stdin(Stdio::null())
        .output()
        .context("wasmtest cannot be started")?;
    let lines = output.stdout.split(|b| *b == b'\n');
    let events: Vec<Value> = lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed = events.iter().filter(|e| e["type"] == "module");
    let calls = listed.map(|e| (text(&e["name"]), e["why"].as_str().map(str::to_owned)));
    let ends = events.iter().filter_map(|e| {
        let own = &e["wasmtest"];
        let outcome = own["outcome"].as_str()?.to_owned();
        let ended = Ended {
            should_panic: text(&e["message"]).starts_with("should_panic: "),
            outcome,
            wrote: text(&e["stdout"]),
        };
        Some(((text(&own["module"]), text(&own["test"])), ended))
    });
    let run = Run {
        ends: ends.collect(),
        calls: calls.collect(),
    };
    if run.calls.is_empty() {
        bail!(
            "{command:?} told nothing: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(run)
}

fn compared(direct: &Run, plain: &Run) -> Found {
    let mut found = Found {
        tests: direct.ends.len(),
        direct: direct.calls.values().filter(|why| why.is_none()).count(),
        ..Found::default()
    };
    let why = direct.calls.iter();
    let why = why.filter_map(|(module, why)| Some(format!("{module}: {}", why.as_ref()?)));
    found.plain.extend(why);
    let all = direct.ends.keys().chain(plain.ends.keys());
    for key in all.collect::<std::collections::BTreeSet<_>>() {
        let name = format!("{} {}", key.0, key.1);
        match (direct.ends.get(key), plain.ends.get(key)) {
            (Some(direct), Some(plain)) if plain.should_panic => {
                let ran = usize::from(direct.outcome != "skipped");
                found.should_panic.0 += ran;
                found.should_panic.1 += usize::from(direct.outcome == "passed");
                if direct.outcome != "passed" {
                    found
                        .outputs
                        .push(format!("{name}: should_panic, {}", direct.outcome));
                }
            }
            (Some(direct), Some(plain)) => {
                if direct.outcome != plain.outcome {
                    let how = format!("{name}: {}, plain {}", direct.outcome, plain.outcome);
                    found.verdicts.push(how);
                } else if direct.wrote != plain.wrote {
                    found.outputs.push(name);
                }
            }
            (None, _) => found.verdicts.push(format!("{name}: plain alone")),
            (_, None) => found.verdicts.push(format!("{name}: direct alone")),
        }
    }
    found
}
