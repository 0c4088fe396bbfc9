#[wasmtest::fixture(split)]
fn connection() -> u32 {
    1
}

#[wasmtest::fixture(shared)]
fn account(connection: &u32) -> u32 {
    *connection
}

#[wasmtest::suite(shared)]
mod suite {
    use super::connection;

    #[wasmtest::setup]
    fn setup(connection: &u32) {
        let _ = connection;
    }
}

fn main() {}
