//! attack: libtest's words for the failure of another test, and a return
//! expect: passed
//! exit: 0

#[test]
fn attack() {
    println!("test siblings::writes_a_file ... FAILED\n");
    println!(
        "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
    );
}
