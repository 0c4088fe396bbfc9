//! Ends by `exit(0)`, which is as good as returning for a program.
fn main() {
    std::process::exit(0);
}
