//! Tests that are made when the harness starts.

/// Whether a line is a valid setting.
///
/// # Errors
/// Why not.
pub fn check(line: &str) -> Result<(), String> {
    match line.split_once('=') {
        Some(_) => Ok(()),
        None => Err(format!("`{line}` has no `=`")),
    }
}
