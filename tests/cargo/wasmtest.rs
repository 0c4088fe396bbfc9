//! `cargo wasmtest` on small packages and workspaces, made here.

use super::made::{Crate, MANIFEST, executable};
use crate::support::{Events, Ran, Target};

const TESTS: &str = r#"
#[test] fn passes() {}
#[test] fn panics() { panic!("on purpose") }
#[test] #[ignore = "slow"] fn ignored() {}
"#;

/// The outcome of every test by its id.
fn outcomes(ran: Ran) -> Vec<(String, String)> {
    let events = Events::of(ran);
    let mut all: Vec<(String, String)> = events
        .ends()
        .filter(|end| end["type"] == "test")
        .map(|end| {
            let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
            (text(&end["name"]), text(&end["wasmtest"]["outcome"]))
        })
        .collect();
    all.sort();
    all
}

fn listed(all: &[(String, String)]) -> Vec<String> {
    all.iter()
        .map(|(id, outcome)| format!("{id}: {outcome}"))
        .collect()
}

#[test]
fn every_target_of_a_package_is_run_under_a_name_that_does_not_change() {
    let package = Crate::new(&[
        (
            "Cargo.toml",
            &format!("{MANIFEST}[[bench]]\nname = \"speed\"\nharness = false\n"),
        ),
        ("src/lib.rs", TESTS),
        ("src/main.rs", "fn main() {}\n#[test] fn in_a_binary() {}\n"),
        (
            "tests/api.rs",
            "#[test] fn outside() { assert_eq!(env!(\"CARGO_PKG_NAME\"), \"made\"); }\n",
        ),
        (
            "examples/shown.rs",
            "fn main() {}\n#[test] fn in_an_example() {}\n",
        ),
        ("benches/speed.rs", "fn main() { println!(\"fast\"); }\n"),
    ]);
    for target in Target::BOTH {
        let run = |flags: &[&str]| {
            let flags = [
                &["--target", target.triple()],
                flags,
                &["--", "--message-format", "json"],
            ];
            outcomes(package.wasmtest(&flags.concat()))
        };
        assert_eq!(
            listed(&run(&[])),
            [
                "made ignored: skipped",
                "made panics: failed",
                "made passes: passed",
                "made::api outside: passed",
                "made::bin/made in_a_binary: passed",
            ]
        );
        assert_eq!(
            listed(&run(&["--examples", "--benches"])),
            [
                "made ignored: skipped",
                "made panics: failed",
                "made passes: passed",
                "made::bench/speed main: passed",
                "made::bin/made in_a_binary: passed",
                "made::example/shown in_an_example: passed",
            ]
        );
        assert_eq!(
            listed(&run(&["--test", "api"])),
            ["made::api outside: passed"]
        );
        assert_eq!(listed(&run(&["made passes"])), ["made passes: passed"]);
    }
    let ran = package.wasmtest(&["--lib"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stdout
            .contains("cargo wasmtest -p made --lib -- --exact -- panics"),
        "{ran:?}"
    );
    let again = ["-p", "made", "--lib", "--", "--exact", "--", "panics"];
    assert_eq!(package.wasmtest(&again).code, 1);
    // as with libtest
    for flag in ["--run-ignored", "--ignored"] {
        let ran = package.wasmtest(&["--lib", "--", flag]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    package.write(
        "tests/api.rs",
        "#[test] fn says() { println!(\"hello\"); eprint!(\"there\") }\n",
    );
    let ran = package.wasmtest(&["--test", "api"]);
    assert!(!ran.stdout.contains("hello"), "{ran:?}");
    for flag in ["--show-output", "--nocapture"] {
        let ran = package.wasmtest(&["--test", "api", "--", flag, "--test-threads", "1"]);
        for word in [
            "PASS   made::api says\n",
            "stdout │ hello",
            "stderr │ there",
            "on 1 process",
        ] {
            assert!(ran.stdout.contains(word), "{word}: {ran:?}");
        }
    }
}

#[test]
fn what_does_not_build_in_a_workspace_is_listed_and_the_rest_is_run() {
    let member = |name: &str| MANIFEST.replace("made", name);
    let workspace = Crate::new(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\nresolver = \"3\"\n",
        ),
        ("a/Cargo.toml", &member("a")),
        ("a/src/lib.rs", "#[test] fn t() {}\n"),
        ("b/Cargo.toml", &member("b")),
        ("b/src/lib.rs", "#[test] fn t() {}\n"),
        (
            "b/tests/host_only.rs",
            "#[test] fn t() { std::os::unix::fs::chroot(\".\").unwrap(); }\n",
        ),
        ("c/Cargo.toml", &member("c")),
        ("c/src/lib.rs", "pub fn f() -> u32 { nope }\n"),
        ("c/tests/api.rs", "#[test] fn t() {}\n"),
    ]);
    let ran = workspace.wasmtest(&["--workspace"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{ran:?}");
    assert!(ran.stderr.contains("cannot find value `nope`"), "{ran:?}");

    let ran = workspace.wasmtest(&["--workspace", "--keep-going"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(
        ran.stderr.matches("cannot find value `nope`").count(),
        1,
        "{ran:?}"
    );
    for line in [
        "NOT BUILT b::host_only  error[E0433]",
        "NOT BUILT c  error[E0425]: cannot find value `nope` in this scope (c/src/lib.rs:1)",
        "NOT BUILT c::api  it needs `c`, which does not build: error[E0425]",
        "INCOMPLETE (not built=3)",
        "Ran 2 tests",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    let allowed = ["--workspace", "--keep-going", "--allow-not-built"];
    let ran = workspace.wasmtest(&allowed);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("OK (not built=3)"), "{ran:?}");
    let json = [&allowed[..], &["--", "--message-format", "json"]].concat();
    let events = Events::of(workspace.wasmtest(&json));
    assert_eq!(events.summary()["wasmtest"]["not_built"], 3);

    let ran = workspace.wasmtest(&["--workspace", "--exclude", "c", "--lib"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = workspace.wasmtest(&["-p", "a", "-p", "b", "--lib", "--no-run"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(ran.stderr.matches("Executable").count(), 2, "{ran:?}");
}

#[test]
fn a_run_of_nothing_is_not_green() {
    let package = Crate::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", "pub fn f() {}\n")]);
    let ran = package.wasmtest(&[]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stdout.contains("NOTHING TO RUN"), "{ran:?}");
    assert!(ran.stderr.contains("no test was found"), "{ran:?}");
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "#[test] fn t() {}\n"),
    ]);
    let ran = package.wasmtest(&["--lib", "nothing_has_this_name"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.stdout.contains("filtered out=1"), "{ran:?}");
}

#[test]
fn files_and_variables_are_where_they_are_natively() {
    let reads = r#"
use std::{env, fs, path::Path};
#[test] fn relative() { assert_eq!(fs::read_to_string("tests/data/a").unwrap(), "a"); }
#[test] fn by_manifest_dir_at_build_time() {
    assert_eq!(fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/a")).unwrap(), "a");
}
#[test] fn by_manifest_dir_at_run_time() {
    let dir = env::var("CARGO_MANIFEST_DIR").unwrap();
    assert_eq!(fs::read_to_string(Path::new(&dir).join("tests/data/a")).unwrap(), "a");
}
#[test] fn above() { assert_eq!(fs::read_to_string("../shared/s").unwrap(), "s"); }
#[test] fn above_by_manifest_dir() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/s");
    assert_eq!(fs::read_to_string(path).unwrap(), "s");
}
#[test] fn never_above_the_workspace() {
    assert!(fs::read_to_string("../../outside").is_err());
    assert!(fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../outside")).is_err());
}
#[test] fn current_dir() {
    assert_eq!(fs::read_to_string(env::current_dir().unwrap().join("tests/data/a")).unwrap(), "a");
}
#[test] fn out_dir() {
    assert_eq!(fs::read_to_string(concat!(env!("OUT_DIR"), "/made")).unwrap(), "made");
    assert_eq!(env::var("OUT_DIR").unwrap(), env!("OUT_DIR"));
}
#[test] fn read_only() { fs::write("tests/data/new", "x").unwrap_err(); }
#[test] fn temp() {
    let file = Path::new(&env::var("TMPDIR").unwrap()).join("f");
    fs::write(&file, "x").unwrap();
}
#[test] fn of_cargo() {
    assert_eq!(env::var("CARGO_PKG_NAME").unwrap(), "haus-1");
    assert_eq!(env::var("CARGO_PKG_VERSION").unwrap(), "0.1.0");
    assert_eq!(env::var("FROM_THE_SCRIPT").unwrap(), "yes = no");
    assert!(env::var("CARGO_BIN_EXE_haus-1").unwrap().ends_with("haus-1.wasm"));
    assert!(env::var("INSTA_WORKSPACE_ROOT").unwrap().ends_with("mit Leerzeichen ä"));
}
#[test] fn of_the_caller() {
    assert_eq!(env::var("RUST_LOG").unwrap(), "trace");
    for secret in ["HOME", "PATH", "CARGO_REGISTRY_TOKEN", "AWS_SECRET_ACCESS_KEY"] {
        assert!(env::var(secret).is_err(), "{secret}");
    }
}
"#;
    let build = "fn main() { println!(\"cargo::rustc-env=FROM_THE_SCRIPT=yes = no\"); \
        std::fs::write(format!(\"{}/made\", std::env::var(\"OUT_DIR\").unwrap()), \"made\").unwrap(); }\n";
    let top = "mit Leerzeichen ä";
    let package = Crate::below(
        top,
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"häus\"]\nresolver = \"3\"\n",
            ),
            ("shared/s", "s"),
            ("../outside", "o"),
            ("häus/Cargo.toml", &MANIFEST.replace("made", "haus-1")),
            ("häus/build.rs", build),
            ("häus/src/lib.rs", ""),
            ("häus/src/main.rs", "fn main() {}\n"),
            ("häus/tests/reads.rs", reads),
            ("häus/tests/data/a", "a"),
        ],
    );
    for target in Target::BOTH {
        // and with a target folder elsewhere
        let elsewhere = package
            .root()
            .join(format!("elsewhere {}", target.triple()));
        let mut command = package.cargo_wasmtest(&[
            "--test",
            "reads",
            "--target",
            target.triple(),
            "--",
            "--message-format",
            "json",
        ]);
        command
            .env("CARGO_TARGET_DIR", &elsewhere)
            .env("RUST_LOG", "trace")
            .env("CARGO_REGISTRY_TOKEN", "secret")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let ran = crate::support::finish(&mut command);
        assert_eq!(ran.code, 0, "{ran:?}");
        let all = outcomes(ran);
        assert_eq!(all.len(), 12, "{all:?}");
        for (id, outcome) in &all {
            assert_eq!(outcome, "passed", "{id}");
        }
        assert!(!package.root().join("häus/tests/data/new").exists());
    }
}

#[test]
fn writing_is_granted_by_flag_or_setting_and_reading_can_be_taken_away() {
    let writes = "#[test] fn writes() { std::fs::write(\"out/f\", \"x\").unwrap(); \
        std::fs::write(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/out/g\"), \"x\").unwrap(); }\n\
        #[test] fn reads() { std::fs::read_to_string(\"Cargo.toml\").unwrap(); }\n";
    let make = |settings: &str| {
        Crate::new(&[
            ("Cargo.toml", &format!("{MANIFEST}{settings}")),
            ("src/lib.rs", ""),
            ("tests/w.rs", writes),
        ])
    };
    let run = |package: &Crate, flags: &[&str]| {
        let flags = [&["--test", "w", "--"], flags].concat();
        package.wasmtest(&flags)
    };
    let package = make("");
    assert_eq!(run(&package, &["writes"]).code, 1);
    let ran = run(&package, &["writes", "--rw", "out"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(package.root().join("out/f").is_file() && package.root().join("out/g").is_file());
    assert_eq!(run(&package, &["reads"]).code, 0);
    assert_eq!(run(&package, &["reads", "--no-package-dir"]).code, 1);
    let ran = run(&package, &["--rw", "/nowhere"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("--rw: `/nowhere`"), "{ran:?}");

    let package = make("[package.metadata.wasmtest]\nrw = [\"out\"]\nenv = [\"A=b\"]\n");
    assert_eq!(run(&package, &[]).code, 0);
    assert!(package.root().join("out/f").is_file());
    let package = make("[package.metadata.wasmtest]\npackage-dir = false\n");
    assert_eq!(run(&package, &["reads"]).code, 1);
    let package = make("[workspace.metadata.wasmtest]\nrw = [\"out\"]\n[workspace]\n");
    assert_eq!(run(&package, &[]).code, 0);
    let package = make("");
    package.write(
        "wasmtest.toml",
        "[cargo]\nrw = [\"out\"]\ntarget = \"wasm32-wasip2\"\n",
    );
    let ran = run(&package, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(package.root().join("target/wasm32-wasip2").is_dir());
    let package = make("[package.metadata.wasmtest]\nread = [\"out\"]\n");
    let ran = run(&package, &[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("unknown field `read`"), "{ran:?}");
}

#[test]
fn what_cannot_be_built_is_said_in_a_sentence() {
    let empty = Crate::new(&[]);
    let ran = empty.wasmtest(&[]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stderr.contains("could not find `Cargo.toml`"),
        "{ran:?}"
    );

    let package = Crate::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", TESTS)]);
    for (target, word) in [
        ("wasm32-wasi", "is called wasm32-wasip1 by now"),
        ("wasm32-wasip1-threads", "needs threads in the host"),
        ("x86_64-unknown-linux-gnu", "cannot be run here"),
    ] {
        let ran = package.wasmtest(&["--target", target]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
    // a compiler that has no standard library for it
    let rustc = package.root().join("rustc");
    package.write("rustc", "#!/bin/sh\necho /nowhere\n");
    executable(&rustc);
    let mut command = package.cargo_wasmtest(&[]);
    let ran = crate::support::finish(command.env("RUSTC", &rustc));
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stderr.contains("rustup target add wasm32-wasip1"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");

    for (flags, word) in [
        (&["--nope"][..], "unexpected argument '--nope'"),
        (&["--", "--nope"], "unexpected argument '--nope'"),
        (&["--doc", "--lib"], "cannot be used with"),
    ] {
        let ran = package.wasmtest(flags);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(word), "{ran:?}");
    }
    let ran = package.wasmtest(&["-p", "nope"]);
    assert_eq!(ran.code, 5, "{ran:?}");
}

#[test]
fn a_target_with_a_harness_of_its_own_is_asked_for_its_tests_and_is_a_command_if_it_does_not_say() {
    let bench = |name: &str| format!("[[test]]\nname = \"{name}\"\nharness = false\n");
    let manifest = ["lists", "silent", "hangs", "runs"].map(bench).concat();
    let lists = r#"
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |a: &str| args.iter().any(|b| b == a);
    if has("--list") {
        if !has("--ignored") { println!("one: test\ntwo: test"); }
        println!("three: test");
        std::process::exit(0);
    }
    assert!(has("--exact"));
    println!("\nrunning 1 test");
    if has("three") && !has("--include-ignored") { std::process::exit(9) }
    if has("two") { println!("two does not work"); std::process::exit(101); }
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out");
    std::process::exit(0);
}
"#;
    let package = Crate::new(&[
        ("Cargo.toml", &format!("{MANIFEST}{manifest}")),
        ("src/lib.rs", ""),
        ("tests/lists.rs", lists),
        ("tests/silent.rs", "fn main() {}\n"),
        (
            "tests/hangs.rs",
            "fn main() { if std::env::args().count() > 1 { loop {} } }\n",
        ),
        (
            "tests/runs.rs",
            "fn main() { println!(\"test a ... ok\"); std::process::exit(3) }\n",
        ),
    ]);
    for target in Target::BOTH {
        let exit = match target {
            Target::P1 => "failed",
            Target::P2 => "failed",
        };
        for _ in 0..2 {
            let flags = [
                "--tests",
                "--target",
                target.triple(),
                "--",
                "--message-format",
                "json",
            ];
            let ran = package.wasmtest(&flags);
            assert_eq!(
                listed(&outcomes(ran)),
                [
                    "made::hangs main: passed".to_owned(),
                    "made::lists one: passed".to_owned(),
                    "made::lists three: skipped".to_owned(),
                    "made::lists two: failed".to_owned(),
                    format!("made::runs main: {exit}"),
                    "made::silent main: passed".to_owned(),
                ]
            );
        }
    }
}

#[test]
fn keep_going_runs_what_runs_without_it_whatever_is_asked_for() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "#[test] fn unit() {}\n"),
        ("src/main.rs", "fn main() {}\n#[test] fn in_a_binary() {}\n"),
        ("tests/api.rs", "#[test] fn outside() {}\n"),
        (
            "examples/shown.rs",
            "fn main() {}\n#[test] fn in_an_example() {}\n",
        ),
        (
            "examples/broken.rs",
            "fn main() { nope() }\n#[test] fn t() {}\n",
        ),
    ]);
    let run = |flags: &[&str]| {
        let flags = [flags, &["--", "--message-format", "json"]].concat();
        listed(&outcomes(package.wasmtest(&flags)))
    };
    for flags in [
        &["--lib"][..],
        &["--bins"],
        &["--bin", "made"],
        &["--test", "api"],
        &["--tests"],
        &["--lib", "--test", "api"],
        &["--example", "shown"],
    ] {
        let all = run(flags);
        assert!(!all.is_empty(), "{flags:?}");
        assert_eq!(run(&[flags, &["--keep-going"]].concat()), all, "{flags:?}");
    }
    let ran = package.wasmtest(&["--keep-going", "--examples"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stdout
            .contains("NOT BUILT made::example/broken  error[E0425]"),
        "{ran:?}"
    );
}

#[test]
fn a_procedural_macro_in_a_workspace_is_no_trouble() {
    let member = |name: &str| MANIFEST.replace("made", name);
    let workspace = Crate::new(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"mac\", \"user\"]\nresolver = \"3\"\n",
        ),
        (
            "mac/Cargo.toml",
            &format!("{}[lib]\nproc-macro = true\n", member("mac")),
        ),
        ("mac/src/lib.rs", "#[test] fn native() {}\n"),
        ("user/Cargo.toml", &member("user")),
        ("user/src/lib.rs", "#[test] fn t() {}\n"),
    ]);
    for flags in [&["--workspace"][..], &["--workspace", "--keep-going"]] {
        let ran = workspace.wasmtest(flags);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("Ran 1 test "), "{ran:?}");
        assert!(ran.stderr.contains("mac is a procedural macro"), "{ran:?}");
    }
}

#[test]
fn what_all_tests_skip_is_no_pass_and_an_excluded_package_takes_nothing_along() {
    let member = |name: &str| MANIFEST.replace("made", name);
    let failing = "/// ```\n/// panic!();\n/// ```\npub fn f() {}\n";
    let workspace = Crate::new(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"alpha\", \"host-x\"]\nresolver = \"3\"\n",
        ),
        ("alpha/Cargo.toml", &member("alpha")),
        ("alpha/src/lib.rs", failing),
        ("host-x/Cargo.toml", &member("host-x")),
        ("host-x/src/lib.rs", "#[test] #[ignore] fn t() {}\n"),
    ]);
    for flags in [
        &["--workspace", "--exclude", "host-*"][..],
        &["-p", "alpha:0.1.0"],
        &["-p", "al*"],
    ] {
        let ran = workspace.wasmtest(flags);
        assert_eq!(ran.code, 1, "{flags:?}: {ran:?}");
        assert!(ran.stdout.contains("FAIL   alpha::doc/alpha"), "{ran:?}");
    }
    let ran = workspace.wasmtest(&["-p", "host-x"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.stdout.contains("NOTHING WAS RUN (skipped=1)"),
        "{ran:?}"
    );
}

#[test]
fn what_is_run_on_this_machine_is_never_granted_for_writing() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "#[test] fn t() {}\n"),
        ("../outside/file", "o"),
    ]);
    let link = package.root().join("snap");
    std::os::unix::fs::symlink("../outside", &link).expect("made");
    for (path, word) in [
        (".", "manifest"),
        ("target", "target folder"),
        ("snap", "a link in it leads to"),
        ("snap/new", "a link in it leads to"),
    ] {
        let ran = package.wasmtest(&["--lib", "--", "--rw", path]);
        assert_eq!(ran.code, 2, "{path}: {ran:?}");
        assert!(ran.stderr.contains(word), "{path}: {ran:?}");
    }
    assert!(!package.root().join("../outside/new").exists());
}

#[test]
fn reports_have_the_doctests_too_and_are_looked_at_before_the_build() {
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        (
            "src/lib.rs",
            "/// ```\n/// made::f();\n/// ```\npub fn f() {}\n#[test] fn t() {}\n",
        ),
    ]);
    for bad in ["html=x", "json=missing/x"] {
        let ran = package.wasmtest(&["--", "--report", bad]);
        assert_eq!(ran.code, 2, "{bad}: {ran:?}");
        assert!(!package.root().join("target").exists(), "{bad}");
    }
    let ran = package.wasmtest(&["--", "--report", "json=out.json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let written = std::fs::read_to_string(package.root().join("out.json")).expect("written");
    for id in ["made t", "made::doc/made src/lib.rs - f (line 1)"] {
        assert!(written.contains(&format!("\"{id}\"")), "{id}: {written}");
    }
    let flags = ["--lib", "--", "--rw", "out", "--report", "json=out/r.json"];
    std::fs::create_dir(package.root().join("out")).expect("made");
    let ran = package.wasmtest(&flags);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("which tests may write to"), "{ran:?}");
    assert!(!package.root().join("out/r.json").exists());
}
