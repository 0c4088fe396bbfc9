#[wasmtest::fixture]
fn own() -> u32 {
    1
}

#[wasmtest::fixture(split, fresh)]
fn fresh() -> u32 {
    1
}

#[wasmtest::fixture(split)]
fn kept(own: u32) -> u32 {
    own
}

mod setup {
    use super::own;

    #[wasmtest::setup]
    fn begin(own: &u32) {
        let _ = own;
    }
}

mod teardown {
    use super::fresh;

    #[wasmtest::teardown]
    fn end(fresh: &u32) {
        let _ = fresh;
    }
}

fn main() {}
