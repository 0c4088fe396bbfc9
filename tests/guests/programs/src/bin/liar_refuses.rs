//! Has libtest's marks and does not want to be listed.

#[used]
static MARKS: [&str; 2] = ["RUST_TEST_THREADS", "RUST_TEST_NOCAPTURE"];

fn main() {
    eprintln!("I am no test");
    std::process::exit(7);
}
