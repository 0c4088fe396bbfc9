//! Shared contexts: those that cannot be set up, and what is taken down at the end.

use crate::{note, wait_for};

/// Their setups fail, by an error and by a panic.
mod broken {
    use super::*;

    #[wasmtest::suite(shared)]
    mod refuses {
        use super::*;

        #[wasmtest::setup]
        fn begin() -> Result<(), String> {
            note("refuses setup");
            Err("no power".to_owned())
        }

        #[wasmtest::teardown]
        fn end() {
            note("refuses teardown");
        }

        #[wasmtest::test]
        fn first() {
            note("refuses first");
        }

        #[wasmtest::test]
        fn second() {
            note("refuses second");
        }
    }

    #[wasmtest::suite(shared)]
    mod panics {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            note("panics setup");
            panic!("no light");
        }

        #[wasmtest::teardown]
        fn end() {
            note("panics teardown");
        }

        #[wasmtest::test]
        fn first() {
            note("panics first");
        }
    }

    #[wasmtest::suite(shared)]
    mod is_not {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            note("is_not setup");
        }

        #[wasmtest::teardown]
        fn end() {
            note("is_not teardown");
        }

        #[wasmtest::test]
        fn first() {
            note("is_not first");
        }
    }

    #[wasmtest::test]
    fn is_in_no_context() {
        note("is_in_no_context");
    }
}

#[wasmtest::suite(shared)]
mod outer {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("outer setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note("outer teardown");
    }

    #[wasmtest::suite(shared)]
    mod inner {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            note("inner setup");
        }

        #[wasmtest::teardown]
        fn end() {
            note("inner teardown");
        }

        #[wasmtest::test]
        fn a_fails() {
            note("test");
            panic!("on purpose");
        }

        #[wasmtest::test]
        fn b_passes() {
            note("test");
        }

        #[wasmtest::test]
        #[ignore = "for ever"]
        fn waits_for_ever() {
            note("test");
            wait_for("nobody");
        }
    }

    #[wasmtest::test]
    fn c_passes() {
        note("test");
    }
}

/// The teardown of the inner one fails.
#[wasmtest::suite(shared)]
mod frail {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("outer setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note("outer teardown");
    }

    #[wasmtest::suite(shared)]
    mod inner {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            note("inner setup");
        }

        #[wasmtest::teardown]
        fn end() {
            note("inner teardown");
            panic!("it does not let go");
        }

        #[wasmtest::test]
        fn passes() {
            note("test");
        }
    }
}
