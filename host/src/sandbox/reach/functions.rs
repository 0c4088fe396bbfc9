//! Where a guest's functions lie.

use std::ops::Range;

/// Where a guest's functions lie in this process, in order.
pub(in crate::sandbox) struct Functions(Vec<Range<usize>>);

impl Functions {
    /// Those that begin so far from the text's beginning and are so long.
    pub(in crate::sandbox) fn new(
        text: &[u8],
        functions: impl Iterator<Item = (usize, usize)>,
    ) -> Functions {
        let base = text.as_ptr().addr();
        let ranges = functions.map(|(offset, length)| base + offset..base + offset + length);
        let mut all: Vec<Range<usize>> = ranges.collect();
        all.sort_by_key(|function| function.start);
        Functions(all)
    }

    /// The function that has this address.
    pub(super) fn of(&self, address: usize) -> Option<&Range<usize>> {
        let after = self.0.partition_point(|function| function.start <= address);
        let function = self.0.get(after.checked_sub(1)?)?;
        function.contains(&address).then_some(function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_any_of_its_addresses_and_by_no_other() {
        let text = [0u8; 100];
        let base = text.as_ptr().addr();
        let functions = Functions::new(&text, [(60, 20), (0, 10), (10, 5)].into_iter());
        let of = |offset: usize| {
            let function = functions.of(base + offset)?;
            Some((function.start - base, function.len()))
        };
        assert_eq!((of(0), of(9)), (Some((0, 10)), Some((0, 10))));
        assert_eq!((of(10), of(14)), (Some((10, 5)), Some((10, 5))));
        assert_eq!((of(15), of(59), of(80)), (None, None, None));
        assert_eq!(of(79), Some((60, 20)));
        assert!(functions.of(base.wrapping_sub(1)).is_none());
    }
}
