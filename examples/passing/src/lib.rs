//! An ordinary library with ordinary tests: nothing in it knows of wasmtest.

/// Splits a line into words; quotes keep words together.
///
/// # Errors
/// If a quote is left open.
pub fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if quoted {
        return Err(format!("a quote is left open in {line:?}"));
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_spaces() {
        assert_eq!(words("a  b c").unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn keeps_quoted_words_together() -> Result<(), String> {
        assert_eq!(words("say \"hello world\"")?, ["say", "hello world"]);
        Ok(())
    }

    #[test]
    fn refuses_an_open_quote() {
        assert!(words("say \"hello").is_err());
    }

    #[test]
    #[ignore = "takes a minute without optimisation"]
    fn splits_a_huge_line() {
        let line = "word ".repeat(10_000_000);
        assert_eq!(words(&line).unwrap().len(), 10_000_000);
    }
}
