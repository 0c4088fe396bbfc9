#[wasmtest::fixture]
fn db(confg: &u32) -> u32 {
    *confg
}

#[allow(non_camel_case_types)]
struct plain {}

#[wasmtest::before]
fn before(plain: &u32) {
    let _ = plain;
}

fn main() {}
