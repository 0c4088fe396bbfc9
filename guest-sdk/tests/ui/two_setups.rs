#[wasmtest::setup]
fn one() {}

#[wasmtest::setup]
fn another() {}

#[wasmtest::after]
fn after_one() {}

#[wasmtest::after]
fn after_another() {}

fn main() {}
