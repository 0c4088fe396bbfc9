//! A file snapshot and an inline one, as insta's users write them.

/// A shopping list, a line an item.
pub fn list(items: &[&str]) -> String {
    let lines = items.iter().enumerate();
    lines
        .map(|(i, item)| format!("{}. {item}\n", i + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn a_snapshot_in_a_file() {
        insta::assert_snapshot!(list(&["bread", "milk"]));
    }

    #[test]
    fn a_snapshot_in_the_source() {
        insta::assert_snapshot!(list(&["salt"]), @"1. salt");
    }
}
