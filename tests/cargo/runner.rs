//! `wasmtest cargo-runner` under real cargo: tests, programs, benches, and mistakes.

use super::made::{Crate, MANIFEST};
use crate::support::{Ran, Target, finish, wasmtest};
use std::path::Path;
use std::process::Stdio;

const PROGRAM: &str = r#"
use std::io::Read;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("exit") => std::process::exit(args[2].parse().unwrap()),
        Some("read") => print!("{}", std::fs::read_to_string(&args[2]).unwrap()),
        Some("env") => print!("{:?}", std::env::var(&args[2])),
        Some("stdin") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).unwrap();
            eprint!("err");
            print!("{}", text.to_uppercase());
        }
        _ => print!("{:?}", &args[1..]),
    }
    assert!(args[0].ends_with(".wasm"), "{args:?}");
}
"#;

/// A host-compiled test that starts the WASI program of its package, as `assert_cmd` does.
const STARTS: &str = r#"
use std::process::Command;
#[test] fn starts_the_program_many_times() {
    let runner = std::env::var("RUNNER_UNDER_TEST").unwrap();
    let program = std::env::var("PROGRAM_UNDER_TEST").unwrap();
    for i in 0..40 {
        let status = Command::new(&runner).arg("cargo-runner").arg(&program)
            .args(["exit", &i.to_string()]).status().unwrap();
        assert_eq!(status.code(), Some(i));
    }
}
"#;

fn package() -> Crate {
    Crate::new(&[
        (
            "Cargo.toml",
            &format!("{MANIFEST}[[test]]\nname = \"own\"\nharness = false\n"),
        ),
        (
            "src/lib.rs",
            "#[test] fn t() { assert!(std::fs::exists(\"src/lib.rs\").unwrap()); }\n",
        ),
        ("src/main.rs", PROGRAM),
        ("examples/shown.rs", "fn main() { println!(\"shown\"); }\n"),
        (
            "tests/own.rs",
            "fn main() { println!(\"{:?}\", std::env::args().skip(1).collect::<Vec<_>>()); }\n",
        ),
        ("tests/data/file", "in the package"),
        ("below/file", "below"),
    ])
}

#[test]
fn a_program_runs_as_under_a_plain_runtime() {
    let package = package();
    for target in Target::BOTH {
        let run = |args: &[&str]| -> Ran {
            let all = [&["run", "-q", "--target", target.triple(), "--"][..], args].concat();
            finish(&mut package.cargo(&all))
        };
        assert_eq!(
            run(&["a b", "--help", "--", "-x"]).stdout,
            r#"["a b", "--help", "--", "-x"]"#
        );
        let ran = run(&["exit", "7"]);
        let seven = match target {
            Target::P1 => 7,
            // std tells a component's host no number
            Target::P2 => 1,
        };
        assert_eq!(ran.code, seven, "{ran:?}");
        assert_eq!(run(&["read", "tests/data/file"]).stdout, "in the package");
        assert_eq!(run(&["env", "CARGO_PKG_NAME"]).stdout, "Ok(\"made\")");
        assert_eq!(run(&["env", "HOME"]).stdout, "Err(NotPresent)");

        let mut command = package.cargo(&["run", "-q", "--target", target.triple(), "--", "stdin"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("cargo starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        std::io::Write::write_all(&mut stdin, b"hello").expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            (output.stdout.as_slice(), output.stderr.as_slice()),
            (&b"HELLO"[..], &b"err"[..])
        );

        // `cargo run` keeps the caller's folder
        let mut command = package.cargo(&[
            "run",
            "-q",
            "--target",
            target.triple(),
            "--",
            "read",
            "file",
        ]);
        command.current_dir(package.root().join("below"));
        assert_eq!(finish(&mut command).stdout, "below");

        let example = [
            "run",
            "-q",
            "--target",
            target.triple(),
            "--example",
            "shown",
        ];
        assert_eq!(finish(&mut package.cargo(&example)).stdout, "shown\n");
    }
}

#[test]
fn a_harness_of_its_own_gets_its_arguments_and_is_not_asked_anything() {
    let package = package();
    let args = [
        "test",
        "-q",
        "--target",
        Target::P1.triple(),
        "--test",
        "own",
        "--",
        "a",
        "--list",
    ];
    let ran = finish(&mut package.cargo(&args));
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "[\"a\", \"--list\"]\n"),
        "{ran:?}"
    );
}

#[test]
fn a_host_compiled_test_can_start_a_wasi_program_through_the_runner() {
    let package = package();
    let build = ["build", "-q", "--target", Target::P1.triple(), "--bins"];
    assert_eq!(finish(&mut package.cargo(&build)).code, 0);
    package.write("tests/starts.rs", STARTS);
    let program = package
        .root()
        .join("target")
        .join(Target::P1.triple())
        .join("debug/made.wasm");
    let mut command = package.cargo(&["test", "-q", "--test", "starts"]);
    command
        .env("RUNNER_UNDER_TEST", env!("CARGO_BIN_EXE_wasmtest"))
        .env("PROGRAM_UNDER_TEST", program);
    let ran = finish(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn tests_of_both_targets_run_with_what_the_package_grants() {
    let package = package();
    for target in Target::BOTH {
        let args = ["test", "--target", target.triple(), "--lib"];
        let ran = finish(&mut package.cargo(&args));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("test t ... ok"), "{ran:?}");
    }
    let runner = format!(
        "{} cargo-runner --no-package-dir",
        env!("CARGO_BIN_EXE_wasmtest")
    );
    let mut command = package.cargo(&["test", "--target", Target::P1.triple(), "--lib"]);
    let ran = finish(command.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", runner));
    assert_eq!(ran.code, 101, "{ran:?}");
}

#[test]
fn a_runner_that_is_named_twice_or_given_what_is_no_module_says_so() {
    let package = package();
    let twice = format!(
        "{0} cargo-runner {0} cargo-runner",
        env!("CARGO_BIN_EXE_wasmtest")
    );
    let mut command = package.cargo(&["test", "--target", Target::P1.triple(), "--lib"]);
    let ran = finish(command.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", twice));
    assert_eq!(ran.code, 101, "{ran:?}");
    assert!(ran.stderr.contains("named twice"), "{ran:?}");
    let run = |args: &[&str]| finish(wasmtest().arg("cargo-runner").args(args));
    for (file, word) in [
        ("/bin/sh", "native program"),
        ("/missing", "cannot be read"),
        ("Cargo.toml", "not WebAssembly"),
    ] {
        let ran = run(&[file]);
        assert_eq!(ran.code, 101, "{ran:?}");
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
    assert_eq!(run(&[]).code, 2);
}

#[test]
fn init_shows_its_change_writes_it_and_cargo_follows_it() {
    let package = package();
    let init = |args: &[&str]| {
        finish(
            wasmtest()
                .arg("init")
                .args(args)
                .current_dir(package.root().join("src")),
        )
    };
    let file = package.root().join(".cargo/config.toml");
    let ran = init(&["--dry-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout
            .contains("  + runner = [\"wasmtest\", \"cargo-runner\"]"),
        "{ran:?}"
    );
    assert!(!file.exists());
    package.write(".cargo/config.toml", "# ours\n[env]\nA = \"b\"\n");
    // nobody can be asked
    let ran = init(&[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("--yes writes it"), "{ran:?}");
    let ran = init(&["--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = std::fs::read_to_string(&file).expect("it was written");
    assert!(text.starts_with("# ours\n[env]\nA = \"b\"\n"), "{text}");
    assert!(init(&[]).stdout.contains("already"));

    let bin = Path::new(env!("CARGO_BIN_EXE_wasmtest"))
        .parent()
        .expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
    let mut command = package.cargo(&["test", "--target", Target::P2.triple(), "--lib"]);
    command
        .env_remove("CARGO_TARGET_WASM32_WASIP1_RUNNER")
        .env_remove("CARGO_TARGET_WASM32_WASIP2_RUNNER")
        .env("PATH", std::env::join_paths(all).expect("a path"));
    let ran = finish(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");

    package.write(
        ".cargo/config.toml",
        "[target.wasm32-wasip1]\nrunner = \"wasmtime\"\n",
    );
    let ran = init(&[]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("--force replaces it"), "{ran:?}");
    assert_eq!(init(&["--force", "--yes"]).code, 0);
    let nowhere = tempfile::tempdir().expect("a folder");
    let ran = finish(wasmtest().arg("init").current_dir(nowhere.path()));
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn nextest_hears_of_a_trial_that_leaves_in_the_middle() {
    if !super::public::has_nextest() {
        println!("cargo-nextest is not installed: not tried");
        return;
    }
    let own = r#"
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.contains(&"--list".to_owned()) {
        if !args.contains(&"--ignored".to_owned()) { println!("good: test\nleaves: test"); }
        return;
    }
    println!("\nrunning 1 test");
    if args[0] == "leaves" { std::process::exit(0); }
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out");
}
"#;
    let package = package();
    package.write("tests/own.rs", own);
    let mut command = std::process::Command::new("cargo-nextest");
    let cargo = package.cargo(&[]);
    for (name, value) in cargo.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .current_dir(package.root())
        .args([
            "nextest",
            "run",
            "--no-fail-fast",
            "--target",
            Target::P1.triple(),
        ])
        .args(["--test", "own"])
        .stdin(Stdio::null());
    let ran = finish(&mut command);
    assert_eq!(ran.code, 100, "{ran:?}");
    assert!(ran.stderr.contains("1 passed, 1 failed"), "{ran:?}");
}
