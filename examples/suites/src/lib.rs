//! A suite with a setup, fixtures by name, and one test with several cases.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

/// A shop's prices, in cents.
#[derive(Clone, Debug, Default)]
#[cfg_attr(test, derive(serde::Serialize, serde::Deserialize))]
pub struct Prices(BTreeMap<String, u32>);

impl Prices {
    /// Reads lines such as `tea 250`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = |line: &str| {
            let (name, price) = line.split_once(' ').ok_or("no price")?;
            let price = price.parse().map_err(|e| format!("{name}: {e}"))?;
            Ok((name.to_owned(), price))
        };
        text.lines().map(line).collect::<Result<_, _>>().map(Self)
    }

    /// What so many of this cost.
    pub fn total(&self, name: &str, count: u32) -> Option<u32> {
        self.0.get(name)?.checked_mul(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[wasmtest::test(cases(
        nothing = ("", 0),
        one = ("tea 250", 1),
        two = ("tea 250\nmilk 99", 2),
    ))]
    fn reads(text: &str, count: usize) -> Result<(), String> {
        assert_eq!(Prices::parse(text)?.0.len(), count);
        Ok(())
    }

    #[wasmtest::suite(shared)]
    mod shop {
        use super::*;

        // read once; each test has what it gave
        #[wasmtest::setup]
        fn prices() -> Result<Prices, String> {
            Prices::parse("tea 250\nmilk 99")
        }

        #[wasmtest::fixture]
        fn basket(prices: &Prices) -> Vec<Option<u32>> {
            vec![prices.total("tea", 2)]
        }

        #[wasmtest::test]
        fn knows_what_tea_costs(basket: &[Option<u32>]) {
            assert_eq!(basket, [Some(500)]);
        }

        #[wasmtest::test]
        fn sells_no_coffee(prices: &Prices, mut basket: Vec<Option<u32>>) {
            basket.push(prices.total("coffee", 1));
            assert_eq!(basket, [Some(500), None]);
        }
    }
}
