//! The SDK's temporary folders: one for each test that asks for it, gone after it.

use crate::support::{Target, arg, events, guest};

#[test]
fn each_test_that_asks_has_an_empty_folder_that_is_gone_after_it() {
    for target in Target::BOTH {
        let module = guest("temp_dirs", target, "dev");
        for processes in ["2", "0"] {
            let flags = ["--processes", processes, "--", "singly::"];
            let events = events([&[arg(&module)][..], &flags].concat());
            assert_eq!(events.code, 0, "{target:?}: {events:#?}");
            assert_eq!(events.summary()["passed"], 4);
        }
    }
}

#[test]
fn tests_of_a_unit_that_share_one_tmp_have_each_its_own_folder() {
    for target in Target::BOTH {
        let module = guest("temp_dirs", target, "dev");
        let events = events([arg(&module), "--", "unit::"]);
        assert_eq!(events.code, 0, "{target:?}: {events:#?}");
        assert_eq!(events.summary()["passed"], 3);
    }
}
