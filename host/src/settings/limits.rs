//! How much a guest may take: what its flags mean.

use crate::cli::{LimitArgs, OutputArgs, UsageError, size, usage};
use crate::protocol::GuestLimits;

/// What these flags ask for, of tests.
///
/// # Errors
/// For the first value that makes no sense.
pub fn limits_of_tests(args: &LimitArgs) -> Result<GuestLimits, UsageError> {
    limits(args, GuestLimits::OF_TESTS)
}

/// What these flags ask for; what they leave open is as in `default`.
///
/// # Errors
/// For the first value that makes no sense.
pub(super) fn limits(args: &LimitArgs, default: GuestLimits) -> Result<GuestLimits, UsageError> {
    type Read = fn(&'static str, &str) -> Result<u64, UsageError>;
    let limit = |flag, text: &Option<String>, default, read: Read| match text.as_deref() {
        None => Ok(default),
        Some("none") => Ok(None),
        Some(text) => read(flag, text).map(Some),
    };
    let flag = "--max-open-files";
    let open_files = limit(flag, &args.max_open_files, default.open_files, number)?;
    let memory = limit("--max-memory", &args.max_memory, default.memory, size)?;
    let elements = &args.max_table_elements;
    let flag = "--max-table-elements";
    let table_elements = limit(flag, elements, default.table_elements, number)?;
    let flag = "--max-instances";
    let instances = limit(flag, &args.max_instances, default.instances, number)?;
    Ok(GuestLimits {
        memory,
        table_elements,
        instances,
        open_files,
        output: default.output,
    })
}

/// How much a test may write, in bytes; `None` if that is not said here.
///
/// # Errors
/// If it makes no sense.
pub(super) fn max_output(args: &OutputArgs) -> Result<Option<Option<u64>>, UsageError> {
    Ok(match args.max_output.as_deref() {
        None => None,
        Some("none") => Some(None),
        Some(text) => Some(Some(size("--max-output", text)?)),
    })
}

/// What is kept of a stream's beginning, and of its end, in bytes.
///
/// # Errors
/// If it makes no sense.
pub(super) fn keep_output(args: &OutputArgs) -> Result<usize, UsageError> {
    // a message to the primary has to hold four of it, and what else there is to tell
    const MOST: u64 = 8 << 20;
    let flag = "--keep-output";
    let Some(text) = &args.keep_output else {
        return Ok(super::CAPTURE);
    };
    match size(flag, text)? {
        bytes if bytes <= MOST => Ok(bytes as usize),
        _ => usage(flag, format!("`{text}` is more than 8MiB")),
    }
}

/// A size in bytes.
fn size(flag: &'static str, text: &str) -> Result<u64, UsageError> {
    size::parse(text).or_else(|why| usage(flag, format!("`{text}`: {why}, nor `none`")))
}

fn number(flag: &'static str, text: &str) -> Result<u64, UsageError> {
    let wrong = || usage(flag, format!("`{text}` is no number, nor `none`"));
    text.parse().or_else(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_as_it_was_and_none_is_no_limit() {
        let args = LimitArgs {
            max_memory: Some("none".to_owned()),
            max_instances: Some("7".to_owned()),
            ..LimitArgs::default()
        };
        let found = limits(&args, GuestLimits::OF_TESTS).expect("it makes sense");
        assert_eq!(found.memory, None);
        assert_eq!(found.instances, Some(7));
        assert_eq!(found.table_elements, GuestLimits::OF_TESTS.table_elements);
    }
}
