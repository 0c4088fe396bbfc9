//! Writes 1,000 and 10,000 trivial tests for libtest, and 200 that wait for the clock.

use std::fmt::Write;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    let trivial = "assert_eq!(std::hint::black_box(1) + 1, 2)";
    let sleeps = "std::thread::sleep(std::time::Duration::from_millis(100))";
    for (file, number, body) in [
        ("thousand.rs", 1000, trivial),
        ("ten_thousand.rs", 10_000, trivial),
        ("sleeps.rs", 200, sleeps),
    ] {
        let mut code = String::new();
        for i in 0..number {
            writeln!(code, "#[test] fn t{i:05}() {{ {body}; }}").expect("a string");
        }
        std::fs::write(out.join(file), code).expect("OUT_DIR can be written");
    }
}
