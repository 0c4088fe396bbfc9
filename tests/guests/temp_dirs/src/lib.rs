//! Tests that ask for a temporary folder of their own.
#![cfg(test)]

use std::path::Path;

/// Whether a folder is as a test gets it; afterwards it is not.
fn is_new(folder: &Path) {
    assert!(folder.is_absolute());
    assert_eq!(folder.read_dir().expect("it is there").count(), 0);
    std::fs::create_dir_all(folder.join("a/b")).expect("made");
    std::fs::write(folder.join("a/b/file"), "text").expect("written");
}

mod fixtures {
    use std::cell::RefCell;
    use std::path::PathBuf;
    use wasmtest::{TempDir, temp_dir};

    /// What a test has left there has to be gone when this is torn down, after it.
    #[wasmtest::fixture(teardown = is_gone)]
    pub fn witness() -> RefCell<PathBuf> {
        RefCell::default()
    }

    fn is_gone(left: &RefCell<PathBuf>) {
        let left = left.borrow();
        assert!(left.file_name().is_some(), "the test says where");
        assert!(!left.exists(), "{} is there", left.display());
    }

    /// It stands on the folder, and so is torn down before it.
    #[wasmtest::fixture(teardown = close)]
    pub fn database(temp_dir: &TempDir) -> Result<PathBuf, std::io::Error> {
        let file = temp_dir.path().join("database");
        std::fs::write(&file, "")?;
        Ok(file)
    }

    fn close(file: &PathBuf) -> Result<(), std::io::Error> {
        std::fs::write(file, "closed")?;
        std::fs::metadata(file).map(drop)
    }
}

mod singly {
    use super::fixtures::{database, witness};
    use super::is_new;
    use std::cell::RefCell;
    use std::path::PathBuf;
    use wasmtest::{TempDir, temp_dir};

    #[wasmtest::test]
    fn has_one(witness: &RefCell<PathBuf>, temp_dir: &TempDir) {
        is_new(temp_dir.path());
        witness.replace(temp_dir.path().to_owned());
    }

    #[wasmtest::test]
    fn has_another(witness: &RefCell<PathBuf>, temp_dir: &TempDir) {
        is_new(temp_dir.as_ref());
        witness.replace(temp_dir.path().to_owned());
    }

    #[wasmtest::test]
    fn shares_it_with_its_fixtures(
        witness: &RefCell<PathBuf>,
        temp_dir: &TempDir,
        database: &PathBuf,
    ) {
        assert_eq!(database.parent(), Some(temp_dir.path()));
        witness.replace(temp_dir.path().to_owned());
    }

    #[wasmtest::test]
    fn may_remove_it(temp_dir: &TempDir) {
        std::fs::remove_dir(temp_dir.path()).expect("its own");
    }
}

#[wasmtest::suite(unit)]
mod unit {
    use super::is_new;
    use wasmtest::{TempDir, temp_dir};

    #[wasmtest::setup]
    fn begins() {}

    #[wasmtest::test]
    fn a_first_has_one(temp_dir: &TempDir) {
        is_new(temp_dir.path());
    }

    #[wasmtest::test]
    fn a_second_has_another(temp_dir: &TempDir) {
        is_new(temp_dir.path());
    }

    #[wasmtest::test]
    fn a_third_finds_neither() {
        let all = std::fs::read_dir("/tmp").expect("their own");
        let names = all.map(|entry| entry.expect("readable").file_name());
        let left: Vec<_> = names.collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
