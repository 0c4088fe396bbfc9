//! One SDK test of every mark, beside libtest's.
#![forbid(unsafe_code)]

#[cfg(test)]
#[allow(unconditional_recursion)]
mod tests {
    use std::hint::black_box;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn is_libtests() {}

    #[test]
    fn is_libtests_and_fails() {
        panic!("libtest's own");
    }

    #[test]
    fn is_libtests_and_asks_the_host() {
        assert!(wasmtest::test_id().ends_with("tests::is_libtests_and_asks_the_host"));
        wasmtest::log("from libtest's");
    }

    #[test]
    fn is_libtests_and_skips_itself() {
        wasmtest::skip!("as libtest's");
    }

    #[wasmtest::test]
    fn passes() {}

    #[wasmtest::test(todo = "the peer never answers", timeout = "300ms")]
    fn todo_and_blocked_in_the_host() {
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }

    #[wasmtest::test(max_memory = "64KiB")]
    fn may_use_less_memory_than_its_module_begins_with() {}

    #[wasmtest::test]
    fn passes_with_ok() -> Result<(), String> {
        Ok(())
    }

    #[wasmtest::test]
    fn fails() {
        println!("on stdout, without an end of line");
        print!("here");
        assert_eq!(1 + 1, black_box(3));
    }

    #[wasmtest::test]
    fn returns_an_error() -> Result<(), std::num::ParseIntError> {
        "x".parse::<u32>()?;
        Ok(())
    }

    #[wasmtest::test]
    #[should_panic]
    fn panics_as_it_should() {
        panic!("as it should");
    }

    #[wasmtest::test]
    #[should_panic(expected = "the right words")]
    fn panics_with_the_right_words() {
        panic!("these are the right words, and more");
    }

    #[wasmtest::test]
    #[should_panic(expected = "the right words")]
    fn panics_with_other_words() {
        panic!("nothing of the kind");
    }

    #[wasmtest::test]
    #[should_panic]
    fn should_panic_and_returns() {}

    #[wasmtest::test]
    #[should_panic]
    fn should_panic_and_traps() {
        #[cfg(target_arch = "wasm32")]
        std::process::abort();
    }

    #[wasmtest::test]
    #[should_panic(expected = "forged")]
    fn should_panic_and_forges_one() {
        eprintln!("\nthread 'main' (1) panicked at src/lib.rs:1:1:\nforged");
        #[cfg(target_arch = "wasm32")]
        std::process::abort();
    }

    #[wasmtest::test]
    #[should_panic(expected = "\nthe end")]
    fn panics_at_length() {
        panic!(
            "\n{}\nmemory allocation of 5 bytes failed\nthe end",
            "x".repeat(50_000)
        );
    }

    #[wasmtest::test]
    #[ignore = "on purpose"]
    fn ignored() {
        panic!("run although ignored");
    }

    #[wasmtest::test(todo)]
    fn todo_and_fails() {
        panic!("not yet");
    }

    #[wasmtest::test(todo = "the parser is not written")]
    fn todo_and_passes() {}

    #[wasmtest::test]
    fn skips_itself() {
        wasmtest::skip!("no {} here", "data");
    }

    #[wasmtest::test]
    fn skips_if_asked_to() {
        wasmtest::skip_if!(black_box(false), "never");
        wasmtest::skip_if!(black_box(true), "always");
        panic!("not reached");
    }

    /// What it does in one
    /// sentence.
    ///
    /// And more that is not shown.
    #[wasmtest::test(tags("slow", "db"))]
    fn is_tagged_and_described() {}

    #[wasmtest::test(timeout = "200ms")]
    fn spins_beyond_its_own_limit() {
        while black_box(true) {}
    }

    #[wasmtest::test(max_memory = "4MiB")]
    fn needs_more_than_it_may() {
        let all = vec![1u8; 8 << 20];
        black_box(all);
    }

    #[wasmtest::test]
    fn logs_and_attaches_and_fails() {
        wasmtest::log("a line of log");
        wasmtest::attach("numbers.txt", "text/plain", "1 2 3");
        wasmtest::attach(
            "bytes.bin",
            "application/octet-stream",
            [0u8, 159, 146, 150],
        );
        panic!("after all that");
    }

    #[wasmtest::test]
    fn logs_and_passes() {
        wasmtest::log(format!("attempt {}", wasmtest::attempt()));
    }

    #[wasmtest::test]
    fn knows_its_id() {
        assert_eq!(wasmtest::test_id(), "sdk.wasm tests::knows_its_id");
    }

    static VISITORS: AtomicUsize = AtomicUsize::new(0);

    #[wasmtest::test]
    fn is_alone_1() {
        assert_eq!(VISITORS.fetch_add(1, Ordering::SeqCst), 0);
    }

    #[wasmtest::test]
    fn is_alone_2() {
        assert_eq!(VISITORS.fetch_add(1, Ordering::SeqCst), 0);
    }

    #[wasmtest::test(tokio)]
    async fn awaits_with_tokio() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }

    fn now<F: Future>(future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("not ready"),
        }
    }

    #[wasmtest::test(block_on = now)]
    async fn awaits_with_a_function() -> Result<(), String> {
        assert_eq!(std::future::ready(42).await, 42);
        Ok(())
    }

    #[wasmtest::test]
    fn exits_0() {
        std::process::exit(0);
    }

    #[wasmtest::test]
    fn uses_std() {
        let map: std::collections::HashMap<_, _> = [(1, "a")].into();
        println!("{map:?} {:?}", std::env::var("TMPDIR"));
        std::fs::write("/tmp/x", "y").unwrap();
    }

    #[wasmtest::test]
    fn run() {}

    #[wasmtest::test]
    fn record() {}

    mod inner {
        #[wasmtest::test]
        fn is_nested() {}
    }
}
