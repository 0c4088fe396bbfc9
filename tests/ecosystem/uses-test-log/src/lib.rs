//! Tests that log.

/// Whether a number is even; says so in the log.
pub fn is_even(number: u32) -> bool {
    log::debug!("is {number} even?");
    number.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::is_even;

    #[test_log::test]
    fn the_attribute_as_it_is() {
        assert!(is_even(2));
    }

    #[test_log::test]
    fn the_attribute_around_a_result() -> Result<(), String> {
        match is_even(4) {
            true => Ok(()),
            false => Err("it is".to_owned()),
        }
    }

    #[test_log::test]
    #[ignore = "it fails, to show its log"]
    fn one_that_fails() {
        assert!(is_even(3));
    }
}
