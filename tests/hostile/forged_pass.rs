//! attack: libtest's words for a pass, and exit(0)
//! expect: failed "exit(0)"
//! exit: 1

#[test]
fn attack() {
    println!("test forged_pass::attack ... ok\n");
    println!(
        "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    );
    std::process::exit(0);
}
