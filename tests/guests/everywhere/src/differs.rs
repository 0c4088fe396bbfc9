//! What cannot be the same everywhere: each test stands in a table of the documentation.

/// Natively nothing is skipped by a test itself.
#[wasmtest::test]
fn skips() {
    wasmtest::skip!("it would not pass");
}

#[wasmtest::test(todo = "another day")]
fn fails_as_expected() {
    panic!("not yet");
}

#[wasmtest::test]
#[should_panic(expected = "on purpose")]
fn panics_as_it_should() {
    panic!("on purpose");
}

#[wasmtest::test(max_memory = "4MiB")]
fn takes_more_memory_than_it_may() {
    assert_eq!(std::hint::black_box(vec![1u8; 32 << 20]).len(), 32 << 20);
}

mod setup_fails {
    #[wasmtest::setup]
    fn begin() -> Result<(), String> {
        Err("no".to_owned())
    }

    #[wasmtest::test]
    fn is_not_run() {}
}

mod teardown_fails {
    #[wasmtest::setup]
    fn begin() {}

    #[wasmtest::teardown]
    fn end() -> Result<(), String> {
        Err("no".to_owned())
    }

    #[wasmtest::test]
    fn passes_itself() {}
}

mod own_value {
    #[wasmtest::fixture]
    fn own() -> Result<u32, String> {
        match wasmtest::test_id().ends_with("cannot_be_made") {
            true => Err("not for this one".to_owned()),
            false => Ok(1),
        }
    }

    #[wasmtest::test]
    fn cannot_be_made(own: u32) {
        assert_eq!(own, 1);
    }

    /// As many as tests of one fixture need to be to be taken along by another's.
    #[wasmtest::test(cases(a = (), b = (), c = (), d = (), e = (), f = (), g = (), h = ()))]
    fn takes_no_other_along(_again: (), own: u32) {
        assert_eq!(own, 1);
    }
}

mod own_teardown {
    #[wasmtest::fixture(teardown = end)]
    fn own() -> String {
        wasmtest::test_id()
    }

    fn end(own: &String) -> Result<(), String> {
        match own.ends_with("cannot_be_taken_down") {
            true => Err("not after this one".to_owned()),
            false => Ok(()),
        }
    }

    mod in_a_unit {
        use super::own;

        #[wasmtest::setup]
        fn begin() {}

        #[wasmtest::test]
        fn cannot_be_taken_down(own: &str) {
            assert!(own.ends_with("cannot_be_taken_down"));
        }

        #[wasmtest::test]
        fn is_taken_down(own: &str) {
            assert!(own.ends_with("is_taken_down"));
        }
    }
}
