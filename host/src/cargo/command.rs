//! `cargo wasmtest`: builds with cargo, runs what came of it as one run.

use super::built::{Built, TestBinary, module_name};
use super::configuration::Configuration;
use super::project::{Manifests, NoProject, Project, Wanted};
use super::rustdoc::{self, Doctests};
use super::{build, flags, target, toolchain, variables};
use crate::cli::advice::{self, Side};
use crate::cli::cargo::{CargoRest, CargoWasmtest, RERUN};
use crate::cli::{UsageError, Words};
use crate::event::{LeftOut, NotBuilt, Progress, Summary};
use crate::grant::ModuleGrants;
use crate::grant::package::{self, Asked, PackageDirs};
use crate::grant::variables::{Variables, passed_env};
use crate::harness::libtest_like;
use crate::protocol::UnknownImports;
use crate::report::{self, Reporter as _, Stdout};
use crate::settings::{self, ProcessEnv, Settings, Silence, TestFile, Verbosity};
use crate::text::{self, Escaped, shell_quote};
use crate::{exit, primary};
use anyhow::Context as _;
use cargo_metadata::{Package, Target, TargetKind};
use std::cell::Cell;
use std::ffi::OsString;

/// Builds and runs.
///
/// # Errors
/// If a flag or a setting makes no sense, or cargo cannot tell what there is.
pub fn run(args: &CargoWasmtest, process: &ProcessEnv) -> anyhow::Result<u8> {
    let mut rest = rest(args);
    if args.build.quiet {
        rest.options.quiet = true;
    }
    if let Some(color) = args.build.color {
        rest.options.color = color;
    }
    // a build may take long: what makes no sense is told before it
    report::check(&settings::report_files(&rest.options.reports)?)?;
    let config = settings::configuration(&rest.options.configuration, process)?;
    let manifests = match rest.options.configuration.no_config {
        true => Manifests::Ignored,
        false => Manifests::Asked,
    };
    let project = match Project::load(&args.packages, &args.build, &config, manifests, process) {
        Ok(project) => project,
        Err(e) => match e.downcast_ref::<NoProject>() {
            Some(no) => {
                text::tell(&format!("error: {}", Escaped(&no.0)));
                return Ok(exit::NOT_BUILT);
            }
            None => return Err(e),
        },
    };
    let selected = project.selected(&args.packages);
    let configuration = Configuration::read(&args.build.config, process);
    let targets = targets(args, &project, &selected, &configuration, process)?;
    let target_dir = args.build.target_dir.as_deref();
    let target_dir = target_dir.unwrap_or(project.target_dir());
    let lacks_std =
        |target: &str| toolchain::lacks_std(target, &args.build.unstable, &configuration, process);
    let mut begun = Vec::new();
    for target in &targets {
        // to ask the compiler takes as long as all else before the build
        let built_before = target_dir.join(target).is_dir();
        if !built_before && lacks_std(target) {
            text::tell(&toolchain::how_to_install(target, process));
            return Ok(exit::NOT_BUILT);
        }
        begun.push((target, built_before));
    }
    let mut built = Vec::new();
    for (target, built_before) in begun {
        let of_target = build::build(args, &project, target, &configuration, process)?;
        // built with another toolchain, perhaps
        let lacks_std = !of_target.complete && built_before && lacks_std(target);
        if lacks_std {
            text::tell(&toolchain::how_to_install(target, process));
        }
        if lacks_std || !of_target.complete && of_target.not_built.is_empty() {
            // cargo has said why
            return Ok(exit::NOT_BUILT);
        }
        built.push((target, of_target));
    }
    let of_target = |(target, built)| Cargo {
        args,
        rest: &rest,
        project: &project,
        configuration: &configuration,
        built,
        target,
        is_one_of_several: targets.len() > 1,
        process,
    };
    let all: Vec<Cargo> = built
        .iter()
        .map(|(t, built)| of_target((t, built)))
        .collect();
    if args.build.no_run {
        return Ok(tell_built(args, &all));
    }
    tell_native(&built);
    let mut files = Vec::new();
    for cargo in &all {
        files.extend(cargo.files()?);
    }
    let settings = Settings::for_cargo(&rest, args.filter.as_ref(), files, config, process)?;
    let mut doctests = Vec::new();
    if args.targets.doc || flags::is_default(&args.targets) {
        for cargo in &all {
            doctests.push((cargo, cargo.doctests(&selected)?));
        }
    }
    let summary = go(&all, &settings, &doctests)?;
    if summary.ran() == 0 && settings.verbosity != Verbosity::Quiet {
        tell_nothing(args, &rest, &summary);
    }
    Ok(exit::of(&summary))
}

/// The targets that are meant: those of the flags, of our settings, of cargo's.
fn targets(
    args: &CargoWasmtest,
    project: &Project,
    selected: &[&Package],
    configuration: &Configuration,
    process: &ProcessEnv,
) -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for target in &args.build.target {
        targets.push(target::known(target.clone())?);
    }
    if targets.is_empty() {
        targets = match project.target(selected)? {
            Some(target) => vec![target::known(target).map_err(|e| UsageError {
                flag: "`target` in the settings (Cargo.toml or wasmtest.toml)",
                ..e
            })?],
            None => configuration.targets(process),
        };
    }
    if targets.is_empty() {
        targets.push(target::WASIP1.to_owned());
    }
    // as cargo does
    targets.sort();
    targets.dedup();
    Ok(targets)
}

/// What stands after `--`; a mistake in it ends the process, as one before it does.
fn rest(args: &CargoWasmtest) -> CargoRest {
    let name = std::iter::once(OsString::from("cargo wasmtest --"));
    advice::parse(name.chain(args.rest.iter().cloned()), Side::OfTheRun)
}

/// `--no-run`: says what was built and what was not.
fn tell_built(args: &CargoWasmtest, all: &[Cargo<'_>]) -> u8 {
    for test in all.iter().flat_map(|of| &of.built.tests) {
        if !args.build.quiet {
            text::tell(&format!("  Executable {}", test.file.display()));
        }
    }
    for dependency in left_out(all) {
        if !args.build.quiet {
            text::tell(&Progress::left_out(&dependency).text);
        }
    }
    let mut is_complete = true;
    for of in all {
        for NotBuilt { name, why, .. } in &of.built.not_built {
            let name = of.named(name);
            text::tell(&format!("   Not built {name}  {}", Escaped(why)));
            is_complete = false;
        }
    }
    match is_complete || args.build.allow_not_built {
        true => exit::OK,
        false => exit::NOT_BUILT,
    }
}

/// Says of which tests none is run here.
fn tell_native(built: &[(&String, Built)]) {
    // they are the same for each target
    let tests = built.first().map_or(&[][..], |(_, built)| &built.tests);
    for test in tests.iter().filter(|test| test.target.is_proc_macro()) {
        text::tell(&format!(
            "note: {} is a procedural macro, whose tests are a native program: `cargo test` runs them",
            Escaped(&test.target.name)
        ));
    }
}

/// What was asked for, and what there is to run, of one target.
struct Cargo<'a> {
    args: &'a CargoWasmtest,
    rest: &'a CargoRest,
    project: &'a Project,
    configuration: &'a Configuration,
    built: &'a Built,
    target: &'a str,
    /// Whether there are others in the same run.
    is_one_of_several: bool,
    process: &'a ProcessEnv,
}

impl Cargo<'_> {
    /// The binaries, each with what its tests may reach.
    fn files(&self) -> anyhow::Result<Vec<TestFile>> {
        let tests = self.built.tests.iter();
        let tests = tests.filter(|test| !test.target.is_proc_macro());
        let of = |test: &TestBinary| {
            let package = self.project.package(&test.package);
            let package =
                package.context("cargo built a test of a package that it does not know")?;
            let wanted = self.project.wanted(package)?;
            let name = module_name(package.name.as_str(), &test.target);
            Ok(TestFile {
                file: test.file.clone(),
                grants: self.grants(package, test, &wanted)?,
                unknown_imports: UnknownImports::stubbed(
                    self.rest.options.guest.stub_imports || wanted.stubs(&name),
                ),
                rerun: self.rerun(package, test),
                unmarked: libtest_like::NAME,
                without_tests: self.without_tests(&test.target),
                listed: None,
                name: self.named(&name),
            })
        };
        tests.map(of).collect()
    }

    /// Most libraries and programs whose tests lie in `tests/` have none of their own: that is
    /// worth a word where they were asked for.
    fn without_tests(&self, target: &Target) -> Silence {
        let args = &self.args.targets;
        let named = |names: &[String]| names.contains(&target.name);
        let is_meant = match target.kind.first() {
            Some(TargetKind::Test) => true,
            Some(TargetKind::Bin) => named(&args.bin),
            Some(TargetKind::Example) => named(&args.example),
            Some(TargetKind::Bench) => named(&args.bench),
            _ => args.lib,
        };
        match is_meant {
            true => Silence::Told,
            false => Silence::Usual,
        }
    }

    /// A module's name in the run: where the same is run for several targets, with this one's.
    fn named(&self, module: &str) -> String {
        match self.is_one_of_several {
            true => format!("{}/{module}", self.target),
            false => module.to_owned(),
        }
    }

    fn grants(
        &self,
        package: &Package,
        test: &TestBinary,
        wanted: &Wanted,
    ) -> anyhow::Result<ModuleGrants> {
        let script = self.built.scripts.get(&package.id);
        let folder = package.manifest_path.parent();
        let folder = folder.context("a manifest lies in a folder")?;
        let target_dir = self.args.build.target_dir.as_deref();
        let build_dir = match &self.built.stand_ins {
            Some(stand_ins) => stand_ins.target_dir(),
            None => self.project.build_dir(target_dir),
        };
        let tmp_dir = build_dir.join(self.target).join("tmp");
        let dirs = PackageDirs {
            package: folder.as_std_path(),
            workspace: self.project.root(),
            out_dir: script.map(|s| s.out_dir.as_std_path()),
            tmp_dir: Some(&tmp_dir),
            target_dir: target_dir.unwrap_or(self.project.target_dir()),
            home: self.process.home_dir(),
        };
        let asked = &self.rest.grants;
        let package_dir = !asked.no_package_dir && wanted.package_dir();
        if package_dir && dirs.is_withheld() {
            text::tell(&format!(
                "note: tests cannot read their package, since that is all of {}; --dir grants a folder",
                Escaped(folder.as_str())
            ));
        }
        let mut of_cargo: Vec<_> = script.iter().flat_map(|s| s.env.iter().cloned()).collect();
        of_cargo.extend(variables::of_cargo(package, test, self.built));
        let configured = self.configuration.env();
        let own = self.process.unicode_vars();
        let variables = Variables {
            settings: variables::asked_for(wanted, self.process)?,
            cargo: of_cargo,
            configured: variables::configured(&configured, self.process),
            passed: passed_env(self.project.root(), own),
        };
        let asked = Asked {
            package_dir,
            settings: wanted.places(),
            rw: &asked.rw,
        };
        Ok(package::grants(&dirs, &asked, variables)?)
    }

    /// The first part of the command that runs this binary's tests again.
    fn rerun(&self, package: &Package, test: &TestBinary) -> String {
        let name = shell_quote(&test.target.name);
        let target = match test.target.kind.first() {
            Some(TargetKind::Test) => format!("--test {name}"),
            Some(TargetKind::Bin) => format!("--bin {name}"),
            Some(TargetKind::Example) => format!("--example {name}"),
            Some(TargetKind::Bench) => format!("--bench {name}"),
            _ => "--lib".to_owned(),
        };
        format!(
            "cargo wasmtest -p {} {target}{} --{}",
            shell_quote(package.name.as_str()),
            self.rerun_flags(),
            self.rerun_rest()
        )
    }

    /// The flags of cargo's that the command needs to build the same again.
    fn rerun_flags(&self) -> String {
        let build = self.args.build.words();
        let mut words = Words::default();
        if self.is_one_of_several || !self.args.build.target.is_empty() {
            words.add("--target", Some(self.target.into()));
        }
        let mut given = build.clone();
        given.extend(self.args.packages.words().clone());
        words.extend(given.only(&RERUN));
        words.for_shell()
    }

    fn rerun_rest(&self) -> String {
        settings::rerun(&self.rest.options) + &self.rest.grants.words().for_shell()
    }

    /// The packages whose doctests are meant.
    fn doctests(&self, selected: &[&Package]) -> anyhow::Result<Vec<rustdoc::DocLibrary>> {
        let mut all = Vec::new();
        for package in selected {
            // a library that does not build is told of by whatever needs it
            let own_tests = |t: &TestBinary| t.package == package.id && t.target.doctest;
            let built = self.built.complete
                || self.built.libraries.contains(&package.id)
                || self.built.tests.iter().any(own_tests);
            let mut libs = package.targets.iter().filter(|_| built);
            // a procedural macro is the compiler's: its doctests are native programs
            if let Some(lib) = libs.find(|t| t.doctest && !t.is_proc_macro()) {
                all.push(rustdoc::DocLibrary {
                    package: package.id.repr.clone(),
                    library: lib.name.clone(),
                    module: self.named(&format!("{}::doc/{}", package.name, lib.name)),
                    rerun: format!(
                        "cargo wasmtest -p {} --doc{} --{}",
                        shell_quote(package.name.as_str()),
                        self.rerun_flags(),
                        self.rerun_rest()
                    ),
                    lacking: self.built.left_out.lacking_of(package),
                });
            }
        }
        Ok(all)
    }
}

/// What was left out of builds for all targets, each once.
fn left_out(all: &[Cargo<'_>]) -> Vec<LeftOut> {
    let mut told = Vec::new();
    for dependency in all.iter().flat_map(|of| of.built.left_out.to_tell()) {
        if !told.contains(&dependency) {
            told.push(dependency);
        }
    }
    told
}

/// Runs the tests of all targets, and then their doctests.
fn go(
    all: &[Cargo<'_>],
    settings: &Settings,
    doctests: &[(&Cargo<'_>, Vec<rustdoc::DocLibrary>)],
) -> anyhow::Result<Summary> {
    let mut reporters = report::open(&settings.reporting(), Stdout::AsAsked)?;
    let mut failed = None;
    let summary = primary::run_with(settings, &mut reporters, |more| {
        for dependency in left_out(all) {
            more.left_out(dependency);
        }
        for cargo in all {
            for target in &cargo.built.not_built {
                more.not_built(NotBuilt {
                    name: cargo.named(&target.name),
                    ..target.clone()
                });
            }
        }
        for (cargo, of) in doctests.iter().filter(|(_, of)| !of.is_empty()) {
            if more.stopping {
                return more.note("the run was stopped before its doctests");
            }
            let doctests = Doctests {
                of,
                args: cargo.args,
                stand_ins: cargo.built.stand_ins.as_ref(),
                left_out: &cargo.built.left_out,
                rest: cargo.rest,
                configuration: cargo.configuration,
                target: cargo.target,
                settings,
                has_said_builds: Cell::new(false),
                process: cargo.process,
            };
            if let Err(e) = doctests.run(more) {
                failed = Some(e);
            }
            if failed.is_some() || more.interrupted() {
                return;
            }
        }
    })?;
    reporters.result()?;
    match failed {
        Some(e) => Err(e.context("the doctests cannot be run")),
        None => Ok(summary),
    }
}

/// A run of nothing is worth a word: why, and what to do.
fn tell_nothing(args: &CargoWasmtest, rest: &CargoRest, summary: &Summary) {
    let untold = summary.filtered_out + summary.not_run + summary.errors + summary.not_built == 0;
    let filtered = args.filter.is_some() || !rest.filters.is_empty();
    if untold && !filtered && summary.interrupt.is_none() {
        text::tell(
            "note: no test was found in what cargo built: is there a #[test], and do its targets have `test = true`?",
        );
    }
}
