//! Has libtest's marks and never ends its list.

#[used]
static MARKS: [&str; 2] = ["RUST_TEST_THREADS", "RUST_TEST_NOCAPTURE"];

fn main() {
    while std::hint::black_box(true) {}
}
