#[wasmtest::fixture]
fn mutable(db: &mut u32) -> u32 {
    *db
}

#[wasmtest::fixture]
fn pattern((a, b): (u32, u32)) -> u32 {
    a + b
}

#[wasmtest::fixture]
fn lifetime(db: &'static u32) -> u32 {
    *db
}

#[wasmtest::before]
fn any(db: impl Copy) {
    let _ = db;
}

#[wasmtest::after]
fn attribute(#[allow(unused)] db: u32) {}

#[wasmtest::fixture]
fn twice(db: u32, db: u32) -> u32 {
    db
}

#[wasmtest::test]
fn of_a_test(db: &mut u32) {
    *db += 1;
}

fn main() {}
