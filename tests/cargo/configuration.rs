//! What cargo's own configuration asks for: targets, runners, variables, folders.

use super::made::{Crate, MANIFEST};
use crate::support::Events;
use std::collections::BTreeMap;

const BOTH: &str = "[build]\ntarget = [\"wasm32-wasip2\", \"wasm32-wasip1\"]\n";

/// How each test ended, by its id.
fn outcomes(events: &Events) -> BTreeMap<String, String> {
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    let tests = events.ends().filter(|end| end["type"] == "test");
    tests
        .map(|end| (text(&end["name"]), text(&end["wasmtest"]["outcome"])))
        .collect()
}

fn json(package: &Crate, flags: &[&str]) -> Events {
    let flags = [flags, &["--", "--message-format", "json"]].concat();
    Events::of(package.wasmtest(&flags))
}

#[test]
fn each_of_several_targets_is_run_and_told_apart() {
    let lib = "/// ```\n/// assert!(cfg!(target_env = \"p1\"));\n/// ```\npub fn f() {}\n\
        #[test] fn t() {}\n#[test] fn on_p1() { assert!(cfg!(target_env = \"p1\")); }\n";
    let package = Crate::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", lib),
        (".cargo/config.toml", BOTH),
    ]);
    let expected: BTreeMap<String, String> = [
        ("wasm32-wasip1/made on_p1", "passed"),
        ("wasm32-wasip1/made t", "passed"),
        (
            "wasm32-wasip1/made::doc/made src/lib.rs - f (line 1)",
            "passed",
        ),
        ("wasm32-wasip2/made on_p1", "failed"),
        ("wasm32-wasip2/made t", "passed"),
        (
            "wasm32-wasip2/made::doc/made src/lib.rs - f (line 1)",
            "failed",
        ),
    ]
    .map(|(id, outcome)| (id.to_owned(), outcome.to_owned()))
    .into();
    let flags = ["--target", "wasm32-wasip2", "--target", "wasm32-wasip1"];
    // as the files say, and as flags do
    for flags in [&[][..], &["--keep-going"], &flags] {
        let events = json(&package, flags);
        assert_eq!(events.code, 1, "{events:?}");
        assert_eq!(outcomes(&events), expected, "{flags:?}");
        let starts = events.all.iter().filter(|e| e["event"] == "started");
        let suites = starts.filter(|e| e["type"] == "suite");
        assert_eq!(suites.count(), 1, "{events:?}");
    }
    let ran = package.wasmtest(&[]);
    assert!(ran.stdout.contains("Ran 6 tests"), "{ran:?}");
    for again in [
        "cargo wasmtest -p made --lib --target wasm32-wasip2 -- --exact -- on_p1",
        "cargo wasmtest -p made --doc --target wasm32-wasip2 -- --exact -- 'src/lib.rs - f (line 1)'",
    ] {
        assert!(ran.stdout.contains(again), "{again}: {ran:?}");
    }
    let again = ["-p", "made", "--lib", "--target", "wasm32-wasip2"];
    let events = json(&package, &again);
    assert_eq!(
        outcomes(&events).keys().collect::<Vec<_>>(),
        ["made on_p1", "made t"]
    );
    // a filter means them in all, or names one
    assert_eq!(outcomes(&json(&package, &["made t"])).len(), 2);
    assert_eq!(outcomes(&json(&package, &["wasip2/made t"])).len(), 1);
    let ran = package.wasmtest(&["--no-run"]);
    assert_eq!(ran.stderr.matches("Executable").count(), 2, "{ran:?}");

    // what builds for one alone
    package.write(
        "tests/p1.rs",
        "#[cfg(not(target_env = \"p1\"))] compile_error!(\"no\");\n#[test] fn t() {}\n",
    );
    let ran = package.wasmtest(&["--tests"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{ran:?}");
    let ran = package.wasmtest(&["--tests", "--keep-going", " t"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for line in [
        "NOT BUILT wasm32-wasip2/made::p1  error: no (tests/p1.rs:1)",
        "Ran 3 tests",
        "not built=1",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    // of others those are run that can be
    let native = BOTH.replace("wasm32-wasip2", "x86_64-unknown-linux-gnu");
    package.write(".cargo/config.toml", &native);
    let events = json(&package, &["--lib"]);
    assert_eq!(
        outcomes(&events).keys().collect::<Vec<_>>(),
        ["made on_p1", "made t"]
    );
}
