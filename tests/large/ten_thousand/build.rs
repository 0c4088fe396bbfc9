//! Writes 10,000 trivial SDK tests, and 1,000.

use std::fmt::Write;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    for (file, number) in [("tests.rs", 10_000), ("thousand.rs", 1000)] {
        let mut code = String::new();
        for i in 0..number {
            writeln!(
                code,
                "#[wasmtest::test] fn t{i:05}() {{ assert_eq!(std::hint::black_box(1) + 1, 2); }}"
            )
            .expect("a string");
        }
        std::fs::write(out.join(file), code).expect("OUT_DIR can be written");
    }
}
