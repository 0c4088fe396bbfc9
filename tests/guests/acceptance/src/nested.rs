//! Contexts three deep, as package, module and class; those that are one unit from
//! the package on are in `tests/package.rs`.

use crate::note;

/// Shared from the package on: each class is a unit by itself.
#[wasmtest::suite(shared)]
mod under_shared {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("package setup");
    }

    #[wasmtest::suite(shared)]
    mod module {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            note("module setup");
        }

        #[wasmtest::suite]
        mod class {
            use super::*;

            #[wasmtest::setup]
            fn begin() {
                note("class setup");
            }

            #[wasmtest::test]
            fn first() {
                crate::give("class");
                crate::wait_for("beside the class");
                note("class first");
            }

            #[wasmtest::test]
            fn second() {
                note("class second");
            }
        }

        #[wasmtest::test]
        fn is_beside_the_class() {
            crate::give("beside the class");
            crate::wait_for("class");
            note("is_beside_the_class");
        }
    }
}

/// Split from the package on: each test replays all three, outermost first.
#[wasmtest::suite(split)]
mod under_split {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        /// What was done in this memory.
        static DONE: RefCell<Vec<String>> = RefCell::default();
    }

    /// Adds to it; what is written at the end is one line a store.
    fn done(what: &str) {
        DONE.with_borrow_mut(|done| done.push(what.to_owned()));
    }

    #[wasmtest::setup]
    fn begin() {
        done("package");
    }

    #[wasmtest::teardown]
    fn end() {
        done("package ends");
        DONE.with_borrow(|done| note(&done.join(", ")));
    }

    #[wasmtest::suite(split)]
    mod module {
        use super::*;

        #[wasmtest::setup]
        fn begin() {
            done("module");
        }

        #[wasmtest::teardown]
        fn end() {
            done("module ends");
        }

        #[wasmtest::suite(split)]
        mod class {
            use super::*;

            #[wasmtest::setup]
            fn begin() {
                done("class");
            }

            #[wasmtest::teardown]
            fn end() {
                done("class ends");
            }

            #[wasmtest::test]
            fn first() {
                done("first");
            }

            #[wasmtest::test]
            fn second() {
                done("second");
            }
        }
    }
}
