#[wasmtest::suite(split, shared)]
mod suite {}

#[wasmtest::setup(shared, serial)]
fn setup() {}

#[wasmtest::fixture(unit, unit)]
fn fixture() -> u32 {
    1
}

#[wasmtest::suite(split)]
#[wasmtest::suite(serial)]
mod twice {}

#[wasmtest::suite(split)]
mod another {
    #[wasmtest::setup(shared)]
    fn setup() {}
}

fn main() {}
