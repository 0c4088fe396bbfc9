//! attack: a test that should panic ends its stack
//! expect: errored "stack"
//! exit: 1

#[inline(never)]
#[allow(unconditional_recursion)]
fn deeper(n: u64) -> u64 {
    std::hint::black_box(deeper(n + 1)) + 1
}

#[wasmtest::test]
#[should_panic]
fn attack() {
    std::hint::black_box(deeper(0));
}
