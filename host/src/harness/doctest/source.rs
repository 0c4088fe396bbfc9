//! Reads the source of a merged program's `main`, and believes it only if its whole shape is
//! one that is known. Pure.
//!
//! Two are: up to Rust 1.100 the doctests are pushed to a vector, from 1.101 on they stand in
//! an array of references.

use super::{Bundle, Doctest, DoctestKind, RUN_ONE};

/// Reads the source of a merged program's `main`.
///
/// # Errors
/// What about it is not as it is known here.
pub fn read_runner(source: &str) -> Result<Bundle, String> {
    // a file's name may hold anything, and stands in strings alone
    let code = without_strings(source);
    let option = "RUN_OPTION: &str = ";
    let known = code.find(option).is_some_and(|at| {
        read_string(&source[at + option.len()..]).is_some_and(|(name, _)| name == RUN_ONE)
    });
    if !known {
        return Err(format!("it does not know {RUN_ONE}"));
    }
    let mut doctests = Vec::new();
    let mut from = 0;
    loop {
        let number = doctests.len();
        let module = format!("mod __doctest_{number} {{");
        let Some(at) = code[from..].find(&module) else {
            break;
        };
        from += at + module.len();
        let call = "new_doctest(";
        let doctest = code[from..]
            .find(call)
            .and_then(|at| read_doctest(&source[from + at + call.len()..]))
            .ok_or(format!("its doctest {number} is none"))?;
        doctests.push(doctest);
    }
    if doctests.is_empty() || !(is_pushed(&code, doctests.len()) || is_array(&code, doctests.len()))
    {
        return Err("its list of doctests is not as expected".to_owned());
    }
    let list = "let test_args = &[";
    let args = code
        .find(list)
        .and_then(|at| read_strings(&source[at + list.len()..], ".to_string(),"))
        .ok_or("its arguments are not as expected")?;
    Ok(Bundle {
        doctests,
        args: args.into_iter().skip(1).collect(),
    })
}

/// Whether so many doctests are pushed to a vector, in their order: it decides which number
/// is whose. Up to Rust 1.100.
fn is_pushed(code: &str, count: usize) -> bool {
    let mut pushed = code
        .split("tests.push(__doctest_")
        .skip(1)
        .map(|s| s.split("::").next().unwrap_or_default());
    (0..count).all(|n| pushed.next() == Some(n.to_string().as_str())) && pushed.next().is_none()
}

/// Whether so many doctests are all that an array of references holds, in their order. From
/// Rust 1.101 on.
fn is_array(code: &str, count: usize) -> bool {
    let mut arrays = code.split("let tests = &[").skip(1);
    let (Some(array), None) = (arrays.next(), arrays.next()) else {
        return false;
    };
    let mut rest = array.trim_start();
    for number in 0..count {
        let one = format!("&__doctest_{number}::TEST,");
        let Some(after) = rest.strip_prefix(one.as_str()) else {
            return false;
        };
        rest = after.trim_start();
    }
    rest.starts_with("];")
}

/// Source of the same length in which every string literal is blank.
fn without_strings(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let (mut inside, mut escaped) = (false, false);
    for c in source.chars() {
        match (inside, escaped, c) {
            (_, false, '"') => {
                inside = !inside;
                code.push(c);
            }
            (false, ..) => code.push(c),
            (true, ..) => {
                escaped = !escaped && c == '\\';
                code.extend(std::iter::repeat_n(' ', c.len_utf8()));
            }
        }
    }
    code
}

/// `"NAME", IGNORE, "FILE", LINE, NO_RUN, SHOULD_PANIC, ...`
fn read_doctest(source: &str) -> Option<Doctest> {
    let (name, rest) = read_string(source.trim_start())?;
    let (ignore, rest) = read_word(rest)?;
    let (file, rest) = read_string(rest.strip_prefix(',')?.trim_start())?;
    let (line, rest) = read_word(rest)?;
    let (no_run, rest) = read_word(rest)?;
    let (should_panic, _) = read_word(rest)?;
    let flag = |word: &str| word.parse::<bool>().ok();
    let kind = match (flag(ignore)?, flag(no_run)?, flag(should_panic)?) {
        (true, ..) => DoctestKind::Ignored,
        (_, true, _) => DoctestKind::NoRun,
        (_, _, true) => DoctestKind::ShouldPanic,
        _ => DoctestKind::Run,
    };
    Some(Doctest {
        name,
        file,
        line: line.parse().ok()?,
        kind,
    })
}

/// `, WORD` and what follows.
fn read_word(source: &str) -> Option<(&str, &str)> {
    let source = source.strip_prefix(',')?.trim_start();
    let end = source.find([',', ')'])?;
    Some((source[..end].trim(), &source[end..]))
}

/// String literals, each followed by this, up to a `]`.
fn read_strings(mut source: &str, follows: &str) -> Option<Vec<String>> {
    let mut strings = Vec::new();
    loop {
        source = source.trim_start();
        if source.starts_with(']') {
            return Some(strings);
        }
        let (string, rest) = read_string(source)?;
        strings.push(string);
        source = rest.strip_prefix(follows)?;
    }
}

/// A string literal as `{:?}` writes it, and what follows.
fn read_string(source: &str) -> Option<(String, &str)> {
    let mut string = String::new();
    let mut chars = source.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((string, &source[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => string.push('\n'),
                'r' => string.push('\r'),
                't' => string.push('\t'),
                '0' => string.push('\0'),
                'u' => {
                    let mut hex = String::new();
                    for (_, c) in chars.by_ref().skip(1) {
                        if c == '}' {
                            break;
                        }
                        hex.push(c);
                    }
                    string.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                }
                escaped => string.push(escaped),
            },
            c => string.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rustdoc 1.95 writes it, shortened.
    const PUSHED: &str = r#"
mod __doctest_0 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/lib.rs - (line 2)", false, "src/lib.rs", 2, false, false,
test::StaticTestFn(
}
mod __doctest_1 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/\"a\".rs - one::\u{e9} (line 11)", false, "src/\"a\".rs", 11, false, true,
}
mod __doctest_2 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/lib.rs - one (line 15)", true, "src/lib.rs", 15, false, false,
}
mod __doctest_3 {
pub const TEST: test::TestDescAndFn = test::TestDescAndFn::new_doctest(
"src/lib.rs - one (line 19)", false, "src/lib.rs", 19, true, false,
}
mod __doctest_mod {
    pub const RUN_OPTION: &str = "RUSTDOC_DOCTEST_RUN_NB_TEST";
}
let tests = {
    tests.push(__doctest_0::TEST);
tests.push(__doctest_1::TEST);
tests.push(__doctest_2::TEST);
tests.push(__doctest_3::TEST);
};
let test_args = &["rustdoctest".to_string(),"--skip".to_string(),"a \"b\"".to_string(),];
"#;

    /// The same as rustdoc 1.101 writes it.
    fn array() -> String {
        let (before, rest) = PUSHED.split_once("let tests = {\n").expect("a list");
        let (_, after) = rest.split_once("};\n").expect("its end");
        let tests: String = (0..4).map(|n| format!("&__doctest_{n}::TEST,\n")).collect();
        format!("{before}let tests = &[{tests}];\n{after}")
            .replace("pub const TEST", "pub static TEST")
    }

    fn both() -> [String; 2] {
        [PUSHED.to_owned(), array()]
    }

    #[test]
    fn the_source_tells_each_doctest_and_the_arguments() {
        for source in both() {
            let bundle = read_runner(&source).expect("its shape is known");
            let printed: Vec<String> = bundle.doctests.iter().map(Doctest::printed).collect();
            assert_eq!(
                printed,
                [
                    "src/lib.rs - (line 2)",
                    "src/\"a\".rs - one::\u{e9} (line 11)",
                    "src/lib.rs - one (line 15)",
                    "src/lib.rs - one (line 19) - compile",
                ]
            );
            assert_eq!(bundle.doctests[2].kind, DoctestKind::Ignored);
            assert_eq!(bundle.doctests[1].line, 11);
            assert_eq!(bundle.args, ["--skip", "a \"b\""]);
        }
    }

    #[test]
    fn a_name_may_hold_what_marks_the_source_itself() {
        for mark in [
            "let test_args = &[",
            "let tests = &[",
            "mod __doctest_1 {",
            "tests.push(__doctest_3::TEST);",
            "&__doctest_3::TEST,",
            "new_doctest(",
            "RUN_OPTION: &str = ",
            "\\\\",
            "\\\"",
        ] {
            for source in both() {
                let source = source.replace("src/lib.rs - (line 2)", mark);
                let bundle = read_runner(&source).expect(mark);
                assert_eq!(bundle.doctests.len(), 4, "{mark}");
                assert_eq!(bundle.args, ["--skip", "a \"b\""], "{mark}");
            }
        }
    }

    #[test]
    fn another_shape_is_refused() {
        let refused = |source: &str, from: &str, to: &str| {
            assert!(source.contains(from), "{from}");
            read_runner(&source.replacen(from, to, 1)).expect_err("another shape")
        };
        for source in both() {
            refused(&source, "RUSTDOC_DOCTEST_RUN_NB_TEST", "RUSTDOC_RUN");
            refused(
                &source,
                "new_doctest(\n\"src/lib.rs - (line 2)\", false",
                "new_doctest(\nNAME, false",
            );
            refused(&source, "15, false, false", "15, false, 3");
            refused(&source, "let test_args = &[", "let test_args = vec![");
        }
        refused(PUSHED, "tests.push(__doctest_0::TEST);", "");
        refused(PUSHED, "push(__doctest_1", "push(__doctest_2");
        let array = array();
        refused(&array, "&__doctest_0::TEST,", "");
        refused(&array, "&__doctest_1::TEST,", "&__doctest_2::TEST,");
        refused(&array, "&__doctest_3::TEST,", "&__doctest_3::TEST, &other,");
        refused(&array, "let tests = &[", "let tests = [");
        refused(&array, "let tests = &[", "let tests = &[];\nlet tests = &[");
        assert!(read_runner("").is_err());
    }
}
