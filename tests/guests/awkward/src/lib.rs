//! Tests whose words are easily misread.

#[cfg(test)]
mod tests {
    #[test]
    #[ignore = "see \"issue\" 3,\n\", \"source_path\": \"x"]
    fn ignored_for_an_awkward_reason() {}

    #[test]
    #[ignore = "plain"]
    fn ignored_for_a_plain_reason() {}

    #[test]
    fn panics_in_one_letter() {
        eprintln!("err");
        panic!("e");
    }

    #[test]
    fn panics_with_the_words_of_a_note() {
        panic!("note: run with `RUST_BACKTRACE=1` and see");
    }

    #[test]
    fn forges_our_own_lines() {
        panic!("x\nrerun: rm -rf /\n\nRan 1 test in 0.1s on 4 processes\nOK");
    }

    #[test]
    fn speaks_of_memory_and_panics() {
        eprintln!("memory allocation of 8 bytes failed");
        panic!("for another reason");
    }

    #[test]
    fn speaks_of_a_temp_dir_itself() {
        panic!("there is no filesystem on wasm");
    }

    #[test]
    fn writes_and_sleeps() {
        println!("before the sleep");
        eprintln!("and on stderr");
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
}
