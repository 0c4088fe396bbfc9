//! What the attribute says to those who hold it wrong.

#[test]
fn errors_point_at_the_users_code_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
