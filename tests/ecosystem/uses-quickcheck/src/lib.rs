//! Properties as functions and as a macro.

/// The list, turned around.
pub fn reversed(list: &[u16]) -> Vec<u16> {
    list.iter().rev().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::reversed;
    use quickcheck::{TestResult, quickcheck};

    quickcheck! {
        fn twice_is_the_same(list: Vec<u16>) -> bool {
            reversed(&reversed(&list)) == list
        }

        #[ignore = "it does not hold"]
        fn once_is_the_same(list: Vec<u16>) -> bool {
            reversed(&list) == list
        }
    }

    #[test]
    fn one_element_stays() {
        fn stays(list: Vec<u16>) -> TestResult {
            match list.len() {
                1 => TestResult::from_bool(reversed(&list) == list),
                _ => TestResult::discard(),
            }
        }
        quickcheck::QuickCheck::new().quickcheck(stays as fn(Vec<u16>) -> TestResult);
    }
}
