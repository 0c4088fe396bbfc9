//! Has cargo build tests, and reads from its messages what came of it.
//!
//! Compile errors look as cargo shows them: it renders them itself, or, where
//! they are read here for the list of what was not built, hands them over
//! rendered. Runs nothing that was built.

use super::built::Built;
use super::configuration::Configuration;
use super::diagnostic::name_in;
use super::flags::{add_targets_to_build, is_meant};
use super::missing::not_built;
use super::project::{self, Project, cargo};
use super::stand_ins::{Notes, StandIns};
use crate::cli::cargo::{CargoWasmtest, SHOWN, words_of_build};
use crate::cli::{When, Words};
use crate::settings::ProcessEnv;
use crate::text;
use anyhow::Context as _;
use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{CompilerMessage, Message, Package, PackageId, Target};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds. Where a crate that is none of the workspace's does not build, once more, with
/// stand-ins for such crates.
///
/// # Errors
/// If cargo cannot be started, or says something that is no message.
pub fn build(
    args: &CargoWasmtest,
    project: &Project,
    target: &str,
    configuration: &Configuration,
    process: &ProcessEnv,
) -> anyhow::Result<Built> {
    let target_dir = args.build.target_dir.as_deref();
    let target_dir = target_dir.unwrap_or(project.target_dir());
    let with = StandIns::below(target_dir, project, target)?;
    let plain = Build {
        args,
        project,
        target,
        flags: args.build.words(),
        stand_ins: None,
        process,
    };
    let key = plain.key();
    if !with.is_likely_for(&key) {
        let (built, said) = plain.go()?;
        let outside = match built.complete {
            true => None,
            false => fails_outside(&built, project, &said),
        };
        let Some(what) = outside else {
            said.show_held(|_| true);
            return Ok(built);
        };
        text::tell(&format!(
            "note: {} for {target}: building what does not need it, in {}",
            text::one_line(&what),
            text::one_line(&with.target_dir().display().to_string())
        ));
    }
    with.prepare(project, configuration.rustc_wrapper(process), process)?;
    let build = Build {
        flags: &with.flags(args.build.words()),
        stand_ins: Some(&with),
        ..plain
    };
    let (mut built, said) = build.go()?;
    said.show_held(|message| {
        build.concerns(message) && !said.is_explained(message, &built.left_out)
    });
    with.remember(&key, !built.left_out.is_empty())?;
    built.stand_ins = Some(with);
    Ok(built)
}

/// One build, in one target folder.
#[derive(Clone, Copy)]
struct Build<'a> {
    args: &'a CargoWasmtest,
    project: &'a Project,
    target: &'a str,
    /// How it is built, which is not in all what was asked for.
    flags: &'a Words,
    stand_ins: Option<&'a StandIns>,
    process: &'a ProcessEnv,
}

impl Build<'_> {
    /// Whether cargo goes on after an error.
    fn keeps_going(&self) -> bool {
        self.args.build.keep_going || self.stand_ins.is_some()
    }

    /// Whether what a compiler says is of something that was asked for, or that this may need: with
    /// stand-ins more is built than that.
    fn concerns(&self, message: &CompilerMessage) -> bool {
        let target = &message.target;
        let is_leaf =
            target.is_test() || target.is_bench() || target.is_example() || target.is_bin();
        !is_leaf || is_meant(&self.args.targets, target)
    }

    /// What is built, however it is shown.
    fn key(&self) -> String {
        let mut key = self.args.packages.words().clone();
        key.extend(self.args.targets.words().clone());
        key.extend(self.flags().without(&SHOWN));
        let args: Vec<_> = key.args().map(OsStr::to_string_lossy).collect();
        args.join(" ")
    }

    /// What cargo is told of how it is built.
    fn flags(&self) -> Words {
        words_of_build(self.flags, OsStr::new(self.target))
    }

    fn go(&self) -> anyhow::Result<(Built, BuildMessages)> {
        let mut built = Built::default();
        let mut said = BuildMessages::default();
        let targets = &self.args.targets;
        built.complete = match (targets.doc, self.keeps_going()) {
            (true, false) => {
                let mut command = self.doctests();
                command.args(self.args.packages.words().args());
                self.follow(command, &mut built, &mut said)?
            }
            (true, true) => {
                let mut complete = true;
                for package in self.project.selected(&self.args.packages) {
                    if package
                        .targets
                        .iter()
                        .any(|t| t.doctest && !t.is_proc_macro())
                    {
                        let mut command = self.doctests();
                        self.add_package(&mut command, package);
                        complete &= self.follow(command, &mut built, &mut said)?;
                    }
                }
                complete
            }
            (false, keeps_going) => {
                let mut command = cargo(self.process);
                // `cargo test` refuses --keep-going, and loses binaries with --no-fail-fast
                match keeps_going {
                    true => command.args(["build", "--keep-going"]),
                    false => command.args(["test", "--no-run"]),
                };
                command.args(self.args.packages.words().args());
                match keeps_going {
                    true => add_targets_to_build(&mut command, targets),
                    false => {
                        command.args(targets.words().args());
                    }
                }
                self.follow(command, &mut built, &mut said)?
            }
        };
        if let Some(stand_ins) = self.stand_ins {
            built.left_out = stand_ins.notes(&built.products);
        }
        if !self.keeps_going() {
            return Ok((built, said));
        }
        built.tests.retain(|t| is_meant(targets, &t.target));
        if !targets.doc {
            self.examples(&mut built, &mut said)?;
        }
        // an error of the user's own is an error, where it was not asked to go on
        let is_own = |e: &&CompilerMessage| {
            self.project.package(&e.package_id).is_some()
                && self.concerns(e)
                && !said.is_explained(e, &built.left_out)
        };
        let goes_on = self.args.build.keep_going || !said.errors.iter().any(|e| is_own(&e));
        let is_known = !said.errors.is_empty()
            || !built.tests.is_empty()
            || built.failed_scripts().next().is_some();
        if !built.complete && is_known && goes_on {
            built.not_built = not_built(self.args, self.project, &built, &said.errors);
            // what failed was not asked for, and only stood in the way of nothing
            let is_something = !built.tests.is_empty() || targets.doc;
            built.complete = built.not_built.is_empty() && is_something;
        }
        Ok((built, said))
    }

    /// What doctests need is built, and then nothing done with it.
    fn doctests(&self) -> Command {
        let mut command = cargo(self.process);
        command.args(["test", "--doc"]).env("RUSTDOC", "true");
        command
    }

    fn add_package(&self, command: &mut Command, package: &Package) {
        command.arg("--package").arg(&package.id.repr);
        let manifest = self.args.packages.words().only(&["manifest-path"]);
        command.args(manifest.args());
    }

    /// The tests in examples, which only `cargo test` builds, package by package, since it
    /// stops at the first that does not build.
    fn examples(&self, built: &mut Built, said: &mut BuildMessages) -> anyhow::Result<()> {
        for package in self.project.selected(&self.args.packages) {
            let examples = package.targets.iter().filter(|t| t.is_example());
            let there = |t: &Target| {
                let mut tests = built.tests.iter();
                tests.any(|b| b.package == package.id && b.target == *t)
            };
            let failed = |t: &Target| {
                let mut errors = said.errors.iter();
                errors.any(|e| e.package_id == package.id && e.target == *t)
            };
            let wanted: Vec<&Target> = examples
                .filter(|t| is_meant(&self.args.targets, t) && !there(t) && !failed(t))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let mut command = cargo(self.process);
            command.args(["test", "--no-run"]);
            self.add_package(&mut command, package);
            for example in wanted {
                command.arg("--example").arg(&example.name);
            }
            let complete = self.follow(command, built, said)?;
            built.complete &= complete;
        }
        Ok(())
    }

    /// Has cargo build, and takes what comes of it; gives whether everything was built.
    fn follow(
        &self,
        mut command: Command,
        built: &mut Built,
        said: &mut BuildMessages,
    ) -> anyhow::Result<bool> {
        command.arg(match colored(self.args.build.color, self.process) {
            true => "--message-format=json-diagnostic-rendered-ansi",
            false => "--message-format=json",
        });
        command.args(self.flags().args());
        if let Some(stand_ins) = self.stand_ins {
            stand_ins.wrap(&mut command);
        }
        project::ends_with_us(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cargo cannot be started: is it on the PATH?")?;
        let stdout = child.stdout.take().expect("it was asked for");
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cargo's messages cannot be read")?;
            // what is no message a build script or a wrapper has printed
            let Ok(message) = serde_json::from_str::<Message>(&line) else {
                continue;
            };
            match message {
                Message::CompilerArtifact(artifact) => built.take(artifact),
                Message::BuildScriptExecuted(script) => built.take_script(script, self.target),
                Message::CompilerMessage(message) => {
                    // it may be none in the end, or come of what was left out
                    let is_warning = message.message.level == DiagnosticLevel::Warning;
                    let is_held = self.stand_ins.is_some()
                        || !is_warning && is_outside(self.project, &message);
                    said.take(message, is_held);
                }
                _ => {}
            }
        }
        let status = child.wait().context("cargo cannot be waited for")?;
        Ok(status.success())
    }
}

fn is_error(message: &CompilerMessage) -> bool {
    message.message.level == DiagnosticLevel::Error
}

/// Whether this tells of a library that is none of the workspace's.
fn is_outside(project: &Project, message: &CompilerMessage) -> bool {
    let is_built_for_the_host = message.target.is_proc_macro() || message.target.is_custom_build();
    !is_built_for_the_host && project.package(&message.package_id).is_none()
}

/// What compilers have said.
#[derive(Default)]
struct BuildMessages {
    errors: Vec<CompilerMessage>,
    /// What was not shown yet.
    held: Vec<CompilerMessage>,
    shown: HashSet<Option<String>>,
}

impl BuildMessages {
    fn take(&mut self, message: CompilerMessage, is_held: bool) {
        let is_error = is_error(&message);
        // a library's and its tests' are the same
        if self.shown.insert(message.message.rendered.clone()) {
            match is_held {
                true => self.held.push(message.clone()),
                false => show(&message),
            }
        }
        if is_error {
            self.errors.push(message);
        }
    }

    /// Whether this comes of what was left out, or an error of the same target does.
    fn is_explained(&self, of: &CompilerMessage, left_out: &Notes) -> bool {
        let mut errors = self.errors.iter();
        errors.any(|e| {
            (&e.package_id, &e.target) == (&of.package_id, &of.target) && left_out.explains(e)
        })
    }

    fn show_held(&self, is_shown: impl Fn(&CompilerMessage) -> bool) {
        self.held.iter().filter(|m| is_shown(m)).for_each(show);
    }
}

/// Whether cargo's diagnostics are to have colours.
fn colored(asked: Option<When>, process: &ProcessEnv) -> bool {
    let term = process.var("CARGO_TERM_COLOR").unwrap_or_default();
    match (asked, term) {
        (Some(When::Always), _) | (None, "always") => true,
        (Some(When::Never), _) | (None, "never") => false,
        _ => process.allows_color() && std::io::stderr().is_terminal(),
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

/// What of no member's does not build, where it may help that something stands in for it.
fn fails_outside(built: &Built, project: &Project, said: &BuildMessages) -> Option<String> {
    let mut errors = said.errors.iter();
    let mut outside = errors.clone().filter(|e| is_outside(project, e));
    if let Some(error) = outside.next() {
        return Some(format!("{} does not build", name_in(&error.package_id)));
    }
    // what failed is a script, then; those that are needed on this machine alone look the same
    let is_member = |(id, _): &(PackageId, PathBuf)| project.package(id).is_some();
    if errors.next().is_some() || built.failed_scripts().any(is_member) {
        return None;
    }
    let mut scripts = built.script_programs.iter().map(|(id, _)| id);
    let may_have_failed =
        |id: &PackageId| project.package(id).is_none() && !built.run_for_target.contains(id);
    scripts
        .any(may_have_failed)
        .then(|| "the build script of a dependency fails".to_owned())
}
