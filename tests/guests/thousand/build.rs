//! Writes 1,000 trivial tests, and the same with a panic in the middle.

use std::fmt::Write;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    for (file, panics) in [("trivial.rs", None), ("one_panic.rs", Some(500))] {
        let mut code = String::new();
        for i in 0..1000 {
            let body = match panics == Some(i) {
                true => "panic!(\"the one in the middle\")",
                false => "assert_eq!(std::hint::black_box(1) + 1, 2)",
            };
            writeln!(code, "#[test] fn t{i:04}() {{ {body}; }}").expect("a string");
        }
        std::fs::write(out.join(file), code).expect("OUT_DIR can be written");
    }
}
