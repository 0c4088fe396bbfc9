//! What rests on the words and shapes of std, libtest, rustdoc and cargo, on Rusts that are newer
//! than the one that all other tests are built with. One that is not here is named on stderr.

use super::doctests;
use super::made::{Crate, MANIFEST};
use super::stand_ins;
use crate::support::{Events, Ran, Target, finish, wasmtest, workspace};
use crate::verdicts::{awkward_words_are_not_misread, every_ending_has_its_verdict};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use xtask::toolchains::{Toolchain, newer};

/// The test binary of a guest, built with this Rust.
fn guest(rust: &Toolchain, name: &str, target: Target, profile: &str) -> PathBuf {
    let built = xtask::guest::build_guest_on(rust, &workspace(), name, target.triple(), profile);
    built.expect("the guest builds")
}

#[test]
fn every_kind_of_ending_has_its_verdict_on_newer_rusts() {
    for rust in newer() {
        for (target, profile) in [
            (Target::P1, "dev"),
            (Target::P1, "release"),
            (Target::P2, "dev"),
        ] {
            let module = guest(rust, "verdicts", target, profile);
            every_ending_has_its_verdict(&module, "not supported by WASI yet");
        }
    }
}

#[test]
fn whatever_names_a_stand_in_is_refused_by_newer_rusts() {
    for rust in newer() {
        stand_ins::everything_else_is_run(&stand_ins::made().on(rust));
    }
}

#[test]
fn what_libtest_lists_is_read_on_newer_rusts() {
    for rust in newer() {
        for target in Target::BOTH {
            awkward_words_are_not_misread(&guest(rust, "awkward", target, "dev"));
        }
    }
}

#[test]
fn every_hint_is_given_on_each_rust() {
    let wasmtest = Path::new(env!("CARGO_BIN_EXE_wasmtest"));
    for (meant, there) in xtask::toolchains::all() {
        match there {
            Err(why) => xtask::toolchains::say(meant, why),
            Ok(rust) => {
                let wrong = xtask::compat::check_hints(&workspace(), wasmtest, rust);
                assert_eq!(wrong.expect("it runs"), [""; 0]);
            }
        }
    }
}

#[test]
fn doctests_are_told_one_by_one_on_newer_rusts() {
    for rust in newer() {
        let merged = doctests::package("2024").on(rust);
        for target in Target::BOTH {
            doctests::every_doctest_is_reported(&merged, "2024", target);
        }
        doctests::merged_doctests_are_told_as_libtest_does(&merged, Target::P1);
        let apart = doctests::package("2021").on(rust);
        doctests::every_doctest_is_reported(&apart, "2021", Target::P1);
        let editions = doctests::of_other_editions().on(rust);
        doctests::other_editions_are_judged(&editions, Target::P1);
    }
}

const SCRIPT: &str = r#"fn main() {
    println!("cargo::rustc-env=FROM_THE_SCRIPT=said");
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/made"), "made").unwrap();
    // what a script writes is no test
    std::fs::write(format!("{out}/bad.wasm"), "no module").unwrap();
}
"#;

const TESTS: &str = r#"
use std::{env, fs};
#[test] fn out_dir() {
    assert_eq!(fs::read_to_string(concat!(env!("OUT_DIR"), "/made")).unwrap(), "made");
    // from 1.101 on cargo tells it at build time alone
    let out = env::var("OUT_DIR");
    assert_eq!(out.as_deref().unwrap_or(env!("OUT_DIR")), env!("OUT_DIR"));
}
#[test] fn of_cargo() {
    assert_eq!(env!("FROM_THE_SCRIPT"), "said");
    assert_eq!(env::var("FROM_THE_SCRIPT").unwrap(), "said");
    assert!(env!("CARGO_BIN_EXE_prog").ends_with("prog.wasm"));
}
"#;

/// A package with a build script, a program and tests of each kind.
fn laid_out(rust: &'static Toolchain) -> Crate {
    Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("build.rs", SCRIPT),
        ("src/lib.rs", "#[test] fn in_the_library() {}\n"),
        (
            "src/bin/prog.rs",
            "fn main() {}\n#[test] fn in_the_program() {}\n",
        ),
        ("tests/outside.rs", TESTS),
    ])
    .on(rust)
}

fn ids(ran: Ran) -> BTreeSet<String> {
    let events = Events::of(ran);
    assert_eq!(events.code, 0, "{events:#?}");
    let name = |e: &serde_json::Value| e["name"].as_str().expect("a name").to_owned();
    events.ends().map(name).collect()
}

#[test]
fn a_folder_of_cargos_is_searched_in_either_layout_and_its_ids_stay() {
    for rust in newer() {
        let package = laid_out(rust);
        let build = |more: &[&str]| {
            let args = [&["test", "--no-run", "--target", "wasm32-wasip1"], more].concat();
            let ran = finish(&mut package.cargo(&args));
            assert_eq!(ran.code, 0, "{ran:?}");
        };
        let run = |folder: &Path| {
            let mut command = wasmtest();
            command
                .args(["run", "--message-format", "json"])
                .arg(folder);
            // nothing is granted here
            command.args(["--skip", "out_dir", "--skip", "of_cargo"]);
            finish(command.current_dir(package.root()))
        };
        build(&[]);
        let target = package.root().join("target/wasm32-wasip1/debug");
        let expected = ["made.wasm in_the_library", "prog.wasm in_the_program"];
        let program = |id: &String| id.starts_with("prog-") && id.ends_with(".wasm main");
        // by the folder's old name too
        for folder in [&target, &target.join("deps")] {
            let ids = ids(run(folder));
            let (programs, tests): (Vec<_>, Vec<_>) = ids.into_iter().partition(program);
            assert_eq!(
                (programs.len(), tests),
                (1, expected.map(str::to_owned).into()),
                "{rust:?}"
            );
        }
        // and as cargo's runner, which is told less than `cargo wasmtest` is
        for command in [
            &mut package.cargo(&["test", "--target", "wasm32-wasip1"]),
            &mut package.cargo_wasmtest(&[]),
        ] {
            let ran = finish(command);
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        // after a change nothing else has another name
        package.write(
            "src/lib.rs",
            "#[test] fn in_the_library() {}\n#[test] fn later() {}\n",
        );
        build(&[]);
        let all = ids(run(&target));
        assert!(all.contains("made.wasm later"), "{all:?}");
        assert!(expected.iter().all(|id| all.contains(*id)), "{all:?}");
    }
}

#[test]
fn what_cargo_has_built_is_guarded_in_either_layout() {
    for rust in newer() {
        let package = laid_out(rust);
        let refused = |folder: &str| {
            let ran = package.wasmtest(&["--", "--rw", folder]);
            assert_eq!(ran.code, 2, "{rust:?} {folder}: {ran:?}");
            assert!(
                ran.stderr.contains("cargo has built"),
                "{rust:?} {folder}: {ran:?}"
            );
        };
        let build = |variables: &[(&str, &str)]| {
            let mut command = package.cargo(&["build", "--bins"]);
            let ran = finish(command.envs(variables.iter().copied()));
            assert_eq!(ran.code, 0, "{ran:?}");
        };
        build(&[]);
        for folder in [
            "target/debug",
            "target/debug/build",
            "target/debug/examples",
        ] {
            refused(folder);
        }
        // intermediate files elsewhere: neither half is
        build(&[
            ("CARGO_BUILD_BUILD_DIR", "between"),
            ("CARGO_TARGET_DIR", "made"),
        ]);
        for folder in [
            "made",
            "made/debug",
            "between",
            "between/debug",
            "between/debug/build/made",
        ] {
            refused(folder);
        }
        let ran = package.wasmtest(&["--", "--rw", "target/criterion"]);
        assert_eq!(ran.code, 0, "{rust:?}: {ran:?}");
    }
}
