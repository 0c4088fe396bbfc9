//! Host fixtures: started when a test needs them, ready before it runs, gone at the end.

use crate::support::{Target, arg, finish, guest, wasmtest};
use std::fs;
use std::path::PathBuf;

/// A folder with this `wasmtest.toml`.
fn configured(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wasmtest.toml");
    fs::write(&file, text).expect("written");
    (folder, file)
}

#[test]
fn a_configuration_is_found_above_named_or_left_out() {
    let (folder, file) = configured("[fixture.db]\ncomand = [\"db\"]\n");
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).expect("made");
    let module = guest("returns", Target::P1, "dev");
    let ran = |flags: &[&str]| {
        finish(
            wasmtest()
                .current_dir(&below)
                .arg("run")
                .arg(&module)
                .args(flags),
        )
    };
    let found = ran(&[]);
    assert_eq!(found.code, 2);
    assert!(
        found
            .stderr
            .contains("wasmtest.toml:2:1: unknown key `comand`"),
        "{}",
        found.stderr
    );
    assert_eq!(ran(&["--no-config"]).code, 0);
    fs::write(below.join("wasmtest.toml"), "").expect("written");
    assert_eq!(ran(&[]).code, 0, "the first one upwards is it");
    assert_eq!(ran(&["--config", arg(&file)]).code, 2);
    let missing = ran(&["--config", "missing.toml"]);
    assert_eq!(missing.code, 2);
    assert!(
        missing
            .stderr
            .contains("error: missing.toml: it cannot be read"),
        "{}",
        missing.stderr
    );
}
