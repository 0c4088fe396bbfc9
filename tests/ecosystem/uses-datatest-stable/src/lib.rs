//! Sums in files.

/// Whether the last line is the sum of the others.
///
/// # Errors
/// If a line is no number, or the sum is another.
pub fn check(text: &str) -> Result<(), String> {
    let numbers: Result<Vec<i64>, _> = text.lines().map(str::parse).collect();
    let numbers = numbers.map_err(|e| e.to_string())?;
    let Some((sum, numbers)) = numbers.split_last() else {
        return Err("it is empty".to_owned());
    };
    let right: i64 = numbers.iter().sum();
    match right == *sum {
        true => Ok(()),
        false => Err(format!("the sum is {right}, not {sum}")),
    }
}
