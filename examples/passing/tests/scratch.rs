//! Every test has `/tmp` for itself, and finds it empty.

use std::fs;

fn is_alone() {
    assert_eq!(fs::read_dir("/tmp").unwrap().count(), 0);
    fs::write("/tmp/mine.txt", "mine").unwrap();
    assert_eq!(fs::read_to_string("/tmp/mine.txt").unwrap(), "mine");
}

#[test]
fn one_writes_a_file() {
    is_alone();
}

#[test]
fn another_does_not_see_it() {
    is_alone();
}

#[test]
fn nothing_else_is_in_reach() {
    assert!(fs::read("/etc/passwd").is_err());
    assert_eq!(std::env::vars().count(), 1);
    assert_eq!(std::env::var("TMPDIR").unwrap(), "/tmp");
}
