//! What the attribute says to those who hold it wrong.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;

#[test]
fn errors_point_at_the_users_code_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// `(file in tests/ui/bodies, what the compiler must say of it)`: what only a build
/// with `--test` compiles, which trybuild does not make.
const BODIES: &[(&str, &[&str])] = &[
    (
        "returns_a_number",
        &[
            "a test returns nothing or a `Result<(), E>`, not `u32`",
            "|                ^^^ the test returns this",
        ],
    ),
    (
        "returns_result_of_a_number",
        &[
            "a test returns nothing or a `Result<(), E>`, not `Result<u32, ParseIntError>`",
            "|                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the test returns this",
        ],
    ),
    (
        "error_without_debug",
        &[
            "`Bad` doesn't implement `Debug`",
            "|               ^^^^^^^^^^^^^^^ the trait",
        ],
    ),
    (
        "block_on_unknown",
        &[
            "tests/block_on_unknown.rs:1:29\n",
            "use of unresolved module or unlinked crate `pollster`",
        ],
    ),
    (
        "tokio_absent",
        &[
            "tests/tokio_absent.rs:1:18\n",
            "use of unresolved module or unlinked crate `tokio`",
        ],
    ),
    (
        "crate_unknown",
        &[
            "tests/crate_unknown.rs:1:26\n",
            "use of unresolved module or unlinked crate `sdk`",
        ],
    ),
    (
        "fixture_of_a_test_unknown",
        &[
            "tests/fixture_of_a_test_unknown.rs:2:9\n",
            "cannot find type `server`",
            "no_fixture_of_this_name_is_in_scope_import_it_with_use_or_mark_a_function_with_fixture",
        ],
    ),
    (
        "below_test",
        &[
            "tests/below_test.rs:4:1\n",
            "#[test] stands above, and the test would run twice: remove it, #[wasmtest::test] stands in its place",
        ],
    ),
    (
        "fixture_of_a_test_of_another_type",
        &[
            "tests/fixture_of_a_test_of_another_type.rs:7:17\n",
            "expected `&u32`, found `&String`",
        ],
    ),
    (
        "case_of_another_type",
        &[
            "tests/case_of_another_type.rs:1:39\n",
            "expected `u32`, found `&str`",
        ],
    ),
];

#[test]
fn errors_in_the_bodies_of_tests_point_at_the_users_code_too() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bodies");
    std::fs::create_dir_all(project.join("src")).expect("created");
    std::fs::write(project.join("src/lib.rs"), "").expect("written");
    let manifest = format!(
        "[package]\nname = \"bodies\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [workspace]\n[dev-dependencies]\nwasmtest-sdk = {{ path = {sdk:?} }}\n"
    );
    std::fs::write(project.join("Cargo.toml"), manifest).expect("written");
    // the versions that are here already
    std::fs::copy(sdk.join("../Cargo.lock"), project.join("Cargo.lock")).expect("copied");
    let tests = project.join("tests");
    std::fs::create_dir_all(&tests).expect("created");
    for (name, expected) in BODIES {
        let file = format!("{name}.rs");
        let source = sdk.join("tests/ui/bodies").join(&file);
        std::fs::copy(source, tests.join(&file)).expect("copied");
        let output = Command::new(env!("CARGO"))
            .args([
                "check",
                "--quiet",
                "--offline",
                "--color",
                "never",
                "--test",
                name,
            ])
            .arg("--target-dir")
            .arg(project.join("target"))
            .current_dir(&project)
            .output()
            .expect("cargo runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name} compiles");
        for text in *expected {
            assert!(said.contains(text), "{name}: no `{text}` in\n{said}");
        }
    }
}
