struct Plain;

#[wasmtest::fixture(shared)]
fn plain() -> Plain {
    Plain
}

#[wasmtest::setup(shared)]
fn text() -> &'static str {
    ""
}

wasmtest::host_fixture!(server: Plain);

fn main() {}
