//! attack: symbolic links that lead out of its /tmp, absolute, relative and by a chain
//! expect: passed
//! exit: 0

use crate::symlink;
use std::fs;

#[wasmtest::test]
fn attack() {
    for (number, to) in ["/etc", "../../../../../../etc", "../..", "."]
        .iter()
        .enumerate()
    {
        let link = format!("/tmp/link{number}");
        if symlink(to, &link) {
            assert!(fs::read(format!("{link}/passwd")).is_err(), "{to}");
            assert!(fs::read(format!("{link}/etc/passwd")).is_err(), "{to}");
            assert!(fs::read_dir(format!("{link}/..")).is_err(), "{to}");
        }
    }
}
