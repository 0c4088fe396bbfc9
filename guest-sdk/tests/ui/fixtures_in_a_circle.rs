#[wasmtest::fixture]
fn hen(egg: &u32) -> u32 {
    *egg
}

#[wasmtest::fixture]
fn egg(hen: &u32) -> u32 {
    *hen
}

fn main() {}
