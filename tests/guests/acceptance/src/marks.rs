//! A suite of each mark. Each keeps a list of the calls of its setup.

use crate::{add, give, note, read, wait_for};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// Counts up and back.
#[wasmtest::suite]
mod counted {
    use super::*;

    static COUNT: AtomicU32 = AtomicU32::new(0);

    #[wasmtest::setup]
    fn begin() {
        note(&format!("setup {}", COUNT.fetch_add(1, SeqCst) + 1));
    }

    #[wasmtest::teardown]
    fn end() {
        note(&format!("teardown {}", COUNT.fetch_sub(1, SeqCst) - 1));
    }

    #[wasmtest::test]
    fn first() {
        note("first");
        assert_eq!(COUNT.load(SeqCst), 1);
    }

    #[wasmtest::test]
    fn second() {
        note("second");
        assert_eq!(COUNT.load(SeqCst), 1);
    }
}

/// Two suites, each whole on a worker, under one that is shared.
#[wasmtest::suite(shared)]
mod parent {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("parent setup");
    }

    /// Passes only while the other is in flight.
    fn meets(own: &str, other: &str) {
        give(own);
        wait_for(other);
        std::thread::sleep(Duration::from_secs(1));
        note(own);
    }

    #[wasmtest::suite]
    mod one {
        #[wasmtest::setup]
        fn begin() {
            crate::note("one setup");
        }

        #[wasmtest::test]
        fn sleeps() {
            super::meets("one", "two");
        }
    }

    #[wasmtest::suite]
    mod two {
        #[wasmtest::setup]
        fn begin() {
            crate::note("two setup");
        }

        #[wasmtest::test]
        fn sleeps() {
            super::meets("two", "one");
        }
    }
}

#[wasmtest::suite(shared)]
mod shared {
    use super::*;

    #[wasmtest::setup]
    fn calls() -> Vec<String> {
        note("setup");
        wait_for("set-up");
        vec!["called".to_owned()]
    }

    #[wasmtest::teardown]
    fn end(calls: &Vec<String>) {
        note(&format!("teardown of {}", calls.len()));
    }

    #[wasmtest::test]
    fn first(calls: &Vec<String>) {
        note("first");
        assert_eq!(calls.len(), 1);
    }

    #[wasmtest::test]
    fn second(calls: &Vec<String>) {
        note("second");
        assert_eq!(calls.len(), 1);
    }

    #[wasmtest::test]
    fn third(calls: &Vec<String>) {
        note("third");
        assert_eq!(calls.len(), 1);
    }
}

/// What it keeps is its instance's own.
#[wasmtest::suite(split)]
mod split {
    use super::*;

    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[wasmtest::setup]
    fn begin() {
        CALLS.fetch_add(1, SeqCst);
        note("setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note("teardown");
    }

    #[wasmtest::test]
    fn first() {
        note("first");
        assert_eq!(CALLS.load(SeqCst), 1);
    }

    #[wasmtest::test]
    fn second() {
        note("second");
        assert_eq!(CALLS.load(SeqCst), 1);
    }

    #[wasmtest::test]
    fn third() {
        note("third");
        assert_eq!(CALLS.load(SeqCst), 1);
    }
}

/// Nothing outside its memory knows that its setup has run.
#[wasmtest::suite(split)]
mod split_in_memory {
    use super::*;

    static CALLS: AtomicU32 = AtomicU32::new(0);
    static TESTS: AtomicU32 = AtomicU32::new(0);

    #[wasmtest::setup]
    fn begin() {
        CALLS.fetch_add(1, SeqCst);
    }

    /// It is the state of one run of the setup, which no other test has seen.
    fn is_fresh() {
        assert_eq!(CALLS.load(SeqCst), 1);
        assert_eq!(TESTS.fetch_add(1, SeqCst), 0);
    }

    #[wasmtest::test]
    fn first() {
        is_fresh();
    }

    #[wasmtest::test]
    fn second() {
        is_fresh();
    }

    #[wasmtest::test]
    fn third() {
        is_fresh();
    }
}

/// What it keeps is the same for all instances: it cannot be run twice.
#[wasmtest::suite(split)]
mod split_on_disk {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        add("list", "called");
    }

    #[wasmtest::test]
    fn first() {
        assert_eq!(read("list").lines().count(), 1);
    }

    #[wasmtest::test]
    fn second() {
        assert_eq!(read("list").lines().count(), 1);
    }

    #[wasmtest::test]
    fn third() {
        assert_eq!(read("list").lines().count(), 1);
    }
}

/// In one store: each test sees what those before it did.
#[wasmtest::suite]
mod unmarked {
    use super::*;

    static CALLS: AtomicU32 = AtomicU32::new(0);
    static TESTS: AtomicU32 = AtomicU32::new(0);

    #[wasmtest::setup]
    fn begin() {
        CALLS.fetch_add(1, SeqCst);
        note("setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note(&format!("teardown after {}", TESTS.load(SeqCst)));
    }

    fn is_test(name: &str, number: u32) {
        note(name);
        assert_eq!(CALLS.load(SeqCst), 1);
        assert_eq!(TESTS.fetch_add(1, SeqCst) + 1, number);
    }

    // neither by name nor by length
    #[wasmtest::test]
    fn zeroth() {
        is_test("zeroth", 1);
    }

    #[wasmtest::test]
    fn first() {
        is_test("first", 2);
    }

    #[wasmtest::test]
    fn another() {
        is_test("another", 3);
    }
}

/// Suites that must not run beside anything.
mod alone {
    use super::*;

    /// Says when it begins and when it ends.
    fn takes_a_while(name: &str) {
        note(&format!("{name} begins"));
        std::thread::sleep(Duration::from_millis(50));
        note(&format!("{name} ends"));
    }

    #[wasmtest::suite(serial)]
    mod one {
        #[wasmtest::setup]
        fn begin() {
            crate::note("one setup");
        }

        #[wasmtest::test]
        fn first() {
            super::takes_a_while("alone");
        }

        #[wasmtest::test]
        fn second() {
            super::takes_a_while("alone");
        }
    }

    #[wasmtest::suite(serial)]
    mod two {
        #[wasmtest::test]
        fn first() {
            super::takes_a_while("alone");
        }

        #[wasmtest::test]
        fn second() {
            super::takes_a_while("alone");
        }
    }

    #[wasmtest::suite(split)]
    mod not {
        #[wasmtest::test(cases(a = (), b = (), c = (), d = ()))]
        fn at_all(_case: ()) {
            super::takes_a_while("parallel");
        }
    }
}
