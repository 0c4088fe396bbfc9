//! A `#[test]` that stands above the SDK's attribute. It was expanded before it, and
//! nothing that this one is given shows it: only the source does. Left alone, the function
//! would be two tests.
//!
//! Where there is no source, as in an editor's server, nothing is said.

use proc_macro2::Span;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use syn::{Error, Result};

/// Refuses to be a second attribute that makes a test of a function.
pub fn refuse(attribute: proc_macro::Span) -> Result<()> {
    let Some(file) = attribute.local_file() else {
        return Ok(());
    };
    match above(file, attribute.line(), attribute.column()) {
        None => Ok(()),
        Some(path) => Err(Error::new(
            Span::call_site(),
            match path.as_str() {
                "tokio::test" => "#[tokio::test] stands above, and the test would run twice: remove it, and write #[wasmtest::test(tokio)] alone".to_owned(),
                path => format!("#[{path}] stands above, and the test would run twice: remove it, #[wasmtest::test] stands in its place"),
            },
        )),
    }
}

/// A source file, as it was when it was looked at last.
struct Source {
    file: PathBuf,
    changed: SystemTime,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// The path of such an attribute above a place; lines and columns count from 1.
fn above(file: PathBuf, line: usize, column: usize) -> Option<String> {
    // a file may hold thousands of tests
    static LAST: Mutex<Option<Source>> = Mutex::new(None);
    let changed = file.metadata().ok()?.modified().ok()?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let known = last
        .take()
        .filter(|s| s.file == file && s.changed == changed);
    let source = match known {
        Some(source) => source,
        None => {
            let text = std::fs::read_to_string(&file).ok()?;
            let ends = text.match_indices('\n').map(|(end, _)| end + 1);
            let lines = std::iter::once(0).chain(ends).collect();
            Source {
                file,
                changed,
                text,
                lines,
            }
        }
    };
    let source = last.insert(source);
    let begin = *source.lines.get(line.checked_sub(1)?)?;
    let indent = source.text[begin..].chars().take(column.checked_sub(1)?);
    let end = begin + indent.map(char::len_utf8).sum::<usize>();
    test_at_the_end(&source.text[..end])
}

/// The path of the last attribute in the attributes at the end of a text that makes a
/// test of a function.
fn test_at_the_end(mut text: &str) -> Option<String> {
    loop {
        text = text.trim_end();
        let line = text.rfind('\n').map_or(0, |end| end + 1);
        if text[line..].trim_start().starts_with("//") {
            text = &text[..line];
        } else if let Some(before) = text.strip_suffix("*/") {
            text = &before[..before.rfind("/*")?];
        } else if text.ends_with(']') {
            let open = opening(text)?;
            let path: String = text[open + 1..text.len() - 1]
                .chars()
                .take_while(|c| !"(=[{".contains(*c))
                .filter(|c| !c.is_whitespace())
                .collect();
            text = text[..open].trim_end().strip_suffix('#')?;
            if path.rsplit("::").next() == Some("test") {
                return Some(path);
            }
        } else {
            // what stands behind an attribute on its line
            text = &text[..line + text[line..].find("//")?];
        }
    }
}

/// Where the bracket is opened that is closed at the end of a text.
fn opening(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let brackets = text.char_indices().rev().filter(|(_, c)| "[]".contains(*c));
    for (at, bracket) in brackets {
        match bracket {
            ']' => depth += 1,
            _ => depth = depth.checked_sub(1)?,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::test_at_the_end;

    #[test]
    fn an_attribute_is_found_among_others_and_comments() {
        for (text, path) in [
            ("#[test]\n", "test"),
            ("fn a() {}\n    #[test] // really\n    ", "test"),
            (
                "#[test]\n/// A text.\n#[ignore = \"[1]\"]\n// why\n",
                "test",
            ),
            ("# [ test ] /* [ */ #[cfg(all(x, y))]", "test"),
            (
                "#[::core::prelude::v1::test]\n\n",
                "::core::prelude::v1::test",
            ),
            ("#[tokio::test(flavor = \"x\")]\n", "tokio::test"),
        ] {
            assert_eq!(test_at_the_end(text).as_deref(), Some(path), "{text}");
        }
    }

    #[test]
    fn nothing_is_found_that_belongs_to_something_else() {
        for text in [
            "",
            "#[test]\nfn a() {}\n",
            "#![cfg(test)]\n",
            "#[cfg(test)]\nmod tests {\n    ",
            "#[cfg(test)]\n#[allow(unused)]\n",
            "// #[test]\n",
            "/// ```\n/// #[test]\n/// ```\n",
            "/* #[test] */",
            "const A: [u8; 2] = [test]; ",
            "]",
            "#[cfg_attr(x, test)]\n",
        ] {
            assert_eq!(test_at_the_end(text), None, "{text}");
        }
    }
}
