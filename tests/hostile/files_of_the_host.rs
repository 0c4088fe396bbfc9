//! attack: files of the host by its own names, by .. and by /proc
//! expect: passed
//! exit: 0

use std::fs;

#[wasmtest::test]
fn attack() {
    for path in [
        "/etc/passwd",
        "/proc/self/environ",
        "../../../../etc/passwd",
        "/tmp/../../etc/passwd",
        "/tmp/./../proc/self/mem",
        "//etc/passwd",
    ] {
        assert!(fs::read(path).is_err(), "{path}");
        assert!(fs::write(path, "x").is_err(), "{path}");
    }
}
