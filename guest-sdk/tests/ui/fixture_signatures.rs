#[wasmtest::fixture]
fn nothing() {}

#[wasmtest::fixture]
fn nothing_at_best() -> Result<(), String> {
    Ok(())
}

#[wasmtest::fixture]
fn hidden() -> impl Copy {
    1
}

#[wasmtest::fixture(teardown = close)]
fn closed() -> u32 {
    1
}

fn close(_: &str) {}

#[wasmtest::fixture(teardown = "close")]
fn in_quotes() -> u32 {
    1
}

wasmtest::host_fixture!(server: u32 = name);
wasmtest::host_fixture!(server);

fn main() {}
