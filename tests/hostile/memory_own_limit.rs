//! attack: memory without end, by many small allocations
//! expect: out-of-memory "64 MiB"
//! exit: 1

#[wasmtest::test(max_memory = "64MiB")]
fn attack() {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1u8; 1 << 16]));
    }
}
