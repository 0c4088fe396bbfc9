//! Cargo's flags, as they were asked of us: added to a command of cargo's, and what they mean.
//! Runs nothing.

use crate::cli::When;
use crate::cli::cargo::{BuildArgs, PackageArgs, TargetArgs};
use cargo_metadata::{Target, TargetKind};
use std::process::Command;

/// Flags that every call of cargo needs.
pub fn add_common(command: &mut Command, build: &BuildArgs) {
    let flags = [
        ("--locked", build.locked),
        ("--offline", build.offline),
        ("--frozen", build.frozen),
    ];
    command.args(flags.iter().filter(|(_, on)| *on).map(|(flag, _)| flag));
    for value in &build.config {
        command.arg("--config").arg(value);
    }
    for flag in &build.unstable {
        command.arg("-Z").arg(flag);
    }
}

/// Flags that choose packages.
pub fn add_packages(command: &mut Command, args: &PackageArgs) {
    for spec in &args.package {
        command.arg("--package").arg(spec);
    }
    if args.workspace {
        command.arg("--workspace");
    }
    for spec in &args.exclude {
        command.arg("--exclude").arg(spec);
    }
    if let Some(path) = &args.manifest_path {
        command.arg("--manifest-path").arg(path);
    }
}

/// Flags that say how something is built.
pub fn add_build(command: &mut Command, build: &BuildArgs, target: &str) {
    command.arg("--target").arg(target);
    let flags = [
        ("--release", build.release),
        ("--all-features", build.all_features),
        ("--no-default-features", build.no_default_features),
        ("--ignore-rust-version", build.ignore_rust_version),
        ("--quiet", build.quiet),
    ];
    command.args(flags.iter().filter(|(_, on)| *on).map(|(flag, _)| flag));
    for _ in 0..build.verbose {
        command.arg("--verbose");
    }
    let valued = [
        ("--profile", build.profile.as_deref()),
        ("--jobs", build.jobs.as_deref()),
        ("--color", build.color.map(color_name)),
    ];
    for (flag, value) in valued {
        if let Some(value) = value {
            command.arg(flag).arg(value);
        }
    }
    for features in &build.features {
        command.arg("--features").arg(features);
    }
    if let Some(dir) = &build.target_dir {
        command.arg("--target-dir").arg(dir);
    }
    add_common(command, build);
}

fn color_name(when: When) -> &'static str {
    match when {
        When::Auto => "auto",
        When::Always => "always",
        When::Never => "never",
    }
}

pub(super) fn add_targets(command: &mut Command, args: &TargetArgs) {
    let flags = [
        ("--lib", args.lib),
        ("--bins", args.bins),
        ("--examples", args.examples),
        ("--tests", args.tests),
        ("--benches", args.benches),
        ("--all-targets", args.all_targets),
    ];
    command.args(flags.iter().filter(|(_, on)| *on).map(|(flag, _)| flag));
    let named = [
        ("--bin", &args.bin),
        ("--example", &args.example),
        ("--test", &args.test),
        ("--bench", &args.bench),
    ];
    for (flag, names) in named {
        for name in names {
            command.arg(flag).arg(name);
        }
    }
}

/// What `cargo build` has to be asked for in place of `cargo test`: by kind or name it
/// builds libraries and programs, and their tests only with `--tests`.
pub(super) fn add_targets_to_build(command: &mut Command, args: &TargetArgs) {
    if args.doc {
        command.arg("--lib");
        return;
    }
    let of_programs = args.lib || args.bins || !args.bin.is_empty();
    if of_programs || args.tests || args.all_targets || is_default(args) {
        command.arg("--tests");
    } else {
        for name in &args.test {
            command.arg("--test").arg(name);
        }
    }
    if args.benches || args.all_targets {
        command.arg("--benches");
    } else {
        for name in &args.bench {
            command.arg("--bench").arg(name);
        }
    }
    // their tests are built by a call of their own
    if args.examples || args.all_targets {
        command.arg("--examples");
    } else {
        for name in &args.example {
            command.arg("--example").arg(name);
        }
    }
}

/// Whether no target was asked for by kind or name.
pub fn is_default(args: &TargetArgs) -> bool {
    let mut probe = Command::new("");
    add_targets(&mut probe, args);
    probe.get_args().next().is_none()
}

/// Whether a build of these targets has this one's tests in it.
pub(super) fn is_meant(args: &TargetArgs, target: &Target) -> bool {
    let is = |kind: TargetKind| target.kind.contains(&kind);
    if is(TargetKind::CustomBuild) {
        return false;
    }
    if args.doc {
        return target.doctest;
    }
    if is_default(args) || args.tests && target.test {
        return target.test;
    }
    let bench = is(TargetKind::Bench);
    if args.all_targets {
        return target.test || bench || is(TargetKind::Example);
    }
    let named = |names: &[String]| names.contains(&target.name);
    match () {
        () if bench => args.benches || named(&args.bench),
        () if is(TargetKind::Test) => named(&args.test),
        () if is(TargetKind::Example) => args.examples || named(&args.example),
        () if is(TargetKind::Bin) => args.bins || named(&args.bin),
        () => args.lib,
    }
}
