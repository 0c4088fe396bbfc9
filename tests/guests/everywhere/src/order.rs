//! What was made last is torn down first, whatever the mark.

use crate::note;
use std::cell::Cell;

thread_local! {
    /// What stands: one more for each that was made, one less for each that was torn down.
    static STANDS: Cell<u32> = const { Cell::new(0) };
}

/// Something is made, on as many others.
fn made(name: &str, on: u32) {
    note(name);
    assert_eq!(
        STANDS.replace(on + 1),
        on,
        "{name} is made too early or too late"
    );
}

/// Something is torn down, that stands on as many others.
fn gone(name: &str, on: u32) {
    note(&format!("{name} gone"));
    assert_eq!(
        STANDS.replace(on),
        on + 1,
        "{name} goes too early or too late"
    );
}

/// What is dropped, and says so.
pub struct Dropped(&'static str, u32);

impl Drop for Dropped {
    fn drop(&mut self) {
        gone(self.0, self.1);
    }
}

/// The same suite with a mark.
macro_rules! suite {
    ($name:ident, $mark:ident) => {
        #[wasmtest::suite($mark)]
        mod $name {
            use super::*;

            #[wasmtest::setup]
            fn pool() -> u32 {
                made("pool", 0);
                1
            }

            #[wasmtest::teardown]
            fn close() {
                gone("pool", 0);
            }

            #[wasmtest::fixture(split, teardown = hang_up)]
            fn conn(pool: &u32) -> u32 {
                made("conn", *pool);
                pool + 1
            }

            fn hang_up(_: &u32) {
                gone("conn", 1);
            }

            #[wasmtest::fixture(teardown = roll_back)]
            fn tx(conn: &u32) -> u32 {
                made("tx", *conn);
                conn + 1
            }

            fn roll_back(tx: &u32) {
                gone("tx", tx - 1);
            }

            #[wasmtest::fixture]
            fn row(tx: &u32) -> Dropped {
                made("row", *tx);
                Dropped("row", *tx)
            }

            #[wasmtest::test]
            fn one(row: &Dropped) {
                note("one");
                assert_eq!((row.1, STANDS.get()), (3, 4));
            }

            #[wasmtest::test]
            fn two(row: &Dropped, tx: u32) {
                note("two");
                assert_eq!((row.1, tx, STANDS.get()), (3, 3, 4));
            }
        }
    };
}

suite!(unit, unit);
suite!(split, split);
suite!(serial, serial);

/// A suite in another: what stands on a value of the inner one goes with it.
mod nested {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        made("outer", 0);
    }

    #[wasmtest::teardown]
    fn end() {
        gone("outer", 0);
    }

    #[wasmtest::test]
    fn before_it() {
        note("before");
        assert_eq!(STANDS.get(), 1);
    }

    mod inner {
        use super::*;

        #[wasmtest::setup]
        fn pool() -> Dropped {
            made("inner", 1);
            Dropped("inner's value", 1)
        }

        #[wasmtest::teardown]
        fn close(pool: &Dropped) {
            note("inner closed");
            assert_eq!((pool.1, STANDS.get()), (1, 2));
        }

        #[wasmtest::fixture(unit, teardown = hang_up)]
        fn conn(pool: &Dropped) -> u32 {
            made("conn", pool.1 + 1);
            3
        }

        fn hang_up(_: &u32) {
            gone("conn", 2);
        }

        #[wasmtest::test]
        fn asks(conn: &u32) {
            note("asks");
            assert_eq!((*conn, STANDS.get()), (3, 3));
        }
    }

    mod later {
        use super::*;

        #[wasmtest::test]
        fn after_it() {
            note("after");
            assert_eq!(STANDS.get(), 1);
        }
    }
}

/// What is shared stands beside the tests, and they on it.
#[wasmtest::suite(shared)]
mod shared {
    use super::*;

    #[wasmtest::setup]
    fn pool() -> u32 {
        1
    }

    #[wasmtest::fixture(teardown = roll_back)]
    fn tx(pool: &u32) -> u32 {
        made("tx", 0);
        *pool
    }

    fn roll_back(_: &u32) {
        gone("tx", 0);
    }

    #[wasmtest::test(cases(one = (), two = (), three = ()))]
    fn asks(_again: (), tx: &u32, pool: u32) {
        assert_eq!((*tx, pool, STANDS.get()), (1, 1, 1));
    }
}
