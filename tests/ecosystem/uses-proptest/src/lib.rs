//! A property that holds, and one that does not.

/// The digits of a number, the last one first.
pub fn digits(mut number: u32) -> Vec<u8> {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push((number % 10) as u8);
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::digits;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_digit_is_below_ten(number in any::<u32>()) {
            prop_assert!(digits(number).iter().all(|d| *d < 10));
        }

        #[test]
        #[ignore = "it does not hold"]
        fn no_number_has_four_digits(number in any::<u32>()) {
            prop_assert!(digits(number).len() < 4);
        }
    }
}
