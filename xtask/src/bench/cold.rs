//! What is waited for after an edit: everything has to be compiled.

use super::Bench;
use super::measure::{Cost, cost, in_turns};
use super::report::{Row, ms};
use super::rows::{FEW, Measured, ONCE_MORE, row};
use crate::suites::{self, Suite};
use crate::target::WASIP1;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// All kinds, with their names.
pub const ALL: [(&str, Measured); 3] = [
    ("cold: whole binaries", binaries),
    ("cold: a package of many binaries", package),
    ("tests that compute", computing),
];

/// A package whose 24 test binaries have 150 MB in debug.
const MANY: Suite = Suite {
    name: "petgraph",
    version: "0.8.3",
    profile: "dev",
};
/// One whose tests compute, for some seconds in debug.
const COMPUTES: Suite = Suite {
    name: "memchr",
    version: "2.7.6",
    profile: "dev",
};

/// The runner on files that it has never seen.
fn cold(bench: &Bench<'_>, files: &[&Path], flags: &[&str]) -> Result<Cost> {
    let _ = std::fs::remove_dir_all(&bench.cache);
    std::fs::create_dir_all(&bench.cache)?;
    cost(bench.run("2", files).args(flags))
}

/// The plain runtime on a file, without a cache; a limit that is not reached makes it no faster.
fn plain(bench: &Bench<'_>, file: &Path) -> Result<Cost> {
    let wasmtime = bench.wasmtime.as_ref().context("it is there")?;
    let mut command = Command::new(wasmtime);
    cost(
        command
            .args(["run", "-C", "cache=n", "--dir", "."])
            .arg(file),
    )
}

/// A suite's test binaries.
fn suite(bench: &Bench<'_>, of: &'static Suite) -> Result<Vec<PathBuf>> {
    let folder = bench.folder.join("suites");
    std::fs::create_dir_all(&folder)?;
    suites::fetch(&folder, std::iter::once(of))?;
    let built = suites::build(&folder, of.name, of.profile, WASIP1)?;
    Ok(built.into_iter().map(|(_, file)| file).collect())
}

/// The test binary of a known suite's library, all of whose tests pass.
fn library(bench: &Bench<'_>, name: &str) -> Result<PathBuf> {
    let of = suites::SUITES.iter().find(|suite| suite.name == name);
    let all = suite(bench, of.context("it is among the suites")?)?;
    let prefix = format!("{}-", name.replace('-', "_"));
    let is_of = |file: &PathBuf| {
        let file = file.file_name().and_then(|name| name.to_str());
        file.is_some_and(|file| file.starts_with(&prefix))
    };
    all.into_iter().find(is_of).context("it has tests")
}

fn megabytes(files: &[&Path]) -> String {
    let size = |file: &&Path| std::fs::metadata(file).map_or(0, |meta| meta.len());
    format!("{:.1} MB", files.iter().map(size).sum::<u64>() as f64 / 1e6)
}

fn binaries(bench: &Bench<'_>) -> Result<Vec<Row>> {
    if bench.wasmtime.is_none() {
        return Ok(Vec::new());
    }
    let trivial = bench.large("trivial", &["--test", "thousand"])?;
    let indexmap = library(bench, "indexmap")?;
    let regex = library(bench, "regex-syntax")?;
    let mut rows = Vec::new();
    for (what, file, goal) in [
        ("1,000 trivial tests", trivial, 0.4),
        ("`indexmap`", indexmap, 0.35),
        ("`regex-syntax`", regex, 0.7),
    ] {
        let mut ours = || cold(bench, &[&file], &[]);
        let mut theirs = || plain(bench, &file);
        let [ours, theirs] = in_turns(FEW, [&mut ours, &mut theirs])?;
        let size = megabytes(&[&file]);
        let work = format!("cold: {what} ({size}), 2 processes");
        let row = row(&work, ms(ours.wall), "wasmtime, cold", ms(theirs.wall));
        rows.push(row.at_most(goal, ours.wall / theirs.wall));
    }
    Ok(rows)
}

fn package(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let all = suite(bench, &MANY)?;
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let mut ours = || cold(bench, &all, &[]);
    // nothing but compiling: no test has such a name
    let none = ["--compiler", "cranelift", "--exact", "--", "nothing"];
    let mut compiling = || {
        let _ = std::fs::remove_dir_all(&bench.cache);
        std::fs::create_dir_all(&bench.cache)?;
        measured_anyway(bench.run("2", &all).args(none))
    };
    let [ours, theirs] = in_turns(ONCE_MORE, [&mut ours, &mut compiling])?;
    let (count, size) = (all.len(), megabytes(&all));
    let row = row(
        &format!("cold: `{}`, {count} test binaries, {size}", MANY.name),
        ms(ours.wall),
        "compiling and listing them with Cranelift",
        ms(theirs.wall),
    );
    Ok(vec![row.at_most(0.3, ours.wall / theirs.wall)])
}

/// What a command takes that has nothing to run, and so says with its status.
fn measured_anyway(command: &mut Command) -> Result<Cost> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$@\" || :", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    cost(&mut shell)
}

fn computing(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let all = suite(bench, &COMPUTES)?;
    let all: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let of = format!("`{}`, {} (computes)", COMPUTES.name, megabytes(&all));
    let mut auto = || cold(bench, &all, &[]);
    let mut winch = || cold(bench, &all, &["--compiler", "winch"]);
    let mut cranelift = || cold(bench, &all, &["--compiler", "cranelift"]);
    let [auto, winch, cranelift] = in_turns(ONCE_MORE, [&mut auto, &mut winch, &mut cranelift])?;
    let better = winch.wall.min(cranelift.wall);
    let choice = row(
        &format!("cold: {of}, 2 processes"),
        ms(auto.wall),
        "the better of --compiler winch and cranelift",
        ms(better),
    );
    bench.warm(&all)?;
    let mut one = || cost(&mut bench.run("1", &all));
    let mut two = || cost(&mut bench.run("2", &all));
    let mut theirs = || {
        let mut wall = Cost::default();
        for file in &all {
            let took = cost(&mut bench.plain(file).context("it is there")?)?;
            wall.add(took);
        }
        Ok(wall)
    };
    if bench.wasmtime.is_none() {
        return Ok(vec![choice.at_most(1.1, auto.wall / better)]);
    }
    theirs()?;
    let [one, two, theirs] = in_turns(ONCE_MORE, [&mut one, &mut two, &mut theirs])?;
    let against = "wasmtime without a limit";
    let of_one = row(
        &format!("warm: {of}, 1 process"),
        ms(one.wall),
        against,
        ms(theirs.wall),
    );
    let of_two = row(
        &format!("warm: {of}, 2 processes"),
        ms(two.wall),
        against,
        ms(theirs.wall),
    );
    let more = row(
        &format!("warm: {of}, 1 process"),
        ms(one.wall),
        "ourselves with 2",
        ms(two.wall),
    );
    let times = one.wall / two.wall;
    Ok(vec![
        choice.at_most(1.1, auto.wall / better),
        of_one.at_most(1.05, one.wall / theirs.wall),
        of_two.at_most(0.6, two.wall / theirs.wall),
        Row {
            goal: "at least 1.9 times".to_owned(),
            result: format!("{times:.2} times"),
            reached: Some(times >= 1.9),
            ..more
        },
    ])
}
