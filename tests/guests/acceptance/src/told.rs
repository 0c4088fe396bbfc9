//! What the report of a failure has of what ran before it: the command that runs it again,
//! and what was written.

/// A test that fails alone by what another left in their instance.
#[wasmtest::suite(unit)]
mod order {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    static LEFT: AtomicBool = AtomicBool::new(false);

    #[wasmtest::test]
    fn a_leaves_nothing() {}

    #[wasmtest::test]
    fn b_leaves_something() {
        LEFT.store(true, SeqCst);
    }

    #[wasmtest::test(cases(naïve = ()))]
    fn c_finds_nothing(_case: ()) {
        assert!(!LEFT.load(SeqCst), "something was left");
    }

    #[wasmtest::test]
    fn d_is_not_needed() {}
}

/// Passes only where each test begins where the setup ended.
#[wasmtest::suite(split)]
mod apart {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    static LEFT: AtomicBool = AtomicBool::new(false);

    #[wasmtest::setup]
    fn begin() {}

    #[wasmtest::test(cases(a = (), b = ()))]
    fn finds_nothing(_case: ()) {
        assert!(!LEFT.swap(true, SeqCst), "something was left");
    }
}

/// Each says that it was there.
#[wasmtest::suite(unit)]
mod of_a_unit {
    #[wasmtest::setup]
    fn begin() {
        println!("setup of the unit");
        eprintln!("its errors");
    }

    #[wasmtest::before]
    fn before_each() {
        println!("before a test of the unit");
    }

    #[wasmtest::test]
    fn a_passes() {}

    #[wasmtest::test]
    fn b_fails() -> Result<(), String> {
        println!("its own words");
        Err("on purpose".to_owned())
    }

    #[wasmtest::suite(unit)]
    mod inner {
        #[wasmtest::setup]
        fn begin() {
            println!("setup within the unit");
        }

        #[wasmtest::test]
        fn c_fails() {
            panic!("on purpose");
        }
    }

    #[wasmtest::test]
    fn d_fails() {
        panic!("on purpose");
    }
}

/// Says so once, however many begin from there.
#[wasmtest::suite(split)]
mod of_a_split {
    #[wasmtest::setup]
    fn begin() {
        println!("setup of the split");
    }

    #[wasmtest::test(cases(a = (), b = (), c = (), d = (), e = (), f = (), g = (), h = ()))]
    fn fails(_case: ()) {
        panic!("on purpose");
    }
}

/// A fixture of the same mark.
mod of_a_fixture {
    #[wasmtest::fixture(split)]
    fn table() -> u32 {
        println!("the table is made");
        2
    }

    #[wasmtest::test(cases(a = (), b = ()))]
    fn fails(_case: (), table: &u32) {
        assert_eq!(*table, 3);
    }
}

/// Set up beside the workers.
mod of_what_is_shared {
    #[wasmtest::fixture(shared)]
    fn first() -> u32 {
        println!("the first fixture");
        1
    }

    #[wasmtest::fixture(shared)]
    fn second(first: u32) -> u32 {
        eprintln!("the second fixture");
        first + 1
    }

    #[wasmtest::test]
    fn fails(second: u32) {
        assert_eq!(second, 3);
    }

    #[wasmtest::test]
    fn needs_nothing_and_fails() {
        panic!("on purpose");
    }

    #[wasmtest::test]
    fn is_blocked(second: u32) {
        println!("goes to sleep with {second}");
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
}

/// Much is written before it.
#[wasmtest::suite(split)]
mod much {
    #[wasmtest::setup]
    fn begin() {
        print!("{}", "x".repeat(1 << 20));
    }

    #[wasmtest::test]
    fn fails() {
        panic!("on purpose");
    }
}
