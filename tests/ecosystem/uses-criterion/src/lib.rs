//! Something to measure.

/// The sum of all numbers below this one.
pub fn sum_below(number: u64) -> u64 {
    (0..number).sum()
}
