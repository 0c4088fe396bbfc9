//! Ends by returning.
fn main() {
    println!("hello from a program");
}
