//! Has libtest's marks and lists names that no Rust test can have.

#[used]
static MARKS: [&str; 2] = ["RUST_TEST_THREADS", "RUST_TEST_NOCAPTURE"];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|a| a == "--list") {
        if args.iter().any(|a| a == "json") {
            std::process::exit(101);
        }
        print!("\x1b[2Jred\x07: test\nplain: test\n");
        return;
    }
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
