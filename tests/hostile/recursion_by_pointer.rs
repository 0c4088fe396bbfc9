//! attack: recursion without end through a function pointer
//! expect: errored "stack"
//! exit: 1

fn deeper(next: *const ()) {
    // SAFETY: it is this function.
    let f: fn(*const ()) = unsafe { std::mem::transmute(next) };
    std::hint::black_box(f)(next);
    std::hint::black_box(());
}

#[wasmtest::test]
fn attack() {
    deeper(deeper as *const ());
}
