#[wasmtest::fixture(serial)]
fn fixture() -> u32 {
    1
}

#[wasmtest::fixture(shared, fresh)]
fn once_and_anew() -> u32 {
    1
}

#[wasmtest::teardown(shared)]
fn teardown() {}

#[wasmtest::suite(shard)]
mod suite {}

#[wasmtest::setup(shared = true)]
fn setup() {}

#[wasmtest::before(fresh)]
fn before() {}

fn main() {}
