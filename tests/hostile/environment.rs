//! attack: the host's variables, arguments and folders are looked for
//! expect: passed
//! exit: 0

#[wasmtest::test]
fn attack() {
    for name in ["HOME", "PATH", "USER", "CARGO", "WASMTEST_CACHE_DIR"] {
        assert!(std::env::var_os(name).is_none(), "{name}");
    }
    assert!(std::env::vars().count() < 5);
    assert!(std::env::args().all(|a| !a.contains("/target/")));
}
