//! Words of a guest's or of the user's, for a terminal and for a shell.

/// Whether a terminal would act on this character rather than show it.
pub fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A word for a shell, quoted where it has to be; what a terminal would act on as escapes,
/// so that the command can be shown and still means the same.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.contains(is_acted_on) {
        let mut out = String::from("$'");
        for c in word.chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if is_acted_on(c) => {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('\'');
        out
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn is_acted_on(c: char) -> bool {
    c.is_control() || is_harmful(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell_where_they_must_be() {
        assert_eq!(quoted("a::b"), "a::b");
        assert_eq!(quoted("it's a b"), r"'it'\''s a b'");
        assert_eq!(quoted("$(x)"), "'$(x)'");
        assert_eq!(quoted("a\x1b'\n"), r"$'a\x1b\'\x0a'");
        assert_eq!(quoted("a\u{202e}b"), r"$'a\xe2\x80\xaeb'");
    }
}
