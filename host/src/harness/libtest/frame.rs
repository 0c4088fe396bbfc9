//! What libtest prints around a test, taken out of what the test wrote.

use crate::event::Captured;
use memchr::memmem;

/// Takes libtest's own lines out of what a test wrote to stdout.
pub(super) fn without_frame(stdout: &mut Captured, path: &str) {
    if stdout.dropped == 0 {
        stdout.head.append(&mut stdout.tail);
    }
    if let Some(length) = frame_start(&stdout.head, path) {
        stdout.head.drain(..length);
    }
    let end = format!("FAILED\n\nfailures:\n\nfailures:\n    {path}\n\ntest result: FAILED. ");
    let last = match stdout.dropped {
        0 => &mut stdout.head,
        _ => &mut stdout.tail,
    };
    if let Some(at) = memmem::rfind(last, end.as_bytes()) {
        last.truncate(at);
    }
}

/// How long is what libtest prints before a test.
fn frame_start(head: &[u8], path: &str) -> Option<usize> {
    let rest = head.strip_prefix(format!("\nrunning 1 test\ntest {path}").as_bytes())?;
    let rest = rest.strip_prefix(b" - should panic").unwrap_or(rest);
    // names of benchmarks are filled up to the longest
    let rest = rest.trim_ascii_start().strip_prefix(b"... ")?;
    Some(head.len() - rest.len())
}

/// Takes out what libtest prints after a test that passed; what it says of a
/// benchmark stays.
pub(super) fn without_pass(stdout: &mut Captured) {
    let last = match stdout.dropped {
        0 => &mut stdout.head,
        _ => &mut stdout.tail,
    };
    if let Some(at) = memmem::rfind(last, b"\n\ntest result: ok. ") {
        last.truncate(at);
        if last.ends_with(b"ok") {
            last.truncate(at - 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libtest_prints_around_a_test_is_not_the_tests() {
        let text = |head: &str, tail: &str, dropped| {
            let mut captured = Captured {
                head: head.into(),
                tail: tail.into(),
                dropped,
            };
            without_frame(&mut captured, "a::b");
            (
                String::from_utf8(captured.head).expect("UTF-8"),
                String::from_utf8(captured.tail).expect("UTF-8"),
            )
        };
        let end = "FAILED\n\nfailures:\n\nfailures:\n    a::b\n\ntest result: FAILED. 0 passed;";
        let start = "\nrunning 1 test\ntest a::b ... ";
        assert_eq!(text(&format!("{start}hello\n{end}"), "", 0).0, "hello\n");
        assert_eq!(
            text(&format!("{start}hel"), &format!("lo\n{end}"), 0).0,
            "hello\n"
        );
        let cut = text(&format!("{start}head"), &format!("tail\n{end}"), 9);
        assert_eq!(cut, ("head".to_owned(), "tail\n".to_owned()));
        assert_eq!(text("running", "", 0).0, "running");
        assert_eq!(text("\nrunning 1 test\ntest a::b    ... x", "", 0).0, "x");
    }

    #[test]
    fn what_libtest_prints_after_a_pass_is_not_the_tests() {
        let text = |text: &str| {
            let mut captured = Captured {
                head: text.into(),
                ..Captured::default()
            };
            without_pass(&mut captured);
            captured.text()
        };
        let end = "\n\ntest result: ok. 1 passed;";
        assert_eq!(text(&format!("I am ok{end}")), "I am ");
        assert_eq!(text(&format!("ok\n{end} ok{end}")), format!("ok\n{end} "));
        let bench = "bench:           6.01 ns/iter (+/- 0.43)";
        assert_eq!(text(&format!("{bench}{end}")), bench);
        assert_eq!(text("unfinished"), "unfinished");
    }
}
