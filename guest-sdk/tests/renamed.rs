//! A package that knows the SDK by another name, by its workspace's: everything that the
//! SDK has, and nothing is told where it is.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;

const TESTS: &str = r#"
sdk::host_fixture!(server: u16);

#[sdk::fixture(shared)]
fn config() -> String {
    "config".to_owned()
}

#[sdk::fixture(teardown = close)]
fn db(config: &str) -> String {
    format!("db of {config}")
}

fn close(_: &String) {}

#[sdk::suite]
mod suite {
    #[sdk::setup]
    fn begin() -> u32 {
        7
    }

    #[sdk::teardown]
    fn end(begin: u32) {
        assert_eq!(begin, 7);
    }

    #[sdk::before]
    fn before() {}

    #[sdk::after]
    fn after() {}

    #[sdk::test(cases(one = 1, two = 2))]
    fn in_a_suite(number: u32, begin: u32) {
        assert!(number < begin);
    }
}

#[sdk::test]
fn asks(db: &str, server: u16) {
    sdk::skip_if!(server == 0, "no server");
    assert_eq!((db, server), ("db of config", 80));
}

mod again {
    pub use sdk as exported;
}

#[again::exported::test(crate = crate::again::exported)]
fn is_told() {}
"#;

#[test]
fn the_sdk_is_found_by_the_name_that_the_manifest_gives_it() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("renamed");
    let member = project.join("member");
    std::fs::create_dir_all(member.join("src")).expect("created");
    let workspace = format!(
        "[workspace]\nmembers = [\"member\"]\nresolver = \"3\"\n[workspace.dependencies]\n\
         sdk = {{ package = \"wasmtest-sdk\", path = {sdk:?} }}\n"
    );
    let manifest = "[package]\nname = \"member\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                    # not by its own name, wasmtest-sdk\n[dev-dependencies]\nsdk.workspace = true\n";
    for (file, text) in [
        ("Cargo.toml", workspace.as_str()),
        ("member/Cargo.toml", manifest),
        ("member/src/lib.rs", &format!("#![cfg(test)]\n{TESTS}")),
    ] {
        std::fs::write(project.join(file), text).expect("written");
    }
    // the versions that are here already
    std::fs::copy(sdk.join("../Cargo.lock"), project.join("Cargo.lock")).expect("copied");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--offline", "--lib", "--target-dir"])
        .arg(project.join("target"))
        .env("WASMTEST_FIXTURE_SERVER", "80")
        .current_dir(&member)
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert!(said.contains("4 passed"), "{said}");
}
