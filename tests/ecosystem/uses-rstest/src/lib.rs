//! Fixtures, cases, values, files.

/// The n-th Fibonacci number.
pub fn fibonacci(n: u32) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

#[cfg(test)]
mod tests {
    use super::fibonacci;
    use rstest::{fixture, rstest};
    use std::path::PathBuf;

    #[fixture]
    fn table() -> Vec<u64> {
        vec![0, 1, 1, 2, 3, 5]
    }

    #[fixture]
    #[once]
    fn largest() -> u64 {
        fibonacci(90)
    }

    #[rstest]
    fn a_fixture(table: Vec<u64>) {
        for (n, number) in (0..).zip(table) {
            assert_eq!(fibonacci(n), number);
        }
    }

    #[rstest]
    fn a_fixture_made_once(largest: &u64) {
        assert_eq!(*largest, 2_880_067_194_370_816_120);
    }

    #[rstest]
    #[case::zero(0, 0)]
    #[case::ten(10, 55)]
    #[should_panic]
    #[case::wrong(10, 56)]
    fn cases(#[case] n: u32, #[case] expected: u64) {
        assert_eq!(fibonacci(n), expected);
    }

    #[rstest]
    fn a_matrix(#[values(1, 2)] a: u32, #[values(10, 20)] b: u32) {
        assert!(fibonacci(a) < fibonacci(b));
    }

    #[rstest]
    fn files(#[files("numbers/*.txt")] file: PathBuf) {
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let (n, number) = text.trim().split_once(' ').expect("two numbers");
        let number: u64 = number.parse().expect("a number");
        assert_eq!(fibonacci(n.parse().expect("a number")), number);
    }
}
