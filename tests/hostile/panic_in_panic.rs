//! attack: a value that panics while it is shown in a panic
//! expect: errored "aborted"
//! exit: 1

struct Shows;

impl std::fmt::Display for Shows {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("within")
    }
}

#[wasmtest::test]
fn attack() {
    panic!("{}", Shows);
}
