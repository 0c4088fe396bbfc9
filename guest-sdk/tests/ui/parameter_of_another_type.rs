struct Db;

#[wasmtest::fixture]
fn db() -> Db {
    Db
}

#[wasmtest::fixture]
fn by_reference(db: &u32) -> u32 {
    *db
}

#[wasmtest::fixture]
fn by_value(db: u32) -> u32 {
    db
}

#[wasmtest::fixture]
fn without_clone(db: Db) -> u32 {
    let _ = db;
    1
}

fn main() {}
