//! As cargo calls us: a crate built natively and for WASI, and its files run with our runner.

mod configuration;
mod doctests;
mod libtest_face;
mod made;
mod newer_rust;
mod public;
mod runner;
mod stand_ins;
mod trust;
mod wasmtest;

use crate::support::{Ran, finish, wasmtest};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The crate's files, natively and for WASI, by the name of their target.
struct Built {
    folder: PathBuf,
    native: BTreeMap<String, PathBuf>,
    wasm: BTreeMap<String, PathBuf>,
}

const WASIP1: &str = xtask::target::WASIP1;

/// The crate, built once.
fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("face");
        for (file, text) in [
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", LIBRARY),
            ("tests/hard.rs", HARD),
            ("benches/measured.rs", MEASURED),
        ] {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
            // a file that is not written again is not built again
            if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
                std::fs::write(&path, text).expect("it can be written");
            }
        }
        Built {
            native: build(&folder, &[]),
            wasm: build(&folder, &["--target", WASIP1]),
            folder,
        }
    })
}

/// Cargo in the crate's folder, with nothing from outside.
fn cargo(folder: &Path, args: &[&str]) -> Command {
    let args: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
    let mut command = xtask::guest::cargo(&args).expect("the target is there");
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("CARGO_TARGET_DIR", folder.join("target"))
        // benchmarks are unstable
        .env("RUSTC_BOOTSTRAP", "1");
    without_settings(&mut command);
    command
}

/// Takes away what changes how tests are run.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("RUST_TEST_") || name.starts_with("NEXTEST") {
            command.env_remove(name);
        }
    }
    command.env("RUST_BACKTRACE", "0");
}

fn build(folder: &Path, more: &[&str]) -> BTreeMap<String, PathBuf> {
    let args = [
        &["test", "--no-run", "--all-targets", "--quiet"][..],
        &["--message-format", "json"],
        more,
    ]
    .concat();
    let ran = finish(&mut cargo(folder, &args));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let messages = ran.stdout.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let file = message["executable"].as_str()?.to_owned();
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, PathBuf::from(file)))
    });
    messages.collect()
}

/// One of the crate's files with these arguments, natively.
fn native(target: &str, args: &[&str]) -> Command {
    let built = built();
    let mut command = Command::new(&built.native[target]);
    command
        .args(args)
        .current_dir(&built.folder)
        .stdin(Stdio::null());
    without_settings(&mut command);
    command
}

/// The same for WASI, with our runner.
fn ours(target: &str, args: &[&str]) -> Command {
    let built = built();
    let mut command = wasmtest();
    command
        .arg("cargo-runner")
        .arg(&built.wasm[target])
        .args(args)
        .current_dir(&built.folder);
    without_settings(&mut command);
    command
}

fn run(target: &str, args: &[&str]) -> Ran {
    finish(&mut ours(target, args))
}

const MANIFEST: &str = r#"
[package]
name = "face"
version = "0.1.0"
edition = "2024"

[[bench]]
name = "measured"

[workspace]
"#;

const LIBRARY: &str = r#"
#[cfg(test)]
mod tests {
    #[test]
    fn passes() {}
    #[test]
    fn passes_too() {}
    #[test]
    fn prints() {
        println!("said on stdout");
        eprintln!("said on stderr");
    }
    #[test]
    fn prints_without_an_end() {
        print!("no end");
    }
    #[test]
    fn fails() {
        println!("before ]]> & <?");
        assert_eq!(1 + 1, 3, "sums");
    }
    #[test]
    fn returns_err() -> Result<(), String> {
        Err("nope".into())
    }
    #[test]
    fn returns_ok() -> Result<(), String> {
        Ok(())
    }
    #[test]
    #[ignore]
    fn ignored() {}
    #[test]
    #[ignore = "too slow, really"]
    fn ignored_with_reason() {}
    #[test]
    #[ignore = "it fails"]
    fn ignored_and_fails() {
        panic!("as told");
    }
}

#[cfg(test)]
mod unable {
    #[test]
    #[should_panic]
    fn panics() {
        panic!("yes");
    }
    #[test]
    #[should_panic(expected = "yes")]
    #[ignore = "both"]
    fn panics_and_is_ignored() {
        panic!("yes");
    }
}
"#;

const HARD: &str = r#"
#[test]
fn passes() {}
#[test]
fn aborts() {
    println!("about to abort");
    std::process::abort();
}
#[test]
fn leaves_with_zero() {
    std::process::exit(0);
}
#[test]
fn never_ends() {
    loop {
        std::hint::black_box(());
    }
}
#[test]
fn says_bad_things() {
    println!("\x1b[2J");
    panic!("\x1b[31m");
}
"#;

const MEASURED: &str = r#"
#![feature(test)]
extern crate test;

#[bench]
fn adds(b: &mut test::Bencher) {
    b.iter(|| test::black_box(1) + 1);
}
#[bench]
fn prints(_: &mut test::Bencher) {
    println!("hello");
}
#[test]
fn is_a_test() {}
"#;
