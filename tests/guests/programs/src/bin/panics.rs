//! Panics.
fn main() {
    panic!("a program's panic");
}
