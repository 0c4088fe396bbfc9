//! Writes 1,000 small tests, for faults: 250 by themselves, 150 that begin from a
//! suite's state, 20 units of 15, 6 shared fixtures of 50 each.

use std::fmt::Write as _;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut code = String::new();
    let mut line = |text: String| writeln!(code, "{text}").expect("a string");
    for i in 0..250 {
        line(format!(
            "#[wasmtest::test] fn alone_{i:03}() {{ crate::work(); }}"
        ));
    }
    line("#[wasmtest::suite(split)] mod split {".to_owned());
    line(
        "static SET_UP: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);"
            .to_owned(),
    );
    line("#[wasmtest::setup] fn begin() { crate::work(); SET_UP.fetch_add(1, std::sync::atomic::Ordering::Relaxed); }".to_owned());
    for i in 0..150 {
        line(format!(
            "#[wasmtest::test] fn t{i:03}() {{ crate::work(); assert_eq!(SET_UP.fetch_add(1, std::sync::atomic::Ordering::Relaxed), 1); }}"
        ));
    }
    line("}".to_owned());
    for unit in 0..20 {
        line(format!("#[wasmtest::suite(unit)] mod unit_{unit:02} {{"));
        line("#[wasmtest::setup] fn begin() { crate::work(); }".to_owned());
        line("#[wasmtest::teardown] fn end() { crate::work(); }".to_owned());
        for i in 0..15 {
            line(format!(
                "#[wasmtest::test] fn t{i:02}() {{ crate::work(); }}"
            ));
        }
        line("}".to_owned());
    }
    for shared in 0..6 {
        line(format!(
            "#[wasmtest::fixture(shared, teardown = forget)] fn shared_{shared}() -> u32 {{ crate::work(); {shared} }}"
        ));
        for i in 0..50 {
            line(format!(
                "#[wasmtest::test] fn with_{shared}_{i:02}(shared_{shared}: u32) {{ crate::work(); assert_eq!(shared_{shared}, {shared}); }}"
            ));
        }
    }
    line("fn forget(_: &u32) { crate::work(); }".to_owned());
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(out.join("many.rs"), code).expect("OUT_DIR can be written");
}
