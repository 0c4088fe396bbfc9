//! Has cargo build tests, and reads from its messages what came of it.
//!
//! Compile errors look as cargo shows them: it renders them itself, or, where
//! they are read here for the list of what was not built, hands them over
//! rendered. Runs nothing that was built.

use super::missing::not_built;
use super::project::{self, Project, cargo};
use crate::cli::When;
use crate::cli::cargo::{BuildArgs, CargoWasmtest, PackageArgs, TargetArgs};
use crate::event::NotBuilt;
use crate::report::text;
use anyhow::Context as _;
use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{
    Artifact, BuildScript, CompilerMessage, Message, PackageId, Target, TargetKind,
};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What came of a build.
#[derive(Debug, Default)]
pub struct Built {
    /// The test binaries, in cargo's order.
    pub tests: Vec<TestBinary>,
    /// What build scripts said, by their package.
    pub scripts: HashMap<PackageId, BuildScript>,
    /// Packages whose build script was compiled.
    pub script_programs: Vec<PackageId>,
    /// Programs of each package, by name: what `CARGO_BIN_EXE_...` names.
    pub programs: HashMap<PackageId, Vec<(String, PathBuf)>>,
    /// Packages whose library was built, for its own tests or for others.
    pub libraries: HashSet<PackageId>,
    /// Targets that were meant and did not build.
    pub not_built: Vec<NotBuilt>,
    /// Whether cargo built everything.
    pub complete: bool,
}

/// A test binary.
#[derive(Debug)]
pub struct TestBinary {
    /// Whose it is.
    pub package: PackageId,
    /// Of which target.
    pub target: Target,
    /// The file.
    pub file: PathBuf,
}

/// The name of a target's module in a run: cargo-nextest's binary id, which its users know.
pub fn module_name(package: &str, target: &Target) -> String {
    let kind = target.kind.first();
    match kind {
        Some(TargetKind::Test) => format!("{package}::{}", target.name),
        Some(TargetKind::Bin) => format!("{package}::bin/{}", target.name),
        Some(TargetKind::Example) => format!("{package}::example/{}", target.name),
        Some(TargetKind::Bench) => format!("{package}::bench/{}", target.name),
        _ => package.to_owned(),
    }
}

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

fn add_targets(command: &mut Command, args: &TargetArgs) {
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
fn add_targets_to_build(command: &mut Command, args: &TargetArgs) {
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

/// Builds.
///
/// # Errors
/// If cargo cannot be started, or says something that is no message.
pub fn build(args: &CargoWasmtest, project: &Project, target: &str) -> anyhow::Result<Built> {
    let mut command = cargo();
    // `cargo test` refuses --keep-going, and loses binaries with --no-fail-fast
    let reads_errors = args.build.keep_going;
    if reads_errors {
        command.args(["build", "--keep-going"]);
    } else {
        command.args(["test", "--no-run"]);
    }
    command.arg(match reads_errors {
        true => diagnostics_here(&args.build),
        false => "--message-format=json-render-diagnostics",
    });
    add_packages(&mut command, &args.packages);
    match reads_errors {
        true => add_targets_to_build(&mut command, &args.targets),
        false => add_targets(&mut command, &args.targets),
    }
    add_build(&mut command, &args.build, target);
    project::ends_with_us(&mut command);
    let mut built = Built::default();
    let mut errors: Vec<CompilerMessage> = Vec::new();
    built.complete = built.follow(&mut command, &mut errors)?;
    if reads_errors {
        built.tests.retain(|t| is_meant(&args.targets, &t.target));
        built.build_examples(args, project, target, &mut errors)?;
        let is_known = !errors.is_empty()
            || !built.tests.is_empty()
            || built.failed_scripts().next().is_some();
        if !built.complete && is_known {
            built.not_built = not_built(args, project, &built, &errors);
            // what failed was not asked for, and only stood in the way of nothing
            built.complete = built.not_built.is_empty() && !built.tests.is_empty();
        }
    }
    Ok(built)
}

impl Built {
    /// Has cargo build, and takes what comes of it; gives whether everything was built.
    fn follow(
        &mut self,
        command: &mut Command,
        errors: &mut Vec<CompilerMessage>,
    ) -> anyhow::Result<bool> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cargo cannot be started: is it on the PATH?")?;
        let stdout = child.stdout.take().expect("it was asked for");
        let mut shown: HashSet<Option<String>> = HashSet::new();
        let told = errors.iter().map(|e| e.message.rendered.clone());
        shown.extend(told);
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cargo's messages cannot be read")?;
            // what is no message a build script or a wrapper has printed
            let Ok(message) = serde_json::from_str::<Message>(&line) else {
                continue;
            };
            match message {
                Message::CompilerArtifact(artifact) => self.take(artifact),
                Message::BuildScriptExecuted(script) => {
                    self.scripts.insert(script.package_id.clone(), script);
                }
                Message::CompilerMessage(message) => {
                    // a library's and its tests' are the same
                    if shown.insert(message.message.rendered.clone()) {
                        show(&message);
                    }
                    if message.message.level == DiagnosticLevel::Error {
                        errors.push(message);
                    }
                }
                _ => {}
            }
        }
        let status = child.wait().context("cargo cannot be waited for")?;
        Ok(status.success())
    }

    /// With `--keep-going`: the tests in examples, which only `cargo test` builds, package
    /// by package, since it stops at the first that does not build.
    fn build_examples(
        &mut self,
        args: &CargoWasmtest,
        project: &Project,
        target: &str,
        errors: &mut Vec<CompilerMessage>,
    ) -> anyhow::Result<()> {
        for package in project.selected(&args.packages) {
            let examples = package.targets.iter().filter(|t| t.is_example());
            let there = |t: &Target| {
                let mut tests = self.tests.iter();
                tests.any(|b| b.package == package.id && b.target == *t)
            };
            let wanted: Vec<&Target> = examples
                .filter(|t| is_meant(&args.targets, t) && !there(t))
                .filter(|t| {
                    !errors
                        .iter()
                        .any(|e| e.package_id == package.id && e.target == **t)
                })
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let mut command = cargo();
            command.args(["test", "--no-run"]);
            command.arg(diagnostics_here(&args.build));
            command.arg("--package").arg(&package.id.repr);
            if let Some(path) = &args.packages.manifest_path {
                command.arg("--manifest-path").arg(path);
            }
            for example in wanted {
                command.arg("--example").arg(&example.name);
            }
            add_build(&mut command, &args.build, target);
            project::ends_with_us(&mut command);
            let complete = self.follow(&mut command, errors)?;
            self.complete &= complete;
        }
        Ok(())
    }
}

/// The flag by which cargo hands its diagnostics over, rendered, in place of showing them.
fn diagnostics_here(build: &BuildArgs) -> &'static str {
    match colored(build.color) {
        true => "--message-format=json-diagnostic-rendered-ansi",
        false => "--message-format=json",
    }
}

/// Whether cargo's diagnostics are to have colours.
fn colored(asked: Option<When>) -> bool {
    let term = std::env::var("CARGO_TERM_COLOR").unwrap_or_default();
    match (asked, term.as_str()) {
        (Some(When::Always), _) | (None, "always") => true,
        (Some(When::Never), _) | (None, "never") => false,
        _ => {
            std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                && std::io::stderr().is_terminal()
        }
    }
}

/// Shows a diagnostic as the compiler rendered it.
fn show(message: &CompilerMessage) {
    if let Some(rendered) = &message.message.rendered {
        // cargo's bar may stand in this line
        let erase = match std::io::stderr().is_terminal() {
            true => "\r\x1b[K",
            false => "",
        };
        text::tell(&format!("{erase}{}", rendered.trim_end()));
    }
}

impl Built {
    /// The packages whose build script did not come to its end.
    pub(super) fn failed_scripts(&self) -> impl Iterator<Item = &PackageId> {
        let programs = self.script_programs.iter();
        programs.filter(|id| !self.scripts.contains_key(*id))
    }

    fn take(&mut self, artifact: Artifact) {
        if artifact.target.kind.contains(&TargetKind::CustomBuild) {
            self.script_programs.push(artifact.package_id.clone());
        }
        let is_library = !artifact.profile.test
            && !artifact.target.kind.iter().any(|kind| {
                let kinds = [
                    TargetKind::Bin,
                    TargetKind::Example,
                    TargetKind::Test,
                    TargetKind::Bench,
                    TargetKind::CustomBuild,
                ];
                kinds.contains(kind)
            });
        if is_library {
            self.libraries.insert(artifact.package_id.clone());
        }
        let Some(file) = artifact.executable else {
            return;
        };
        let file = file.into_std_path_buf();
        if artifact.profile.test {
            self.tests.push(TestBinary {
                package: artifact.package_id,
                target: artifact.target,
                file,
            });
        } else if artifact.target.kind.contains(&TargetKind::Bin) {
            let programs = self.programs.entry(artifact.package_id).or_default();
            programs.push((artifact.target.name, file));
        }
    }
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
