//! attack: files are opened and never closed
//! expect: passed
//! exit: 0

#[wasmtest::test(timeout = "20s")]
fn attack() {
    let mut open = Vec::new();
    for n in 0..100_000 {
        match std::fs::File::create(format!("/tmp/{}", n % 10)) {
            Ok(file) => open.push(file),
            Err(_) => break,
        }
    }
    std::mem::forget(open);
}
