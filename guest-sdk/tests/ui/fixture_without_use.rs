mod fixtures {
    #[wasmtest::fixture]
    pub fn config() -> u32 {
        1
    }
}

#[wasmtest::fixture]
fn db(config: &u32) -> u32 {
    *config
}

fn main() {}
