//! The same from an integration test; the ignored ones have changed since their snapshots.

use uses_insta::list;

#[test]
fn a_named_snapshot_of_a_debug_form() {
    insta::assert_debug_snapshot!("two_items", list(&["bread", "milk"]));
}

#[test]
#[ignore = "its snapshot is out of date"]
fn a_changed_file() {
    insta::assert_snapshot!(list(&["tea"]));
}

#[test]
#[ignore = "its snapshot is out of date"]
fn a_changed_inline() {
    insta::assert_snapshot!(list(&["tea"]), @"1. coffee");
}
