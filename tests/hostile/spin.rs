//! attack: a loop without end
//! expect: timed-out "limit of 1s"
//! exit: 1

#[wasmtest::test(timeout = "1s")]
fn attack() {
    let mut n = 0u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}
