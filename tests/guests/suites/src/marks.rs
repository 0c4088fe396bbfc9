//! A suite of each mark, nested in a module without one.

use std::cell::Cell;

thread_local! {
    /// How often this memory was set up: that of an instance, which has one thread, and
    /// of a thread where each test has its own.
    static SET_UP: Cell<u32> = const { Cell::new(0) };
}

/// Adds to it, and says what it was.
fn add(n: u32) -> u32 {
    SET_UP.replace(SET_UP.get() + n)
}

#[wasmtest::suite]
mod unit {
    use super::*;
    use crate::note;

    #[wasmtest::setup]
    fn begin() {
        note("unit setup");
        add(1);
    }

    #[wasmtest::teardown]
    fn end() {
        note("unit teardown");
    }

    #[wasmtest::before]
    fn before_each() {
        note("unit before");
        add(10);
    }

    #[wasmtest::after]
    fn after_each() {
        note("unit after");
    }

    #[wasmtest::test]
    fn first() {
        note("unit first");
        assert_eq!(add(100), 11);
    }

    #[wasmtest::test]
    fn second() {
        note("unit second");
        assert_eq!(add(100), 11);
    }

    #[wasmtest::suite(unit)]
    mod inner {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            note("inner setup");
            assert_eq!(add(1), 1);
        }

        #[wasmtest::teardown]
        fn end() {
            note("inner teardown");
        }

        #[wasmtest::before]
        fn before_each() {
            note("inner before");
            assert_eq!(SET_UP.get(), 12);
        }

        #[wasmtest::after]
        fn after_each() {
            note("inner after");
        }

        #[wasmtest::test]
        fn is_set_up_twice() {
            note("inner test");
            assert_eq!(SET_UP.get(), 12);
        }
    }
}

#[wasmtest::suite(split)]
mod split {
    use crate::note;
    use std::cell::RefCell;

    /// No other instance could use it.
    pub struct Memo(RefCell<Vec<&'static str>>);

    #[wasmtest::setup]
    fn memo() -> Memo {
        note("split setup");
        wasmtest::log("the setup of split");
        Memo(RefCell::default())
    }

    #[wasmtest::teardown]
    fn end(memo: &Memo) {
        note("split teardown");
        wasmtest::log("the teardown of split");
        let _ = memo;
    }

    #[wasmtest::test]
    fn first(memo: &Memo) {
        note("split first");
        memo.0.borrow_mut().push("first");
    }

    #[wasmtest::test]
    fn second(memo: &Memo) {
        note("split second");
        memo.0.borrow_mut().push("second");
    }
}

#[wasmtest::suite(shared)]
mod shared {
    use crate::fixtures::{Config, config};
    use crate::note;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, Serialize, Deserialize)]
    pub struct Account {
        name: String,
        key: Vec<u8>,
    }

    #[wasmtest::setup]
    fn account(config: &Config) -> Result<Account, String> {
        note("shared setup");
        Ok(Account {
            name: format!("account of {}", config.name),
            key: vec![0, 159, 146, 150],
        })
    }

    #[wasmtest::teardown]
    fn end(account: &Account) {
        note("shared teardown");
        assert_eq!(account.key.len(), 4);
    }

    #[wasmtest::test]
    fn first(account: &Account) {
        note("shared first");
        assert_eq!(account.name, "account of one for all");
    }

    #[wasmtest::test]
    fn second(account: Account, config: &Config) {
        note("shared second");
        assert_eq!(account.key, [0, 159, 146, 150]);
        // it came from another instance
        assert!(!config.here || !cfg!(target_env = "p1"));
    }
}

#[wasmtest::suite(serial)]
mod serial {
    use super::*;
    use crate::note;

    #[wasmtest::setup]
    fn begin() {
        note("serial setup");
        add(1);
    }

    #[wasmtest::teardown]
    fn end() {
        note("serial teardown");
    }

    #[wasmtest::test]
    fn first() {
        note("serial first");
        assert!(SET_UP.get() > 0);
    }

    #[wasmtest::test]
    fn second() {
        note("serial second");
        assert!(SET_UP.get() > 0);
    }
}
