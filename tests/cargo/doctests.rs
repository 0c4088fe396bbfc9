//! Doctests: merged and not, under cargo with our runner and under `cargo wasmtest`.

use super::made::{Crate, MANIFEST};
use crate::support::{Events, Target, finish};
use std::collections::BTreeMap;
use std::process::Stdio;

const LIB: &str = r#"//! ```
//! assert_eq!(made::one(), 1);
//! ```

/// One.
/// ```
/// println!("before");
/// assert_eq!(made::one(), 2, "the middle one");
/// ```
/// ```should_panic
/// panic!("as expected");
/// ```
/// ```should_panic
/// // it does not
/// ```
/// ```
/// std::process::exit(0);
/// ```
/// ```ignore
/// nope();
/// ```
/// ```no_run
/// loop {}
/// ```
/// ```compile_fail
/// let x: u32 = "";
/// ```
/// ```standalone_crate
/// assert!(std::fs::exists("Cargo.toml").unwrap());
/// ```
/// ```standalone_crate
/// std::process::exit(3);
/// ```
pub fn one() -> u32 { 1 }
"#;

/// A package with a doctest of each kind.
pub fn package(edition: &str) -> Crate {
    Crate::new(&[
        ("Cargo.toml", &MANIFEST.replace("2024", edition)),
        ("src/lib.rs", LIB),
    ])
}

/// What `cargo wasmtest --doc` says of a package's doctests.
fn events(package: &Crate, target: Target) -> Events {
    let args = ["--doc", "--target", target.triple()];
    let json = ["--", "--message-format", "json"];
    Events::of(package.wasmtest(&[&args[..], &json].concat()))
}

/// Line of the doctest's fence, and how it ended.
fn outcomes(events: &Events) -> BTreeMap<u32, String> {
    events
        .ends()
        .filter(|e| e["type"] == "test")
        .map(|e| {
            let name = e["name"].as_str().expect("a name");
            let module = "made::doc/made src/lib.rs - ";
            assert!(name.starts_with(module), "{name}");
            let (_, line) = name.rsplit_once("(line ").expect("a line");
            let line = line
                .strip_suffix(')')
                .expect("a line")
                .parse()
                .expect("a number");
            (
                line,
                e["wasmtest"]["outcome"].as_str().expect("there").to_owned(),
            )
        })
        .collect()
}

/// Of that package.
pub fn every_doctest_is_reported(package: &Crate, edition: &str, target: Target) {
    let events = events(package, target);
    assert_eq!(events.code, 1, "{events:?}");
    let expected = [
        (1, "passed"),
        (6, "failed"),
        (10, "passed"),
        (13, "failed"),
        (16, "passed"),
        (19, "skipped"),
        (22, "skipped"),
        (25, "passed"),
        (28, "passed"),
        (31, "failed"),
    ];
    let expected: BTreeMap<u32, String> = expected.map(|(line, o)| (line, o.to_owned())).into();
    assert_eq!(outcomes(&events), expected, "{edition} {target:?}");
    let middle = events
        .ends()
        .find(|e| e["name"].as_str().is_some_and(|n| n.ends_with("(line 6)")))
        .expect("it ended");
    let message = middle["wasmtest"]["message"].as_str().expect("a message");
    assert!(message.contains("the middle one"), "{message}");
    if edition == "2024" {
        assert!(message.starts_with("panicked at src/lib.rs:8"), "{message}");
        let text = middle.to_string();
        assert!(!text.contains("doctest_bundle"), "{text}");
    }
}

#[test]
fn cargo_wasmtest_reports_every_doctest_whoever_judges_it() {
    for edition in ["2024", "2021"] {
        let package = package(edition);
        for target in Target::BOTH {
            every_doctest_is_reported(&package, edition, target);
        }
        let one = ["--doc", "--", "--exact", "src/lib.rs - one (line 6)"];
        let ran = package.wasmtest(&one);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stdout.contains("Ran 1 test"), "{ran:?}");
        let ran = package.wasmtest(&["--doc", "(line 1)"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains("Ran 1 test"), "{ran:?}");
    }
}

#[test]
fn cargo_test_runs_merged_doctests_apart_and_tells_them_as_libtest_does() {
    let package = package("2024");
    for target in Target::BOTH {
        merged_doctests_are_told_as_libtest_does(&package, target);
    }
}

/// Of that package, of edition 2024.
pub fn merged_doctests_are_told_as_libtest_does(package: &Crate, target: Target) {
    let test = |args: &[&str]| {
        let all = [&["test", "--doc", "--target", target.triple()][..], args].concat();
        finish(&mut package.cargo(&all))
    };
    let ran = test(&[]);
    assert_eq!(ran.code, 101, "{ran:?}");
    for line in [
        "running 7 tests",
        "test src/lib.rs - (line 1) ... ok",
        "test src/lib.rs - one (line 6) ... FAILED",
        "test src/lib.rs - one (line 10) - should panic ... ok",
        "test src/lib.rs - one (line 13) - should panic ... FAILED",
        "test src/lib.rs - one (line 16) ... ok",
        "test src/lib.rs - one (line 19) ... ignored",
        "test src/lib.rs - one (line 22) - compile ... ok",
        "panicked at src/lib.rs:8:",
        "it is marked `should_panic` and did not panic",
        "test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out",
        "test src/lib.rs - one (line 25) - compile fail ... ok",
        "test src/lib.rs - one (line 28) ... ok",
        "test src/lib.rs - one (line 31) ... FAILED",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    // the user's arguments are built in
    let ran = test(&["--", "--skip", "6)", "--skip", "13", "--skip", "31"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("running 4 tests"), "{ran:?}");
}

#[test]
fn doctests_count_with_everything_else_and_a_library_without_any_is_no_trouble() {
    let member = |name: &str| MANIFEST.replace("made", name);
    let tests = "/// ```\n/// assert!(true);\n/// ```\npub fn f() {}\n#[test] fn unit() {}\n";
    let workspace = Crate::new(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\nresolver = \"3\"\n",
        ),
        ("a/Cargo.toml", &member("a")),
        ("a/src/lib.rs", tests),
        ("b/Cargo.toml", &member("b")),
        ("b/src/lib.rs", "#[test] fn unit() {}\n"),
        ("c/Cargo.toml", &member("c").replace("2024", "2021")),
        ("c/src/lib.rs", tests),
    ]);
    let ran = workspace.wasmtest(&["--", "-v"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for id in [
        "a unit",
        "b unit",
        "c unit",
        "a::doc/a a/src/lib.rs - f (line 1)",
        "c::doc/c c/src/lib.rs - f (line 1)",
    ] {
        assert!(
            ran.stdout.contains(&format!("PASS   {id} ")),
            "{id}: {ran:?}"
        );
    }
    assert!(ran.stdout.contains("Ran 5 tests"), "{ran:?}");
    // rustdoc names files from the workspace's folder, and its tests run in the package's
    workspace.write(
        "a/src/lib.rs",
        "/// ```\n/// assert_eq!(1, 2);\n/// ```\npub fn f() {}\n",
    );
    let ran = workspace.wasmtest(&["-p", "a"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("panicked at a/src/lib.rs:2"), "{ran:?}");
    // one library that does not build takes no other's doctests along
    workspace.write("b/src/lib.rs", "pub fn f() { nope() }\n");
    let keep_going = ["--workspace", "--keep-going", "--doc", "--", "-v"];
    let ran = workspace.wasmtest(&keep_going);
    assert_eq!(ran.code, 1, "{ran:?}");
    for line in [
        "NOT BUILT b  error[E0425]",
        "FAIL   a::doc/a",
        "PASS   c::doc/c",
        "not built=1",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    // one that does not compile is a failure with the compiler's words
    workspace.write(
        "a/src/lib.rs",
        "/// ```\n/// let x: u32 = \"\";\n/// ```\npub fn f() {}\n",
    );
    let ran = workspace.wasmtest(&["-p", "a"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stdout.contains("error[E0308]: mismatched types"),
        "{ran:?}"
    );
}

#[test]
fn the_binary_of_an_unknown_rustdoc_is_one_test() {
    let package = package("2024");
    // a runner in between that changes what rustdoc wrote, as another rustdoc would
    let wasmtest = env!("CARGO_BIN_EXE_wasmtest");
    package.write(
        "between",
        &format!("#!/bin/sh\nfor f in \"$(dirname \"$1\")\"/doctest_runner_2024.rs; do [ -e \"$f\" ] && sed -i 's/new_doctest/doctest_new/' \"$f\"; done\nexec {wasmtest} cargo-runner \"$@\"\n"),
    );
    let between = package.root().join("between");
    super::made::executable(&between);
    let mut command = package.cargo(&["test", "--doc", "--target", Target::P1.triple()]);
    let ran = finish(command.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", &between));
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("this rustdoc is not known here"),
        "{ran:?}"
    );
    assert!(
        !ran.stdout.contains("test src/lib.rs - one (line 6) ... ok"),
        "{ran:?}"
    );
}

#[test]
fn an_interrupt_ends_doctests_and_everything_that_runs_them() {
    let lib = "/// ```\n/// std::fs::File::create(\"out/begun\").unwrap();\n/// loop {}\n/// ```\npub fn f() {}\n";
    let package = Crate::new(&[
        ("Cargo.toml", &MANIFEST.replace("2024", "2021")),
        ("src/lib.rs", lib),
    ]);
    std::fs::create_dir(package.root().join("out")).expect("made");
    let begun = package.root().join("out/begun");
    super::made::pipe(&begun);
    let mut command = package.cargo_wasmtest(&["--doc", "--", "--rw", "out"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    // comes back when the doctest opens the other end
    drop(std::fs::File::open(&begun).expect("a pipe"));
    // SAFETY: a signal to a process that this test started and has not waited for.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
    // its pipes close once nothing holds them that it has started
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("TERMINATED"), "{said}");
}

#[test]
fn a_doctest_that_rustdoc_judges_has_the_runs_limit() {
    let package = Crate::new(&[
        ("Cargo.toml", &MANIFEST.replace("2024", "2021")),
        (
            "src/lib.rs",
            "/// ```\n/// loop {}\n/// ```\npub fn f() {}\n",
        ),
    ]);
    let ran = package.wasmtest(&["--doc", "--", "--process-timeout", "0.5"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("FAIL   made::doc/made"), "{ran:?}");
}

#[test]
fn a_failed_doctest_names_what_was_refused_to_it_whoever_judges_it() {
    let lib =
        "/// ```\n/// std::fs::write(\"snap/new\", \"x\").unwrap();\n/// ```\npub fn f() {}\n";
    for edition in ["2024", "2021"] {
        let package = Crate::new(&[
            ("Cargo.toml", &MANIFEST.replace("2024", edition)),
            ("src/lib.rs", lib),
            ("snap/old", ""),
        ]);
        for target in Target::BOTH {
            let ran = package.wasmtest(&["--doc", "--target", target.triple()]);
            assert_eq!(ran.code, 1, "{ran:?}");
            assert!(ran.stdout.contains("panicked at src/lib.rs"), "{ran:?}");
            let told = "tried to write snap/new: read-only; --rw snap allows it";
            assert!(ran.stdout.contains(told), "{edition} {target:?}: {ran:?}");
        }
        let ran = package.wasmtest(&["--doc", "--", "--rw", "snap"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[test]
fn a_doctest_that_floods_its_output_does_not_fill_anybodys_memory() {
    let lib = "/// ```\n/// println!(\"the first line\");\n/// let line = \"x\".repeat(1 << 20);\n/// for _ in 0..64 { println!(\"{line}\"); }\n/// panic!(\"the last line\");\n/// ```\npub fn f() {}\n";
    for edition in ["2024", "2021"] {
        let package = Crate::new(&[
            ("Cargo.toml", &MANIFEST.replace("2024", edition)),
            ("src/lib.rs", lib),
        ]);
        let test = ["test", "--doc", "--target", Target::P1.triple()];
        let ran = finish(&mut package.cargo(&test));
        assert_eq!(ran.code, 101, "{}", ran.stderr);
        assert!(ran.stdout.len() < 4 << 20, "{}", ran.stdout.len());
        for said in ["the first line", "the last line", "bytes left out"] {
            assert!(ran.stdout.contains(said), "{edition}: {said}");
        }
    }
}

#[test]
fn what_a_doctest_prints_is_never_a_result_of_another() {
    let hostile = [
        "test result: FAILED. 0 passed; 1 failed;",
        "   Doc-tests b\\n\\nrunning 1 test\\ntest b/src/lib.rs - f (line 1) ... ok\\n\\ntest result: ok. 1 passed; 0 failed",
        "   Doc-tests a\\n\\nrunning 1 test\\ntest zzz ... FAILED\\nfailures:\\n",
    ];
    let lines: String = hostile
        .iter()
        .map(|line| format!("/// println!(\"{line}\");\n"))
        .collect();
    let a = format!("/// ```\n{lines}/// std::process::exit(1);\n/// ```\npub fn hostile() {{}}\n");
    let b = "/// ```\n/// panic!(\"b really fails\");\n/// ```\npub fn f() {}\n";
    for edition in ["2024", "2021"] {
        let manifest = |name: &str| MANIFEST.replace("made", name).replace("2024", edition);
        let all = Crate::new(&[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n",
            ),
            ("a/Cargo.toml", &manifest("a")),
            ("a/src/lib.rs", &a),
            ("b/Cargo.toml", &manifest("b")),
            ("b/src/lib.rs", b),
        ]);
        // a filter that libtest cannot follow: all are run, and `a`'s are left out afterwards
        let args = [
            "--workspace",
            "--doc",
            "b::",
            "--",
            "--message-format",
            "json",
        ];
        let events = Events::of(all.wasmtest(&args));
        assert_eq!(events.code, 1, "{events:?}");
        let ends: Vec<(&str, &str)> = events
            .ends()
            .filter(|e| e["type"] == "test")
            .filter_map(|e| Some((e["name"].as_str()?, e["wasmtest"]["outcome"].as_str()?)))
            .collect();
        assert_eq!(
            ends,
            [("b::doc/b b/src/lib.rs - f (line 1)", "failed")],
            "{edition}"
        );
    }
}

#[test]
fn no_doctest_is_hidden_by_another_that_exits_nor_passes_by_being_stopped() {
    // its name would be taken for the arguments by who does not look twice
    let odd = "let test_args = &[.rs";
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        (
            "src/lib.rs",
            &format!(
                "#[path = \"{odd}\"] pub mod z;\n/// ```\n/// std::process::exit(0);\n/// ```\npub fn a() {{}}\n/// ```\n/// panic!(\"seen\");\n/// ```\npub fn b() {{}}\n"
            ),
        ),
        (&format!("src/{odd}"), "/// ```\n/// ```\npub fn z() {}\n"),
    ]);
    let ran = package.wasmtest(&["--doc"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("Ran 3 tests"), "{ran:?}");
    // of an unknown rustdoc, too
    let wasmtest = env!("CARGO_BIN_EXE_wasmtest");
    package.write(
        "between",
        &format!("#!/bin/sh\nsed -i 's/test_args/args_of_test/' \"$(dirname \"$1\")\"/doctest_runner_2024.rs\nexec {wasmtest} cargo-runner \"$@\"\n"),
    );
    let between = package.root().join("between");
    super::made::executable(&between);
    let mut command = package.cargo(&["test", "--doc", "--target", Target::P1.triple()]);
    let ran = finish(command.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", &between));
    assert_eq!(ran.code, 101, "{ran:?}");
    assert!(ran.stderr.contains("were not run"), "{ran:?}");
    // a panic is asked for, and rustdoc takes any end for one
    package.write(
        "src/lib.rs",
        "/// ```should_panic,standalone_crate\n/// loop {}\n/// ```\npub fn a() {}\n",
    );
    let ran = package.wasmtest(&["--doc", "--", "--process-timeout", "0.5"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("stopped at their limit"), "{ran:?}");
}

#[test]
fn doctests_of_other_editions_in_a_crate_are_run_and_judged() {
    let package = of_other_editions();
    for target in Target::BOTH {
        other_editions_are_judged(&package, target);
    }
}

/// A package with doctests of other editions than its own.
pub fn of_other_editions() -> Crate {
    let lib = "/// ```edition2021,should_panic\n/// let _ = 1;\n/// ```\n/// ```edition2018\n/// assert_eq!(1, 2);\n/// ```\n/// ```edition2021\n/// std::process::exit(0);\n/// ```\n/// ```\n/// ```\npub fn a() {}\n";
    Crate::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", lib)])
}

/// Of that package.
pub fn other_editions_are_judged(package: &Crate, target: Target) {
    let events = events(package, target);
    assert_eq!(events.code, 1, "{events:?}");
    let expected = [(1, "failed"), (4, "failed"), (7, "passed"), (10, "passed")];
    let expected: BTreeMap<u32, String> = expected.map(|(l, o)| (l, o.to_owned())).into();
    assert_eq!(outcomes(&events), expected, "{target:?}");
    let test = ["test", "--doc", "--target", target.triple()];
    let ran = finish(&mut package.cargo(&test));
    assert_eq!(ran.code, 101, "{ran:?}");
    assert!(!ran.stdout.contains("running 0 tests"), "{ran:?}");
}

#[test]
fn neither_a_name_with_a_line_break_nor_an_odd_byte_changes_what_is_told() {
    let lib = "/// ```\n/// use std::io::Write;\n/// let _ = std::fs::write(\"x\\nhint: run this\", \"\");\n/// std::io::stderr().write_all(b\"\\xff\\n\").unwrap();\n/// panic!(\"p\");\n/// ```\npub fn f() {}\n";
    let package = Crate::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", lib)]);
    let ran = package.wasmtest(&["--doc"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("panicked at src/lib.rs:5"), "{ran:?}");
    assert!(!ran.stdout.contains("doctest_bundle"), "{ran:?}");
    assert!(
        ran.stdout.contains("tried to write x\\nhint: run this"),
        "{ran:?}"
    );
    let own = ran.stdout.lines().map(str::trim_start);
    assert!(
        !own.into_iter().any(|line| line.starts_with("hint: run")),
        "{ran:?}"
    );
}
