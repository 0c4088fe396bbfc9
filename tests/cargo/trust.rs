//! What hostile or merely unlucky tests must not get, and results that must not be taken for others.

use super::made::{Crate, MANIFEST};
use crate::support::{Ran, Target, finish, wasmtest};

/// A workspace of packages with these tests each.
fn workspace(tests: &[(&str, &str)]) -> Crate {
    let names: Vec<&str> = tests.iter().map(|(name, _)| *name).collect();
    let manifest =
        format!("[workspace]\nmembers = {names:?}\nexclude = [\"data\"]\nresolver = \"3\"\n");
    let all = Crate::new(&[("Cargo.toml", &manifest)]);
    for (name, lib) in tests {
        all.write(
            &format!("{name}/Cargo.toml"),
            &MANIFEST.replace("made", name),
        );
        all.write(&format!("{name}/src/lib.rs"), lib);
    }
    all
}

#[test]
fn what_is_run_natively_cannot_be_granted_for_writing_nor_is_it_advised() {
    let write =
        |path: &str| format!("#[test] fn t() {{ std::fs::write(\"{path}\", \"x\").unwrap(); }}\n");
    let all = workspace(&[("a", &write("../b/build.rs")), ("b", "")]);
    all.write(".git/hooks/sample", "");
    all.write("old/debug/.fingerprint/x", "");
    all.write("new/debug/build/p/0123456789abcdef/fingerprint/x", "");
    // where what lies between is built elsewhere
    all.write("bin/debug/.cargo-lock", "");
    for (folder, what) in [
        ("../b", "manifest"),
        ("../.git", "git's hooks"),
        ("../.git/hooks", "git's hooks"),
        ("../old", "what cargo has built"),
        ("../old/debug/examples", "what cargo has built"),
        ("../new", "what cargo has built"),
        ("../new/debug/build", "what cargo has built"),
        (
            "../new/debug/build/p/0123456789abcdef/out",
            "what cargo has built",
        ),
        ("../bin", "what cargo has built"),
        ("../bin/debug/examples", "what cargo has built"),
    ] {
        let ran = all.wasmtest(&["-p", "a", "--", "--rw", folder]);
        assert_eq!(ran.code, 2, "{folder}: {ran:?}");
        assert!(ran.stderr.contains(what), "{folder}: {ran:?}");
    }
    let ran = all.wasmtest(&["-p", "a"]);
    assert!(
        ran.stdout
            .contains("tried to write ../b/build.rs: read-only\n"),
        "{ran:?}"
    );
    // a link that a test could have made
    all.write("a/out/keep", "");
    std::os::unix::fs::symlink("../src", all.root().join("a/out/led")).expect("linked");
    let ran = all.wasmtest(&["-p", "a", "--", "--rw", "out/led"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("a link in it leads to"), "{ran:?}");
}

#[test]
fn tests_see_neither_a_home_beside_them_nor_each_others_scratch() {
    let read = "#[test] fn t() {
        assert!(std::fs::read(\"../user/.ssh/key\").is_err());
        assert!(std::fs::read(\"../tmp/keep\").is_err());
    }\n";
    let all = workspace(&[("a", read)]);
    all.write("user/.ssh/key", "secret");
    all.write("tmp/keep", "");
    // the workspace is what all homes lie in
    let mut command = all.cargo_wasmtest(&["-p", "a"]);
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let rustup = std::env::var_os("RUSTUP_HOME").map(std::path::PathBuf::from);
    let rustup = rustup.or_else(|| Some(std::env::home_dir()?.join(".rustup")));
    command
        .env("HOME", all.root().join("user"))
        .env("CARGO_HOME", home.expect("known"))
        .env("RUSTUP_HOME", rustup.expect("known"));
    let ran = finish(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    // temporary folders are in what tests read
    let look = "#[test] fn t() {
        let own = std::env::var(\"TMPDIR\").unwrap() + \"/x\";
        std::fs::write(own, \"x\").unwrap();
        let there = std::fs::read_dir(\"../tmp\").unwrap();
        let names: Vec<_> = there.map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [\"keep\"]);
    }\n";
    all.write("a/src/lib.rs", look);
    let mut command = all.cargo_wasmtest(&["-p", "a", "--tests"]);
    let ran = finish(command.env("TMPDIR", all.root().join("tmp")));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_link_that_leads_elsewhere_in_the_workspace_is_told_by_the_name_that_reaches_it() {
    let read = "#[test] fn t() { std::fs::read_to_string(\"link\").unwrap(); }\n";
    let all = workspace(&[("a", read)]);
    all.write("data/file", "x");
    std::os::unix::fs::symlink("../data/file", all.root().join("a/link")).expect("linked");
    let file = all.root().join("data/file");
    for target in Target::BOTH {
        let ran = all.wasmtest(&["-p", "a", "--target", target.triple()]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let told = format!("{} can be reached", file.display());
        assert!(ran.stdout.contains(&told), "{target:?}: {ran:?}");
    }
}

#[test]
fn a_path_that_natively_does_not_exist_is_not_found_and_seeds_beside_sources_are() {
    // what a test natively finds, and what not; `walks` does as proptest does
    let lib = r#"
        use std::io::{ErrorKind::NotFound, Write};
        use std::path::{Path, PathBuf};
        use std::fs;

        fn none<T>(tried: std::io::Result<T>) {
            assert_eq!(tried.err().expect("it is not there").kind(), NotFound);
        }
        fn wrong() {
            none(fs::metadata("m"));
            none(fs::metadata("m/"));
            none(fs::read_dir("m"));
            none(fs::read_dir("m/src"));
            none(fs::metadata("m/data"));
            none(fs::metadata("m/data/d"));
            none(fs::metadata("./m/data/d"));
            none(fs::read("m/data/d"));
            none(fs::read("m/proptest-regressions/d.txt"));
            none(fs::read(file!()));
            assert!(fs::write("m/data/d", "x").is_err());
            assert!(fs::create_dir("m/data/new").is_err());
            assert_eq!(fs::read_to_string("data/d").unwrap(), "d");
        }
        fn source() -> PathBuf {
            let mut folder = std::env::current_dir().unwrap();
            loop {
                let source = folder.join(file!());
                if source.is_file() { return source }
                assert!(folder.pop(), "no source is found");
            }
        }
        fn seeds() -> PathBuf {
            let source = source();
            let folder = source.ancestors().skip(1).find(|f| f.join("lib.rs").is_file()).unwrap();
            folder.parent().unwrap().join("proptest-regressions/lib.txt")
        }

        #[test] fn nothing_is_found() { wrong(); }
        #[test] fn seeds_are_found() {
            assert_eq!(fs::read_to_string(seeds()).unwrap(), "seed\n");
            wrong();
        }
        #[test] #[ignore] fn seeds_are_written() {
            let seeds = seeds();
            fs::create_dir_all(seeds.parent().unwrap()).unwrap();
            let mut file = fs::OpenOptions::new().append(true).create(true).open(&seeds).unwrap();
            file.write_all(b"more\n").unwrap();
            assert!(Path::new(&seeds).is_file());
        }
    "#;
    let all = workspace(&[("m", lib), ("other", "")]);
    all.write("m/data/d", "d");
    all.write("m/proptest-regressions/lib.txt", "seed\n");
    all.write("m/proptest-regressions/d.txt", "not a source's");
    // as cargo has it natively
    let ran = finish(&mut all.cargo(&["test", "-p", "m", "--quiet"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let seeds = all.root().join("m/proptest-regressions");
    for target in Target::BOTH {
        let run = |rest: &[&str]| {
            let args = [&["-p", "m", "--target", target.triple(), "--"][..], rest].concat();
            all.wasmtest(&args)
        };
        let ran = run(&["-v"]);
        assert_eq!(ran.code, 0, "{target:?}: {ran:?}");
        let told = |test: &str| {
            let used = format!("m {test}: m/src/lib.rs was found, as file!() names it");
            (ran.stdout.clone() + &ran.stderr).contains(&used)
        };
        assert!(told("seeds_are_found"), "{target:?}: {ran:?}");
        assert!(!told("nothing_is_found"), "{target:?}: {ran:?}");
        // and nothing more with a grant
        let ran = run(&["--rw", "proptest-regressions"]);
        assert_eq!(ran.code, 0, "{target:?}: {ran:?}");
        let write = ["--run-ignored", "seeds_are_written"];
        let ran = run(&write);
        assert_eq!(ran.code, 1, "{target:?}: {ran:?}");
        assert!(
            ran.stdout.contains("--rw proptest-regressions allows it"),
            "{target:?}: {ran:?}"
        );
        let ran = run(&[&["--rw", "proptest-regressions"], &write[..]].concat());
        assert_eq!(ran.code, 0, "{target:?}: {ran:?}");
        let written = std::fs::read_to_string(seeds.join("lib.txt")).expect("there");
        assert_eq!(written, "seed\nmore\n", "{target:?}");
        // made by the host, which is asked to let it be written to
        std::fs::remove_dir_all(&seeds).expect("there");
        let ran = run(&[&["--rw", "proptest-regressions"], &write[..]].concat());
        assert_eq!(ran.code, 0, "{target:?}: {ran:?}");
        let written = std::fs::read_to_string(seeds.join("lib.txt")).expect("there");
        assert_eq!(written, "more\n", "{target:?}");
        std::fs::write(seeds.join("lib.txt"), "seed\n").expect("written");
        std::fs::write(seeds.join("d.txt"), "not a source's").expect("written");
    }
}

#[test]
fn a_folder_with_a_name_that_is_not_utf_8_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let list = "#[test] fn t() {
        assert_eq!(std::fs::read_dir(\"data/good\").unwrap().count(), 1);
        let count = || -> std::io::Result<usize> {
            let mut count = 0;
            for entry in std::fs::read_dir(\"data/deep\")? { entry?; count += 1; }
            Ok(count)
        };
        count().unwrap();
    }\n";
    let all = workspace(&[("a", list)]);
    all.write("a/data/good/x", "");
    all.write("a/data/deep/x", "");
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9");
    std::fs::write(all.root().join("a/data/deep").join(odd), "").expect("written");
    for target in Target::BOTH {
        let ran = all.wasmtest(&["-p", "a", "--target", target.triple()]);
        assert_eq!(ran.code, 1, "{target:?}: {ran:?}");
        let told = "tried to read data/deep (or /data/deep): WASI tells no name of a folder in which one is not UTF-8, as caf\\xe9 is";
        assert!(ran.stdout.contains(told), "{target:?}: {ran:?}");
    }
}

#[test]
fn a_silent_program_is_no_empty_list_and_a_name_is_no_flag() {
    // mentions what libtest reads, and is none; and one that takes names like flags
    let silent = "fn main() {
        let quiet = std::env::var(\"RUST_TEST_NOCAPTURE\").is_err();
        let threads = std::env::var(\"RUST_TEST_THREADS\").is_ok();
        if std::env::args().len() > 1 { return }
        panic!(\"it fails {quiet} {threads}\");
    }\n";
    let flags = "fn main() {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let free = args.iter().position(|a| a == \"--\").unwrap_or(args.len());
        if args[..free].iter().any(|a| a == \"--list\") {
            if !args.iter().any(|a| a == \"--ignored\") { println!(\"--list: test\"); }
            return;
        }
        assert_eq!(args.last().map(String::as_str), Some(\"--list\"));
        panic!(\"it fails\");
    }\n";
    let target = |name: &str| format!("[[test]]\nname = \"{name}\"\nharness = false\n");
    let package = Crate::new(&[
        (
            "Cargo.toml",
            &(MANIFEST.to_owned() + &target("silent") + &target("flags")),
        ),
        ("tests/silent.rs", silent),
        ("tests/flags.rs", flags),
    ]);
    for wasi in Target::BOTH {
        for (name, test) in [("silent", "main"), ("flags", "--list")] {
            let ran = package.wasmtest(&["--test", name, "--target", wasi.triple()]);
            assert_eq!(ran.code, 1, "{name} {wasi:?}: {ran:?}");
            assert!(ran.stdout.contains("Ran 1 test"), "{name}: {ran:?}");
            assert!(ran.stdout.contains("it fails"), "{name}: {ran:?}");
            assert!(
                ran.stdout.contains(&format!("made::{name} {test}")),
                "{ran:?}"
            );
        }
        let args = ["test", "--test", "silent", "--target", wasi.triple()];
        let ran = finish(&mut package.cargo(&args));
        assert_eq!(ran.code, 101, "{ran:?}");
    }
    // as cargo-nextest asks for it
    let built = package.cargo(&[
        "test",
        "--no-run",
        "--message-format=json",
        "--test",
        "flags",
        "--target",
        Target::P1.triple(),
    ]);
    let ran = as_nextest_asks(&package, &executable_of(built), "--list");
    assert_eq!(ran.code, 101, "{ran:?}");
}

#[test]
fn a_skip_is_no_pass_under_cargo_nextest() {
    let skips =
        "#[test] fn t() { eprintln!(\"wasmtest: skipped: a reason\"); std::process::exit(0) }\n";
    let package = Crate::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", skips)]);
    let target = Target::P2.triple();
    let ran = package.wasmtest(&["--lib", "--target", target]);
    assert_ne!(ran.code, 0, "{ran:?}");
    let built = [
        "test",
        "--no-run",
        "--message-format=json",
        "--lib",
        "--target",
        target,
    ];
    let ran = as_nextest_asks(&package, &executable_of(package.cargo(&built)), "t");
    assert_eq!(ran.code, 101, "{ran:?}");
}

/// Runs the test of this name as cargo-nextest has it run.
fn as_nextest_asks(package: &Crate, file: &str, name: &str) -> Ran {
    let mut command = wasmtest();
    command
        .args(["cargo-runner", file, "--exact", name, "--nocapture"])
        .current_dir(package.root())
        .env("NEXTEST", "1");
    finish(&mut command)
}

/// The one file that cargo says it has built.
fn executable_of(mut command: std::process::Command) -> String {
    let ran = finish(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut files = ran.stdout.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(str::to_owned)
    });
    files.next().expect("it names it")
}

#[test]
fn what_does_not_build_takes_no_doctests_along_and_is_told_with_its_reason() {
    let both = "/// ```\n/// ```\npub fn f() {}\n#[test] fn t() {}\n";
    // only the tests of y need what does not build
    let host = "use std::os::unix::net::UnixStream; pub fn f(_: UnixStream) {}\n";
    let all = workspace(&[("x", both), ("y", both), ("z", both), ("host", host)]);
    all.write(
        "y/Cargo.toml",
        &(MANIFEST.replace("made", "y") + "[dev-dependencies]\nhost = { path = \"../host\" }\n"),
    );
    all.write(
        "z/Cargo.toml",
        &(MANIFEST.replace("made", "z") + "[dependencies]\ny = { path = \"../y\" }\n"),
    );
    let args = [
        "--workspace",
        "--exclude",
        "host",
        "--keep-going",
        "--allow-not-built",
    ];
    let ran = all.wasmtest(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("NOT BUILT y::doc/y"), "{ran:?}");
    assert!(ran.stdout.contains("Ran 4 tests"), "{ran:?}");
    assert_eq!(all.wasmtest(&args[..4]).code, 5);

    // a build script that fails, as those of packages for the host alone do
    all.write("y/Cargo.toml", &MANIFEST.replace("made", "y"));
    all.write("y/build.rs", "fn main() { panic!(\"no host library\"); }\n");
    let ran = all.wasmtest(&args);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("its build script failed"), "{ran:?}");
    assert!(
        ran.stdout
            .contains("it needs `y`, whose build script failed"),
        "{ran:?}"
    );
    let ran = all.wasmtest(&["-p", "y", "--keep-going"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stdout.contains("its build script failed"), "{ran:?}");
}

#[test]
fn cargos_own_target_counts_and_a_runner_named_wrongly_is_put_right() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "#[test] fn t() {}\n"),
        (
            ".cargo/config.toml",
            "[build]\ntarget = \"wasm32-wasip2\"\n",
        ),
    ]);
    let ran = package.wasmtest(&["--no-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("wasm32-wasip2"), "{ran:?}");
    let mut command = package.cargo(&["test", "--target", Target::P1.triple()]);
    let wasmtest = env!("CARGO_BIN_EXE_wasmtest");
    let ran = finish(command.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", wasmtest));
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("wasmtest cargo-runner"), "{ran:?}");
}
