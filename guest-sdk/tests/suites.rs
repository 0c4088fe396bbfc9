//! Suites, fixtures and cases where they are run as plain `#[test]` functions: here.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    /// What was called for a test, which has a thread of its own.
    static CALLED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Notes that something is called.
fn called(name: &'static str) {
    CALLED.with_borrow_mut(|called| called.push(name));
}

/// What was called in what is run around this test.
fn all_called() -> Vec<&'static str> {
    CALLED.take()
}

/// Runs the test on a thread of its own, and says what was called and how it panicked.
fn observed(test: fn()) -> (Vec<&'static str>, Option<String>) {
    std::thread::spawn(move || {
        let ended = std::panic::catch_unwind(test);
        let panicked = ended.err().map(|payload| {
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            text.or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_default()
        });
        (all_called(), panicked)
    })
    .join()
    .expect("it is caught")
}

mod order {
    use super::*;

    pub struct Tool(&'static str);

    impl Drop for Tool {
        fn drop(&mut self) {
            called(self.0);
        }
    }

    #[wasmtest::setup]
    fn start() {
        called("setup");
    }

    #[wasmtest::teardown]
    fn end() {
        called("teardown");
    }

    #[wasmtest::before]
    fn before_each() {
        called("before");
    }

    #[wasmtest::after]
    fn after_each() {
        called("after");
    }

    #[wasmtest::fixture(unit, teardown = put_down)]
    fn hammer() -> Tool {
        called("hammer");
        Tool("hammer is dropped")
    }

    fn put_down(_: &Tool) {
        called("hammer is put down");
    }

    #[wasmtest::fixture(teardown = put_down_own)]
    fn glove() -> Tool {
        called("glove");
        Tool("glove is dropped")
    }

    fn put_down_own(_: &Tool) {
        called("glove is put down");
    }

    #[wasmtest::fixture(split)]
    fn nail(hammer: &Tool) -> Result<Tool, String> {
        let _ = hammer;
        called("nail");
        Ok(Tool("nail is dropped"))
    }

    #[wasmtest::suite(split)]
    mod inner {
        use super::*;

        #[wasmtest::setup]
        fn start(hammer: &Tool) -> Result<u32, String> {
            let _ = hammer;
            called("inner setup");
            Ok(7)
        }

        #[wasmtest::teardown]
        fn end(start: u32) -> Result<(), String> {
            assert_eq!(start, 7);
            called("inner teardown");
            Ok(())
        }

        #[wasmtest::before]
        fn before_each(start: &u32, glove: &Tool) {
            assert_eq!(*start, 7);
            let _ = glove;
            called("inner before");
        }

        #[wasmtest::after]
        fn after_each() {
            called("inner after");
        }

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        fn inner(nail: &Tool, mut start: u32, hammer: &Tool) {
            start += 1;
            assert_eq!(start, 8);
            let _ = (nail, hammer);
            called("test");
        }

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        fn panics(nail: &Tool) {
            let _ = nail;
            panic!("in the test");
        }

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        fn skips() {
            wasmtest::skip!("in the test");
        }

        #[test]
        fn around_a_test_is_first_what_is_outside() {
            let expected = [
                "setup",
                "hammer",
                "inner setup",
                "nail",
                "glove",
                "before",
                "inner before",
                "test",
                "inner after",
                "after",
                "glove is put down",
                "glove is dropped",
                "nail is dropped",
                "inner teardown",
                "hammer is put down",
                "hammer is dropped",
                "teardown",
            ];
            assert_eq!(observed(inner), (expected.to_vec(), None));
            let (called, panicked) = observed(panics);
            assert_eq!(panicked.as_deref(), Some("in the test"));
            let without_test: Vec<_> = expected.into_iter().filter(|c| *c != "test").collect();
            assert_eq!(called, without_test);
            let (called, panicked) = observed(skips);
            assert_eq!((called.len(), panicked), (without_test.len() - 2, None));
        }
    }
}

mod failing {
    use super::*;

    mod setup {
        use super::*;

        #[wasmtest::setup]
        fn start() -> Result<(), String> {
            Err("no power".to_owned())
        }

        #[wasmtest::teardown]
        fn end() {
            called("teardown of what was not set up");
        }

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        fn fails() {
            called("test");
        }

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        #[should_panic]
        fn should_panic() {
            called("test");
        }

        #[test]
        fn keeps_the_test_from_being_run() {
            let (called, panicked) = observed(fails);
            assert_eq!(called, [""; 0]);
            let panicked = panicked.expect("it fails");
            assert_eq!(
                panicked,
                "suites::failing::setup::start failed: \"no power\""
            );
            // without a panic it is a failure of this one
            assert_eq!(observed(should_panic), (vec![], None));
        }
    }

    mod teardown {
        use super::*;

        #[wasmtest::after]
        fn after_each() -> Result<(), String> {
            called("after");
            Err("after".to_owned())
        }

        #[wasmtest::teardown]
        fn end() {
            called("teardown");
            panic!("torn");
        }

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        fn passes_itself() {}

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        #[should_panic]
        fn panics_as_it_should() {
            panic!("on purpose");
        }

        #[test]
        fn fails_the_test_and_all_of_them_are_run() {
            let (called, panicked) = observed(passes_itself);
            assert_eq!(called, ["after", "teardown"]);
            let panicked = panicked.expect("it fails");
            assert!(panicked.ends_with("after_each failed: \"after\""));
            let both = (vec!["after", "teardown"], None);
            assert_eq!(observed(panics_as_it_should), both);
        }
    }

    mod once {
        use super::*;

        static COMPUTED: AtomicUsize = AtomicUsize::new(0);

        #[wasmtest::fixture(shared)]
        fn broken() -> Result<u32, std::num::ParseIntError> {
            COMPUTED.fetch_add(1, Ordering::SeqCst);
            "x".parse()
        }

        #[wasmtest::fixture(shared)]
        fn absent() -> String {
            wasmtest::skip!("not here");
        }

        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        fn fails(broken: u32) {
            let _ = broken;
        }

        #[wasmtest::test]
        fn is_skipped(absent: &str) {
            panic!("not reached with {absent}");
        }

        #[wasmtest::test]
        fn is_skipped_too(absent: &str) {
            panic!("not reached with {absent}");
        }

        #[test]
        fn fails_all_who_ask_with_the_same_words() {
            let words =
                "suites::failing::once::broken failed: ParseIntError { kind: InvalidDigit }";
            for _ in 0..2 {
                assert_eq!(observed(fails), (vec![], Some(words.to_owned())));
            }
            assert_eq!(COMPUTED.load(Ordering::SeqCst), 1);
        }
    }
}

/// Tests of a serial suite, and others that look whether one of them runs.
mod alone {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static SERIAL: AtomicBool = AtomicBool::new(false);

    /// Runs for as long as it takes others to come, if they may.
    fn run_for_a_while(is_serial: bool) {
        let before = RUNNING.fetch_add(1, Ordering::SeqCst);
        SERIAL.fetch_or(is_serial, Ordering::SeqCst);
        for _ in 0..1000 {
            std::thread::yield_now();
            assert!(!SERIAL.load(Ordering::SeqCst) || RUNNING.load(Ordering::SeqCst) == 1);
        }
        assert!(!is_serial || before == 0);
        SERIAL.fetch_and(!is_serial, Ordering::SeqCst);
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }

    #[wasmtest::suite(serial)]
    mod serial {
        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        pub fn one() {
            super::run_for_a_while(true);
        }

        /// A test may call another.
        #[wasmtest::test]
        #[ignore = "another test looks at it"]
        pub fn two() {
            super::beside();
            super::run_for_a_while(true);
        }
    }

    #[wasmtest::test]
    #[ignore = "another test looks at it"]
    fn beside() {
        // not of the tests that are counted where it is called by one
        std::hint::black_box(());
    }

    #[wasmtest::test]
    #[ignore = "another test looks at it"]
    fn counted() {
        run_for_a_while(false);
    }

    #[test]
    fn no_other_of_the_sdks_tests_runs_beside_a_serial_one() {
        let tests: [fn(); 4] = [serial::one, serial::two, counted, beside];
        let all: Vec<_> = (0..32)
            .map(|i| std::thread::spawn(tests[i % tests.len()]))
            .collect();
        for thread in all {
            thread.join().expect("nobody was beside it");
        }
    }
}

#[wasmtest::suite(shared)]
mod shared {
    use super::*;
    use serde::{Deserialize, Serialize};

    static SET_UP: AtomicUsize = AtomicUsize::new(0);

    #[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
    pub struct Server {
        port: u16,
        #[serde(skip)]
        here_only: u32,
    }

    #[wasmtest::fixture(shared)]
    fn base() -> u16 {
        8000
    }

    #[wasmtest::setup]
    fn server(base: u16) -> Server {
        let number = SET_UP.fetch_add(1, Ordering::SeqCst) as u16;
        Server {
            port: base + number,
            here_only: 3,
        }
    }

    #[wasmtest::teardown]
    fn end() {
        panic!("a shared suite is not torn down here");
    }

    #[wasmtest::test(cases(a = (), b = (), c = ()))]
    fn has_one_server(_again: (), server: &Server) {
        assert_eq!((server.port, server.here_only), (8000, 0));
    }

    #[wasmtest::test]
    fn has_a_clone_of_it(server: Server, base: &u16) {
        assert_eq!(server.port, *base);
    }
}

mod host {
    use super::*;

    wasmtest::host_fixture!(
        /// Not set.
        pub server: shared::Server
    );
    wasmtest::host_fixture!(named: u32 = "no such-thing");

    #[wasmtest::test]
    #[ignore = "another test looks at it"]
    fn asks(server: &shared::Server) {
        let _ = server;
    }

    #[wasmtest::test]
    #[ignore = "another test looks at it"]
    fn asks_for_the_other(named: u32) {
        let _ = named;
    }

    #[test]
    fn says_where_its_value_can_come_from() {
        let (_, panicked) = observed(asks);
        let panicked = panicked.expect("it is not set");
        assert!(panicked.contains("WASMTEST_FIXTURE_SERVER"), "{panicked}");
        let (_, panicked) = observed(asks_for_the_other);
        let panicked = panicked.expect("it is not set");
        assert!(
            panicked.contains("WASMTEST_FIXTURE_NO_SUCH_THING"),
            "{panicked}"
        );
    }
}

mod cases {
    use std::num::ParseIntError;

    const TEN: &str = "10";

    #[wasmtest::fixture]
    fn radix() -> u32 {
        10
    }

    /// Whatever it is.
    #[wasmtest::test(tags("parser"), cases(one = ("1", 1), ten = (self::TEN, 10)))]
    fn parses(text: &str, expected: u32, radix: u32) -> Result<(), ParseIntError> {
        assert_eq!(u32::from_str_radix(text, radix)?, expected);
        Ok(())
    }

    #[wasmtest::test(cases(letter = "x", nothing = ""))]
    #[should_panic(expected = "a number")]
    fn refuses(text: &str) {
        text.parse::<u32>().expect("a number");
    }

    #[wasmtest::test(cases(pair = ((1, 2),)))]
    fn takes_a_tuple((a, b): (u32, u32)) {
        assert_eq!(a + 1, b);
    }

    #[wasmtest::test(cases(never = 1), todo)]
    fn is_to_do(n: u32) {
        assert_eq!(n, 2);
    }

    #[wasmtest::test(cases(known = "cases::knows_its_name::known"))]
    fn knows_its_name(name: &str) {
        assert_eq!(wasmtest::test_id(), name);
    }
}

mod awaiting {
    fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("not ready"),
        }
    }

    #[wasmtest::fixture(block_on = block_on)]
    async fn answer() -> Result<u32, String> {
        Ok(std::future::ready(42).await)
    }

    #[wasmtest::before(block_on = block_on)]
    async fn before_each(answer: u32) {
        assert_eq!(std::future::ready(answer).await, 42);
    }

    #[wasmtest::test(block_on = block_on, cases(a = 42))]
    async fn answers(expected: u32, answer: &u32) {
        assert_eq!(std::future::ready(*answer).await, expected);
    }
}

/// What stands in one module is used in another, by a `use` as ever.
mod elsewhere {
    pub mod fixtures {
        pub struct Config(pub u32);

        #[wasmtest::fixture]
        pub fn config() -> Config {
            Config(1)
        }

        #[wasmtest::fixture]
        pub(crate) fn r#type(config: &Config) -> u32 {
            config.0 + 1
        }
    }

    use fixtures::{Config, config, r#type};

    #[wasmtest::test]
    fn finds_them(config: &Config, r#type: u32) {
        assert_eq!(config.0 + 1, r#type);
        assert_eq!(fixtures::r#type(&self::config()), 2);
    }

    #[cfg(any())]
    #[wasmtest::setup]
    fn not_compiled() {}

    #[cfg(not(any()))]
    #[wasmtest::setup]
    fn compiled() {}
}
