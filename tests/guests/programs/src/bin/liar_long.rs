//! Has libtest's marks and lists a test whose name is far too long.

#[used]
static MARKS: [&str; 2] = ["RUST_TEST_THREADS", "RUST_TEST_NOCAPTURE"];

fn main() {
    print!("{}: test\n", "long".repeat(100_000));
}
