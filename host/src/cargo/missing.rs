//! With `--keep-going`: which targets were meant and are not there, each with its first reason.

use super::built::{Built, TestBinary, module_name};
use super::diagnostic::{error_line, name_in};
use super::flags::is_meant;
use super::project::Project;
use crate::cli::cargo::{BuildArgs, CargoWasmtest};
use crate::event::NotBuilt;
use cargo_metadata::{CompilerMessage, Package, PackageId};
use std::collections::HashSet;

/// The targets that were meant and of which there is no binary.
pub(super) fn not_built(
    args: &CargoWasmtest,
    project: &Project,
    built: &Built,
    errors: &[CompilerMessage],
) -> Vec<NotBuilt> {
    let mut missing = Vec::new();
    for package in project.selected(&args.packages) {
        for target in &package.targets {
            let there = |b: &TestBinary| {
                b.package == package.id
                    && b.target.name == target.name
                    && b.target.kind == target.kind
            };
            let failed = first_of(built, errors, |e| {
                e.package_id == package.id && e.target == *target
            });
            // where features that it requires are off, cargo passes it over
            let on = enabled_features(&args.build, package);
            let expected =
                failed.is_some() || target.required_features.iter().all(|f| on.contains(f));
            let native = target.is_proc_macro() && failed.is_none();
            let there = match args.targets.doc {
                true => built.libraries.contains(&package.id),
                false => built.tests.iter().any(there),
            };
            if !is_meant(&args.targets, target) || native || !expected || there {
                continue;
            }
            missing.push(NotBuilt {
                name: module_name(package.name.as_str(), target),
                why: why(project, package, built, failed, errors),
                missed: !args.build.allow_not_built,
            });
        }
    }
    missing
}

/// The features of a package that these flags turn on, by its own table of features.
fn enabled_features(build: &BuildArgs, package: &Package) -> HashSet<String> {
    if build.all_features {
        return package.features.keys().cloned().collect();
    }
    let asked = build.features.iter().flat_map(|f| f.split([',', ' ']));
    let own = |feature: &str| match feature.split_once('/') {
        Some((of, feature)) => (of == package.name.as_str()).then(|| feature.to_owned()),
        None => Some(feature.to_owned()),
    };
    let mut waiting: Vec<String> = asked.filter_map(own).collect();
    if !build.no_default_features {
        waiting.push("default".to_owned());
    }
    let mut on = HashSet::new();
    while let Some(feature) = waiting.pop() {
        let more = package.features.get(&feature).cloned().unwrap_or_default();
        if on.insert(feature) {
            waiting.extend(more);
        }
    }
    on
}

/// The first error of a target; of its own package, if that is where it stopped; of
/// whatever else did not build.
fn why(
    project: &Project,
    package: &Package,
    built: &Built,
    failed: Option<&CompilerMessage>,
    errors: &[CompilerMessage],
) -> String {
    let line = |e: &CompilerMessage| {
        let stand_in = built.left_out.explanation(e);
        stand_in.unwrap_or_else(|| error_line(&e.message))
    };
    if let Some(error) = failed {
        return line(error);
    }
    let own = first_of(built, errors, |e| e.package_id == package.id);
    let depends_on = |name: &str| package.dependencies.iter().any(|d| d.name == name);
    // what is no member can be needed by way of others
    let needs = |id: &PackageId| project.package(id).is_none_or(|of| depends_on(&of.name));
    // cargo shows what a script said, and hands nothing over
    if own.is_none() && built.failed_scripts().any(|(id, _)| *id == package.id) {
        return "its build script failed, as cargo shows above".to_owned();
    }
    let script = || {
        let mut failed = built.failed_scripts().map(|(id, _)| id);
        Some(name_in(failed.find(|id| needs(id))?))
    };
    let missing = || {
        let mut members = project.packages().iter();
        let is_missing = |p: &&Package| depends_on(&p.name) && !built.libraries.contains(&p.id);
        Some(members.find(is_missing)?.name.to_string())
    };
    match own.or(first_of(built, errors, |e| needs(&e.package_id))) {
        None => match (script(), missing()) {
            (Some(name), _) => format!("it needs `{name}`, whose build script failed"),
            (None, Some(name)) => format!("it needs `{name}`, which was not built"),
            (None, None) => "cargo did not say why: try it alone".to_owned(),
        },
        Some(error) => {
            let of = match project.package(&error.package_id) {
                Some(p) => module_name(p.name.as_str(), &error.target),
                None => error.target.name.clone(),
            };
            format!("it needs `{of}`, which does not build: {}", line(error))
        }
    }
}

/// The first error of these; what a stand-in explains counts first, since others may come of it.
fn first_of<'a>(
    built: &Built,
    errors: &'a [CompilerMessage],
    is_meant: impl Fn(&CompilerMessage) -> bool,
) -> Option<&'a CompilerMessage> {
    let mut meant = errors.iter().filter(|e| is_meant(e));
    let mut explained = meant.clone().filter(|e| built.left_out.explains(e));
    explained.next().or_else(|| meant.next())
}
