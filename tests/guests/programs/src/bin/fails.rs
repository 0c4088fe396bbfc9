//! Ends with status 3.
fn main() {
    eprintln!("this went wrong");
    std::process::exit(3);
}
