//! What is stopped: by an interrupt, at a limit, after a failure, with its worker.

use crate::{give, note, wait_for};
use std::time::Duration;

/// A suite whose first test never ends, beside a shared one.
#[wasmtest::suite]
mod interrupted {
    use super::*;

    #[wasmtest::fixture(shared, teardown = close)]
    fn account() -> u32 {
        note("account setup");
        7
    }

    fn close(account: &u32) {
        note(&format!("account {account} teardown"));
    }

    #[wasmtest::setup]
    fn begin(account: u32) {
        note(&format!("setup with {account}"));
    }

    #[wasmtest::teardown]
    fn end() {
        note("teardown");
    }

    #[wasmtest::test]
    fn a_sleeps() {
        note("a_sleeps");
        std::thread::sleep(Duration::from_secs(3600));
    }

    #[wasmtest::test]
    fn b_is_not_begun() {
        note("b");
    }

    #[wasmtest::test]
    fn c_is_not_begun() {
        note("c");
    }
}

/// Whose teardown takes longer than anybody waits.
#[wasmtest::suite(shared)]
mod lingers {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note("teardown begins");
        std::thread::sleep(Duration::from_secs(3600));
        note("teardown ends");
    }

    #[wasmtest::test]
    fn a_sleeps() {
        note("a_sleeps");
        std::thread::sleep(Duration::from_secs(3600));
    }

    #[wasmtest::test]
    fn b_is_not_begun() {
        note("b");
    }

    #[wasmtest::test]
    fn c_is_not_begun() {
        note("c");
    }
}

/// The same in the store in which its test was stopped.
#[wasmtest::suite]
mod lingers_in_its_store {
    use super::*;

    #[wasmtest::fixture(shared)]
    fn account() -> u32 {
        7
    }

    #[wasmtest::setup]
    fn begin(account: u32) {
        note(&format!("setup with {account}"));
    }

    #[wasmtest::teardown]
    fn end() {
        note("teardown begins");
        std::thread::sleep(Duration::from_secs(3600));
        note("teardown ends");
    }

    #[wasmtest::test]
    fn a_sleeps() {
        note("a_sleeps");
        std::thread::sleep(Duration::from_secs(3600));
    }

    #[wasmtest::test]
    fn b_is_not_begun() {
        note("b");
    }

    #[wasmtest::test]
    fn c_is_not_begun() {
        note("c");
    }
}

/// A unit that is taken down from within: what is slow is a fixture's.
#[wasmtest::suite(unit)]
mod lingers_inside {
    use super::*;

    #[wasmtest::fixture(unit, teardown = close)]
    fn slow() -> u32 {
        1
    }

    fn close(_slow: &u32) {
        note("teardown begins");
        std::thread::sleep(Duration::from_secs(3600));
        note("teardown ends");
    }

    /// Stands in the process beside the workers, and has no teardown.
    #[wasmtest::fixture(shared)]
    fn account() -> u32 {
        7
    }

    #[wasmtest::setup]
    fn begin(slow: &u32, account: u32) {
        note(&format!("setup with {slow} and {account}"));
    }

    #[wasmtest::teardown]
    fn end() {
        note("the unit is taken down");
    }

    #[wasmtest::test]
    fn a_sleeps() {
        note("a_sleeps");
        std::thread::sleep(Duration::from_secs(3600));
    }

    #[wasmtest::test]
    fn b_is_not_begun() {
        note("b");
    }

    #[wasmtest::test]
    fn c_is_not_begun() {
        note("c");
    }
}

/// A test that takes two seconds, and its sibling.
#[wasmtest::suite]
mod limited {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("setup");
    }

    #[wasmtest::test]
    fn a_sleeps_two_seconds() {
        note("a");
        std::thread::sleep(Duration::from_secs(2));
    }

    #[wasmtest::test]
    fn b_is_its_sibling() {
        note("b");
    }
}

/// One fails while another is in flight; the rest waits.
mod first_failure {
    use super::*;

    #[wasmtest::test]
    fn a_fails() {
        note("a");
        wait_for("b-is-in-flight");
        panic!("on purpose");
    }

    #[wasmtest::test]
    fn b_is_in_flight() {
        give("b-is-in-flight");
        wait_for("a-has-failed");
        // word of the failure has come to this worker by then
        std::thread::sleep(Duration::from_millis(200));
        note("b");
    }

    #[wasmtest::test(cases(a = (), b = (), c = (), d = (), e = (), f = ()))]
    fn c_waits(_case: ()) {
        note("c");
    }
}

/// The same within a suite that is whole on one worker.
#[wasmtest::suite]
mod first_failure_of_a_unit {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note("teardown");
    }

    #[wasmtest::test]
    fn a_fails() -> Result<(), String> {
        note("a");
        Err("on purpose".to_owned())
    }

    #[wasmtest::test(cases(a = (), b = ()))]
    fn b_waits(_case: ()) {
        note("b");
    }
}

/// The same, and the failure is a panic.
#[wasmtest::suite]
mod first_panic_of_a_unit {
    use super::*;

    #[wasmtest::setup]
    fn begin() {
        note("setup");
    }

    #[wasmtest::teardown]
    fn end() {
        note("teardown");
    }

    #[wasmtest::test]
    fn a_fails() {
        note("a");
        panic!("on purpose");
    }

    #[wasmtest::test(cases(a = (), b = ()))]
    fn b_waits(_case: ()) {
        note("b");
    }
}

/// None of them ends.
mod crowd {
    use super::*;

    fn wait() {
        note("waiting");
        wait_for("nobody");
    }

    #[wasmtest::test(cases(a = (), b = (), c = (), d = (), e = (), f = (), g = (), h = ()))]
    fn waits(_case: ()) {
        wait();
    }

    #[wasmtest::suite]
    mod of_one_store {
        use super::*;

        #[wasmtest::setup]
        fn begin() {}

        #[wasmtest::test(cases(a = (), b = ()))]
        fn waits(_case: ()) {
            wait();
        }
    }
}
