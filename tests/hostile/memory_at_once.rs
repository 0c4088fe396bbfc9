//! attack: an allocation of nearly all addresses
//! expect: out-of-memory "64 MiB"
//! exit: 1

#[wasmtest::test(max_memory = "64MiB")]
fn attack() {
    std::hint::black_box(vec![0u8; (1 << 31) - (1 << 20)]);
}
