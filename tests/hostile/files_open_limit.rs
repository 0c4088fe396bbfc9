//! attack: more files are opened than are allowed
//! expect: failed "100"
//! exit: 1
//! flags: --max-open-files 100

#[wasmtest::test]
fn attack() {
    let mut open = Vec::new();
    for n in 0..1000 {
        open.push(std::fs::File::create(format!("/tmp/{}", n % 10)).expect("there is room"));
    }
}
