//! Dependencies that do not build for WASI: what does not name one is run, what does is told.

use super::made::{Crate, MANIFEST, executable};
use crate::support::{Events, Ran};
use serde_json::Value;

/// A package outside of the workspace.
fn outside(name: &str, more: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2021\"\n\n[workspace]\n\n{more}"
    )
}

const BROKEN: &str = r#"
#[cfg(target_family = "wasm")]
compile_error!("there are no threads on WASI");
pub fn one() -> u32 { 1 }
pub trait Twice { fn twice(&self) -> u32; }
impl Twice for u8 { fn twice(&self) -> u32 { 2 } }
#[macro_export] macro_rules! three { () => { 3 } }
"#;

const WORKSPACE: &str = r#"
[dependencies]
fine = { path = "../outside/fine" }

[dev-dependencies]
broken = { path = "../outside/broken" }
other_name = { path = "../outside/strange", package = "strange" }
needs = { path = "../outside/needs" }

[workspace]
"#;

const LIBRARY: &str = r#"
/// ```
/// assert_eq!(made::three(), 3);
/// ```
/// ```
/// assert_eq!(broken::one(), 1);
/// ```
/// ```compile_fail
/// let _: u32 = other_name::one();
/// ```
/// ```compile_fail
/// let _: &str = made::three();
/// ```
pub fn three() -> u32 { fine::three() }
#[test] fn t() { assert_eq!(three(), 3); }
"#;

/// A library that needs nothing of what does not build, and a test for each way to name it.
pub fn made() -> Crate {
    Crate::new(&[
        ("Cargo.toml", &format!("{MANIFEST}{WORKSPACE}")),
        ("src/lib.rs", LIBRARY),
        (
            "tests/alone.rs",
            "#[test] fn t() { assert_eq!(made::three(), 3); }\n",
        ),
        (
            "tests/path.rs",
            "#[test] fn t() { assert_eq!(broken::one(), 1); }\n",
        ),
        ("tests/glob.rs", "use broken::*;\n#[test] fn t() {}\n"),
        (
            "tests/unnamed.rs",
            "use broken::Twice as _;\n#[test] fn t() { assert_eq!(2, 2); }\n",
        ),
        ("tests/whole.rs", "use broken as _;\n#[test] fn t() {}\n"),
        (
            "tests/declared.rs",
            "extern crate broken;\n#[test] fn t() {}\n",
        ),
        (
            "tests/called.rs",
            "#[test] fn t() { assert_eq!(broken::three!(), 3); }\n",
        ),
        (
            "tests/renamed.rs",
            "use other_name::*;\n#[test] fn t() {}\n",
        ),
        (
            "tests/further.rs",
            "#[test] fn t() { assert_eq!(needs::two(), 2); }\n",
        ),
        ("../outside/fine/Cargo.toml", &outside("fine", "")),
        (
            "../outside/fine/src/lib.rs",
            "pub fn three() -> u32 { 3 }\n",
        ),
        ("../outside/broken/Cargo.toml", &outside("broken", "")),
        ("../outside/broken/src/lib.rs", BROKEN),
        ("../outside/strange/Cargo.toml", &outside("strange", "")),
        ("../outside/strange/src/lib.rs", BROKEN),
        (
            "../outside/needs/Cargo.toml",
            &outside(
                "needs",
                "[dependencies]\nbroken = { path = \"../broken\" }\n",
            ),
        ),
        (
            "../outside/needs/src/lib.rs",
            "pub fn two() -> u32 { broken::one() + 1 }\n",
        ),
    ])
}

/// What was told of these types of lines, a line each.
fn told(events: &Events) -> Vec<String> {
    let mut all: Vec<String> = events.all.iter().filter_map(line).collect();
    all.sort();
    all
}

fn line(event: &Value) -> Option<String> {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    let outcome = || event["wasmtest"]["outcome"].as_str().unwrap_or_default();
    match (text("type"), text("event")) {
        ("test", "ok" | "failed" | "ignored") => Some(format!("{}: {}", text("name"), outcome())),
        ("target" | "dependency", event) => {
            Some(format!("{event} {}: {}", text("name"), text("message")))
        }
        _ => None,
    }
}

const JSON: [&str; 2] = ["--message-format", "json"];

fn run(made: &Crate, flags: &[&str]) -> Events {
    Events::of(made.wasmtest(&[flags, &["--"], &JSON].concat()))
}

fn compiled(ran: &Ran, package: &str) -> bool {
    ran.stderr.contains(&format!("Compiling {package} "))
}

#[test]
fn whatever_names_what_does_not_build_is_not_built_and_everything_else_is_run() {
    let made = made();
    everything_else_is_run(&made);
    // what failed is remembered
    let again = made.wasmtest(&["-p", "made", "--allow-not-built"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(!compiled(&again, "broken"), "{again:?}");
    assert!(
        again.stdout.contains("OK (not built=9, skipped=2)"),
        "{again:?}"
    );
    assert!(
        again
            .stderr
            .contains("note: broken 1.2.3 does not build, and what runs does without it: "),
        "{again:?}"
    );
    // nothing that cargo itself builds has been touched
    let mut plain = made.cargo(&["test", "--no-run", "--target", "wasm32-wasip1"]);
    let plain = crate::support::finish(&mut plain);
    assert_ne!(plain.code, 0, "{plain:?}");
    assert!(
        plain.stderr.contains("there are no threads on WASI"),
        "{plain:?}"
    );
}

/// Each way to name a crate, and what names none.
pub fn everything_else_is_run(made: &Crate) {
    let why = "error: there are no threads on WASI (";
    let events = run(made, &[]);
    let told = told(&events);
    let broken = format!("it needs `broken`, which does not build: {why}");
    let strange = format!("it needs `strange`, which does not build: {why}");
    let further = format!("it needs `needs`, which needs `broken`, which does not build: {why}");
    let expected = [
        ("left-out broken 1.2.3: ", why),
        ("left-out strange 1.2.3: ", why),
        ("made t: passed", ""),
        ("made::alone t: passed", ""),
        ("made::doc/made src/lib.rs - three (line 11): skipped", ""),
        ("made::doc/made src/lib.rs - three (line 2): passed", ""),
        // the compiler would refuse it for that alone, and natively it does not
        ("made::doc/made src/lib.rs - three (line 8): skipped", ""),
        ("not-built made::called: ", &broken),
        ("not-built made::declared: ", &broken),
        (
            "not-built made::doc/made src/lib.rs - three (line 5): ",
            &broken,
        ),
        ("not-built made::further: ", &further),
        ("not-built made::glob: ", &broken),
        ("not-built made::path: ", &broken),
        ("not-built made::renamed: ", &strange),
        ("not-built made::unnamed: ", &broken),
        ("not-built made::whole: ", &broken),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?} {}", events.stderr);
    for (line, (start, why)) in told.iter().zip(expected) {
        let rest = line.strip_prefix(start);
        assert!(
            rest.is_some_and(|r| r.starts_with(why)),
            "{line}: {start}{why}"
        );
    }
    assert_eq!(events.code, 5);
    let left_out = events.all.iter().find(|e| e["type"] == "dependency");
    let left_out = left_out.expect("it was told");
    assert_eq!(left_out["others"], serde_json::json!(["needs 1.2.3"]));
    // the compiler's words about a file that cannot be read are no help
    assert!(!events.stderr.contains("E0786"), "{}", events.stderr);
}

#[test]
fn where_nothing_that_is_built_needs_it_the_tests_own_code_counts_and_a_note_tells_of_it() {
    let made = made();
    for flags in [
        &["--test", "alone"][..],
        &["--test", "alone", "--keep-going"],
    ] {
        let ran = made.wasmtest(flags);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.ends_with("OK\n"), "{ran:?}");
        assert!(
            ran.stderr.contains("there are no threads on WASI")
                && ran
                    .stderr
                    .contains("; nor does what needs it: needs 1.2.3\n"),
            "{ran:?}"
        );
    }
    made.write("tests/alone.rs", "#[test] fn t() { panic!(\"own\") }\n");
    assert_eq!(made.wasmtest(&["--test", "alone"]).code, 1);
    // an error of the user's own is one, and nothing is run
    made.write("tests/alone.rs", "#[test] fn t() { nope }\n");
    let ran = made.wasmtest(&["--lib", "--test", "alone", "--test", "path"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{ran:?}");
    assert!(ran.stderr.contains("cannot find value `nope`"), "{ran:?}");
    let ran = made.wasmtest(&["--lib", "--test", "alone", "--keep-going"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stdout
            .contains("NOT BUILT made::alone  error[E0425]: cannot find value `nope`"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("Ran 1 test "), "{ran:?}");
    // once it builds, nothing is left out
    for name in ["broken", "strange"] {
        let (_, builds) = BROKEN.split_once(";\n").expect("an error");
        made.write(&format!("../outside/{name}/src/lib.rs"), builds);
    }
    made.write(
        "tests/alone.rs",
        "#[test] fn t() { assert_eq!(broken::one(), 1); }\n",
    );
    let ran = made.wasmtest(&["--test", "alone"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("does not build"), "{ran:?}");
    let ran = made.wasmtest(&["--test", "alone", "--no-run"]);
    assert!(ran.stderr.contains("/p/target/wasm32-wasip1/"), "{ran:?}");
}

#[test]
fn only_the_doctests_can_be_asked_for() {
    let made = made();
    let events = run(&made, &["--doc"]);
    let told: Vec<String> = told(&events);
    assert_eq!(events.code, 5, "{told:#?} {}", events.stderr);
    assert_eq!(told.len(), 6, "{told:#?} {}", events.stderr);
    assert!(
        told.iter()
            .all(|line| line.contains("::doc/") || line.starts_with("left-out"))
    );
}

#[test]
fn a_crate_that_only_needs_a_feature_less_is_built_without_it() {
    let criterion = "[features]\ndefault = [\"rayon\", \"plots\"]\nrayon = []\nplots = []\n";
    let made = Crate::new(&[
        (
            "Cargo.toml",
            &format!(
                "{MANIFEST}[dev-dependencies]\ncriterion = {{ path = \"../outside/criterion\" }}\n\n[workspace]\n"
            ),
        ),
        (
            "src/lib.rs",
            "/// ```compile_fail\n/// let _: &str = made::three();\n/// ```\n\
             pub fn three() -> u32 { 3 }\n\
             #[test] fn t() { assert_eq!(criterion::features(), (false, true)); }\n",
        ),
        (
            "../outside/criterion/Cargo.toml",
            &outside("criterion", criterion),
        ),
        (
            "../outside/criterion/src/lib.rs",
            "#[cfg(all(feature = \"rayon\", target_family = \"wasm\"))]\ncompile_error!(\"no\");\n\
             pub fn features() -> (bool, bool) { (cfg!(feature = \"rayon\"), cfg!(feature = \"plots\")) }\n",
        ),
    ]);
    let events = run(&made, &[]);
    assert_eq!(
        told(&events),
        [
            "made t: passed",
            "made::doc/made src/lib.rs - three (line 1): passed",
            "without-features criterion 1.2.3: which needs threads"
        ],
        "{}",
        events.stderr
    );
    assert_eq!(events.code, 0);
    let again = made.wasmtest(&[]);
    assert!(
        again
            .stderr
            .contains("note: criterion 1.2.3 was built without `rayon` (which needs threads)\n"),
        "{again:?}"
    );
}

/// Looks whether `$RUSTC` compiles something that it should not, as crates do that adapt to
/// a compiler; by way of the wrapper, as cargo asks for.
const PROBE: &str = r#"
use std::process::Command;
fn main() {
    let var = |name: &str| std::env::var(name).unwrap();
    let out = var("OUT_DIR");
    std::fs::write(format!("{out}/p.rs"), "compile_error!(\"no\");").unwrap();
    let mut rustc = Command::new(var("RUSTC_WRAPPER"));
    rustc.arg(var("RUSTC")).args(["--crate-name", "probes", "--crate-type", "lib"]);
    rustc.args(["--emit", "metadata", "--target", &var("TARGET"), "--out-dir", &out]);
    let compiles = rustc.arg(format!("{out}/p.rs")).status().unwrap().success();
    println!("cargo::rustc-check-cfg=cfg(compiles)");
    if compiles { println!("cargo::rustc-cfg=compiles"); }
}
"#;

#[test]
fn build_scripts_see_what_the_compiler_says_and_one_that_fails_takes_its_own_crate_along() {
    let made = Crate::new(&[
        (
            "Cargo.toml",
            &format!(
                "{MANIFEST}[dev-dependencies]\nprobes = {{ path = \"../outside/probes\" }}\n\
                 native = {{ path = \"../outside/native\" }}\nderives = {{ path = \"../outside/derives\" }}\n\n[workspace]\n"
            ),
        ),
        (
            "src/lib.rs",
            "#[test] fn t() { assert!(!probes::COMPILES); assert_eq!(derives::derived!(), 7); }\n",
        ),
        (
            "tests/native.rs",
            "#[test] fn t() { assert_eq!(native::seven(), 7); }\n",
        ),
        ("../outside/probes/Cargo.toml", &outside("probes", "")),
        ("../outside/probes/build.rs", PROBE),
        (
            "../outside/probes/src/lib.rs",
            "pub const COMPILES: bool = cfg!(compiles);\n",
        ),
        // it is needed on this machine too, where it works
        (
            "../outside/derives/Cargo.toml",
            &outside(
                "derives",
                "[lib]\nproc-macro = true\n\n[dependencies]\nnative = { path = \"../native\" }\n",
            ),
        ),
        (
            "../outside/derives/src/lib.rs",
            "#[proc_macro] pub fn derived(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n\
             native::seven().to_string().parse().unwrap() }\n",
        ),
        ("../outside/native/Cargo.toml", &outside("native", "")),
        (
            "../outside/native/build.rs",
            "fn main() {\n\
             if std::env::var(\"TARGET\").unwrap().contains(\"wasi\") { panic!(\"no C compiler\") }\n\
             println!(\"cargo::rustc-env=SEVEN=7\");\n}\n",
        ),
        (
            "../outside/native/src/lib.rs",
            "pub fn seven() -> u32 { option_env!(\"SEVEN\").map_or(0, |s| s.parse().unwrap()) }\n",
        ),
        // a wrapper of the user's own is still called
        (
            "wrapper.sh",
            "#!/bin/sh\necho called >> \"$(dirname \"$0\")/calls\"\nexec \"$@\"\n",
        ),
        (
            ".cargo/config.toml",
            "[build]\nrustc-wrapper = \"./wrapper.sh\"\n",
        ),
    ]);
    executable(&made.root().join("wrapper.sh"));
    let calls =
        || std::fs::read_to_string(made.root().join("calls")).map_or(0, |t| t.lines().count());
    let events = run(&made, &[]);
    assert_eq!(
        told(&events),
        [
            "left-out native 1.2.3: its build script failed: no C compiler",
            "made t: passed",
            "not-built made::native: it needs `native`, which does not build: its build script failed: no C compiler",
        ],
        "{}",
        events.stderr
    );
    assert_eq!(events.code, 5);
    // nothing is compiled or run again for it, and once it does its work it is
    let again = made.wasmtest(&[]);
    assert!(!again.stderr.contains("Compiling native"), "{again:?}");
    assert!(!again.stderr.contains("Compiling probes"), "{again:?}");
    assert!(!again.stderr.contains("Compiling derives"), "{again:?}");
    made.write(
        "../outside/native/build.rs",
        "fn main() { println!(\"cargo::rustc-env=SEVEN=7\"); }\n",
    );
    assert_eq!(run(&made, &[]).code, 0);
    let before = calls();
    made.write("tests/more.rs", "#[test] fn t() {}\n");
    assert_eq!(run(&made, &["--test", "more"]).code, 0);
    assert!(calls() > before);
}

#[test]
fn a_build_folder_elsewhere_is_kept_apart_as_well() {
    let made = made();
    made.write(
        ".cargo/config.toml",
        "[build]\nbuild-dir = \"between\"\ntarget-dir = \"products\"\n",
    );
    let ran = made.wasmtest(&["--test", "alone", "--no-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("note: broken 1.2.3 does not build"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("products/wasmtest-stand-ins/"),
        "{ran:?}"
    );
    let mut plain = made.cargo(&[
        "test",
        "--no-run",
        "--target",
        "wasm32-wasip1",
        "--test",
        "alone",
    ]);
    assert_ne!(crate::support::finish(&mut plain).code, 0);
}

#[test]
fn only_what_was_asked_for_can_fail_and_a_missing_feature_is_named() {
    let proptest = "[features]\ndefault = [\"fork\"]\nfork = []\n";
    let made = Crate::new(&[
        (
            "Cargo.toml",
            &format!(
                "{MANIFEST}[dev-dependencies]\nproptest = {{ path = \"../outside/proptest\" }}\n\n[workspace]\n"
            ),
        ),
        (
            "src/lib.rs",
            "/// ```compile_fail\n/// let _ = proptest::Config { fork: true };\n/// ```\n\
             pub fn forks() {}\n\
             #[test] fn t() { assert!(proptest::Config {}.works()); }\n",
        ),
        ("tests/own.rs", "fn f() { nope(); }\n"),
        (
            "tests/forks.rs",
            "#[test] fn t() { let _ = proptest::Config { fork: true }; }\n",
        ),
        (
            "../outside/proptest/Cargo.toml",
            &outside("proptest", proptest),
        ),
        (
            "../outside/proptest/src/lib.rs",
            "#[cfg(all(feature = \"fork\", target_family = \"wasm\"))]\ncompile_error!(\"no\");\n\
             pub struct Config { #[cfg(feature = \"fork\")] pub fork: bool }\n\
             impl Config { pub fn works(&self) -> bool { true } }\n",
        ),
    ]);
    let ran = made.wasmtest(&["--lib"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("nope"), "{ran:?}");
    // its own error ends the run where it was asked for
    let ran = made.wasmtest(&["--lib", "--test", "own"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{ran:?}");
    let ran = made.wasmtest(&["--lib", "--test", "forks"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stdout
            .contains("perhaps since proptest 1.2.3 was built without `fork`"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("Ran 1 test "), "{ran:?}");
    // it would be refused whatever it says of `fork`
    let ran = made.wasmtest(&["--doc"]);
    assert!(
        ran.stdout.contains("1 × compile_fail, and `proptest`"),
        "{ran:?}"
    );
}

#[test]
fn what_is_a_member_of_one_workspace_and_a_dependency_in_another_is_none_in_the_first() {
    let made = Crate::new(&[
        (
            "Cargo.toml",
            &format!(
                "{MANIFEST}[dev-dependencies]\nother = {{ path = \"../other\" }}\n\n[workspace]\n"
            ),
        ),
        ("src/lib.rs", "#[test] fn t() {}\n"),
        ("../other/Cargo.toml", &MANIFEST.replace("made", "other")),
        ("../other/src/lib.rs", "pub fn f() -> u32 { nope }\n"),
        ("../other/tests/x.rs", "#[test] fn t() {}\n"),
    ]);
    let shared = made.root().join("../shared");
    let shared = shared.to_str().expect("Unicode");
    let ran = made.wasmtest(&["--target-dir", shared]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("note: other 0.1.0 does not build"),
        "{ran:?}"
    );
    for flags in [&["--test", "x"][..], &["--test", "x", "--keep-going"]] {
        let manifest = [
            "--manifest-path",
            "../other/Cargo.toml",
            "--target-dir",
            shared,
        ];
        let ran = made.wasmtest(&[&manifest[..], flags].concat());
        assert_eq!(ran.code, 5, "{ran:?}");
    }
}
