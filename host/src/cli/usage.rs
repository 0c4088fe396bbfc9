//! What is wrong with what was typed.

/// A flag or variable that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: {why}")]
pub struct UsageError {
    /// The flag.
    pub flag: &'static str,
    /// What is wrong with its value, and what would be right.
    pub why: String,
}

/// The error of this flag.
pub(crate) fn usage<T>(flag: &'static str, why: impl Into<String>) -> Result<T, UsageError> {
    Err(UsageError {
        flag,
        why: why.into(),
    })
}
