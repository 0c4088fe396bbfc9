//! Random numbers are fresh in each test, and with a seed the same in each run.

use crate::support::{arg, events, wat};

/// Writes eight random letters.
const DRAWS: &str = r#"(module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start") (local $i i32)
        (drop (call $random (i32.const 0) (i32.const 8)))
        (loop $next
            (i32.store8 (local.get $i)
                (i32.add (i32.const 97) (i32.and (i32.load8_u (local.get $i)) (i32.const 15))))
            (br_if $next (i32.lt_u
                (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                (i32.const 8))))
        (i32.store (i32.const 16) (i32.const 0))
        (i32.store (i32.const 20) (i32.const 8))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#;

#[test]
fn with_a_seed_a_test_draws_the_same_in_each_run_and_otherwise_never() {
    let dir = tempfile::tempdir().expect("a folder");
    let module = wat(dir.path(), "draws.wasm", DRAWS);
    let drawn = |more: &[&str]| {
        let args = [&[arg(&module), "--show-output"], more].concat();
        let events = events(args);
        assert_eq!(events.code, 0, "{events:#?}");
        let end = events.ends().next().expect("one test");
        let rerun = end["wasmtest"]["rerun"].as_str().map(str::to_owned);
        let letters = end["stdout"]
            .as_str()
            .unwrap_or_else(|| panic!("it writes: {events:#?}"))
            .trim_end()
            .to_owned();
        assert_eq!(letters.len(), 8, "{letters}");
        (letters, rerun)
    };
    let seeded = drawn(&["--random-seed", "7"]);
    assert_eq!(drawn(&["--random-seed", "7"]), seeded);
    assert_eq!(drawn(&["--random-seed=7", "--processes", "0"]).0, seeded.0);
    assert_ne!(drawn(&["--random-seed", "8"]).0, seeded.0);
    assert_ne!(drawn(&[]).0, drawn(&[]).0);
    if let (.., Some(rerun)) = seeded {
        assert!(rerun.contains(" --random-seed 7"), "{rerun}");
    }
}
