//! What std tells of a panic: from its own bytes, and no others, the message.

use crate::harness::scan::MAX_MESSAGE;
use memchr::memmem;

/// What a panic's words begin with, on a line of their own.
const HEAD: [&[u8]; 2] = [b"\nthread '", b"thread '"];
/// What std says behind a message, last of all.
const BEHIND: [&[u8]; 2] = [
    b"\nnote: run with `RUST_BACKTRACE=",
    b"\nstack backtrace:\n",
];
/// So much of these words is kept: beside the message a head, and what is behind it.
pub const MOST: usize = MAX_MESSAGE + (4 << 10);

/// What was told of a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldPanic {
    pub message: String,
    /// Whether there is more of the message than was kept.
    pub is_cut: bool,
}

/// Whether std may begin so to tell of a panic.
pub fn may_begin(bytes: &[u8]) -> bool {
    HEAD.iter().any(|head| bytes.starts_with(head))
}

/// What these words tell, which are std's and of one panic; whether they were `cut` off.
pub fn read(words: &[u8], cut: bool) -> Option<ToldPanic> {
    let words = words.strip_prefix(b"\n").unwrap_or(words);
    // `thread 'main' (1) panicked at src/lib.rs:13:9:`
    let end = memmem::find(words, b":\n")?;
    memmem::find(&words[..end], b" panicked at ")?;
    let rest = &words[end + 2..];
    // whatever the message holds, std's own words come after it
    let behind = BEHIND
        .iter()
        .filter_map(|words| memmem::rfind(rest, words))
        .max();
    let message = match behind {
        Some(end) => &rest[..end],
        None => rest.strip_suffix(b"\n").unwrap_or(rest),
    };
    let length = message.len().min(MAX_MESSAGE);
    Some(ToldPanic {
        message: String::from_utf8_lossy(&message[..length]).into_owned(),
        is_cut: length < message.len() || cut && behind.is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(words: &str) -> Option<String> {
        read(words.as_bytes(), false).map(|told| told.message)
    }

    #[test]
    fn a_message_is_all_that_std_wrote_between_its_own_words() {
        const NOTE: &str =
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        for told in [
            "no",
            "",
            "two\nlines",
            "HTTP a\r\nb\r",
            "first\nthread 'foo' panicked at a.rs:1:1:\nabc",
            "abc\nstack backtrace:\n def",
            NOTE,
            "\n\n",
        ] {
            for behind in [NOTE, "stack backtrace:\n   0: main\n", ""] {
                if behind.is_empty() && (told.contains("stack") || told == NOTE) {
                    continue;
                }
                let all =
                    format!("\nthread 'main' (1) panicked at src/lib.rs:13:9:\n{told}\n{behind}");
                assert_eq!(message(&all).as_deref(), Some(told), "{behind}");
            }
        }
        assert!(may_begin(b"\nthread '") && may_begin(b"thread 'main'") && !may_begin(b"\n"));
        assert_eq!(message("thread 'main' is here:\nno"), None);
        assert_eq!(message("\nthread 'main' (1) panicked at "), None);
    }

    #[test]
    fn a_message_that_is_longer_than_what_is_kept_is_cut() {
        let long = format!(
            "\nthread 'main' (1) panicked at a.rs:1:1:\n{}",
            "x".repeat(MOST)
        );
        let told = read(long.as_bytes(), true).expect("told");
        assert!(told.is_cut && told.message.len() == MAX_MESSAGE);
        let short =
            "\nthread 'main' (1) panicked at a.rs:1:1:\nx\nnote: run with `RUST_BACKTRACE=1`";
        assert!(!read(short.as_bytes(), true).expect("told").is_cut);
    }
}
