//! Temporary folders where tests are plain `#[test]` functions.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use wasmtest::{TempDir, temp_dir};

/// Where the tests below were, those that another runs.
static SEEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn see(folder: &TempDir) -> &Path {
    let path = folder.path();
    assert_eq!(path.read_dir().expect("it is there").count(), 0);
    std::fs::create_dir_all(path.join("a/b")).expect("made");
    std::fs::write(path.join("a/b/file"), "text").expect("written");
    SEEN.lock().expect("no panic").push(path.to_owned());
    path
}

#[wasmtest::test]
#[ignore = "another test runs it"]
fn passes(temp_dir: &TempDir) {
    assert!(see(temp_dir).starts_with(std::env::temp_dir()));
}

#[wasmtest::test]
#[ignore = "another test runs it"]
fn panics(temp_dir: &TempDir) {
    see(temp_dir);
    panic!("on purpose");
}

#[test]
fn each_is_new_and_gone_after_its_test_however_that_ends() {
    passes();
    passes();
    std::panic::catch_unwind(panics).expect_err("on purpose");
    let mut seen = SEEN.lock().expect("no panic").clone();
    for folder in &seen {
        assert!(!folder.exists(), "{} is left", folder.display());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);
}

#[cfg(unix)]
#[wasmtest::test]
fn is_its_users_alone(temp_dir: &TempDir) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(temp_dir)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
