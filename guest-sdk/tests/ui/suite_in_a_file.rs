#[wasmtest::suite(split)]
mod fixtures_in_a_file;

fn main() {}
