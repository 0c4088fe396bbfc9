#[wasmtest::setup]
async fn waits() {}

#[wasmtest::before(tokio)]
fn does_not_wait() {}

#[wasmtest::after]
fn returns() -> u32 {
    1
}

#[wasmtest::teardown]
fn generic<T>() {}

#[wasmtest::before]
struct NoFunction;

#[wasmtest::suite]
fn no_module() {}

fn main() {}
