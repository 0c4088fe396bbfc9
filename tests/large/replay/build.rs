//! Writes the tests of each suite: many small functions that call one.

use std::fmt::Write;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    for (suite, count) in [("burns", 1000), ("touches", 5200), ("changes", 1000)] {
        let mut code = String::new();
        for i in 0..count {
            // the first 200 can be chosen by their name
            let few = if i < 200 { "few_" } else { "" };
            writeln!(code, "#[wasmtest::test] fn t_{few}{i:04}() {{ test(); }}").expect("a string");
        }
        std::fs::write(out.join(format!("{suite}.rs")), code).expect("OUT_DIR can be written");
    }
}
