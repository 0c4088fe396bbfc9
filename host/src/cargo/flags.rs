//! Which targets were asked for: what that means for a target, and for `cargo build`, which takes the
//! same flags in another sense than `cargo test`. Runs nothing.

use crate::cli::Given;
use crate::cli::cargo::TargetArgs;
use cargo_metadata::{Target, TargetKind};
use std::process::Command;

/// What `cargo build` has to be asked for in place of `cargo test`: by kind or name it
/// builds libraries and programs, and their tests only with `--tests`.
pub(super) fn add_targets_to_build(command: &mut Command, args: &Given<TargetArgs>) {
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
pub fn is_default(args: &Given<TargetArgs>) -> bool {
    args.words().without(&["doc"]).is_empty()
}

/// Whether a build of these targets has this one's tests in it.
pub(super) fn is_meant(args: &Given<TargetArgs>, target: &Target) -> bool {
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
